//! The metric store and its ways out: series with atomic values, Prometheus names computed from OpenTelemetry ones,
//! and the page in Prometheus' text format or OpenMetrics.
//!
//! Recording costs a few atomic operations through a handle; rendering reads an immutable snapshot of which series
//! exist and allocates nothing. Knows nothing of checks, health or HTTP: whoever fills a metric defines it.

mod alias;
mod bound;
mod epoch;
#[cfg(feature = "prometheus-interop")]
mod foreign;
mod format;
#[cfg(all(any(test, fuzzing), feature = "prometheus-interop"))]
pub(crate) mod fuzzing;
mod gzip;
mod histogram;
mod labels;
#[cfg(feature = "otlp")]
mod meter;
mod names;
mod observers;
mod openmetrics;
#[cfg(feature = "otlp")]
pub mod otlp;
mod page;
mod selection;
mod series;
mod snapshot;
mod store;
mod target;
mod text;

pub(crate) use alias::Alias;
pub(crate) use epoch::{Birth, Since, Starts};
pub(crate) use gzip::compress as gzip;
#[cfg(feature = "otlp")]
pub(crate) use gzip::uncompress as gunzip;
pub(crate) use observers::Observe;
use target::TARGET_INFO;

/// The metrics that this part fills.
pub static DEFINITIONS: &[&crate::model::Definition] =
    &[&page::PAGE_AGE, &store::SERIES, &store::SERIES_DROPPED, &TARGET_INFO];

pub use format::Format;
pub use labels::Labels;
pub use names::{prometheus_label, prometheus_name, violations};
pub use openmetrics::render_openmetrics;
pub(crate) use page::Sources;
pub use page::{Page, Pages, Refresh};
pub use selection::Selection;
pub use series::{Counter, Gauge, Histogram};
pub use snapshot::Snapshot;
pub(crate) use store::Owned;
pub use store::{Scope, Store};
pub use target::{Attribute, AttributeValue};
pub use text::render;

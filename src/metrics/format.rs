//! The formats that a page of metrics can have.

use super::alias::Alias;
use super::snapshot::{Shape, Snapshot};
use super::{openmetrics, text};

/// How a page of metrics is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format 0.0.4.
    Text,
    /// OpenMetrics 1.0, the one with exemplars.
    OpenMetrics,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 2] = [Self::Text, Self::OpenMetrics];

    /// The content type of a page.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => text::CONTENT_TYPE,
            Self::OpenMetrics => openmetrics::CONTENT_TYPE,
        }
    }

    /// Writes the families of `snapshot`; see [`text::write()`] for `full`.
    pub(super) fn write_families(
        self,
        snapshot: &Snapshot,
        out: &mut Vec<u8>,
        full: &mut dyn FnMut(&mut Vec<u8>),
    ) {
        match self {
            Self::Text => text::families(snapshot, out, full),
            Self::OpenMetrics => openmetrics::families(snapshot, out, full),
        }
    }

    /// Writes what is there under a second name too.
    pub(super) fn write_aliases(self, aliases: &[Alias], out: &mut Vec<u8>) {
        match self {
            Self::Text => text::write_aliases::<text::Text>(aliases, out),
            Self::OpenMetrics => text::write_aliases::<openmetrics::OpenMetrics>(aliases, out),
        }
    }

    /// Writes a gauge without labels.
    pub(super) fn write_gauge(self, shape: &Shape, value: f64, out: &mut Vec<u8>) {
        match self {
            Self::Text => text::write_gauge::<text::Text>(shape, value, out),
            Self::OpenMetrics => text::write_gauge::<openmetrics::OpenMetrics>(shape, value, out),
        }
    }

    /// Ends a page, after all families.
    pub(super) fn end(self, out: &mut Vec<u8>) {
        match self {
            Self::Text => {}
            Self::OpenMetrics => out.extend_from_slice(openmetrics::END),
        }
    }
}

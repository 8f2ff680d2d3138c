//! The span of one run of a check. Without a listener it costs one load from memory.
//!
//! Its texts come from the configuration and from closed sets: never a driver's, never a secret. The phases of the run
//! are its children, which [`Run`](crate::checks::Run) begins and ends.

use tracing::field::Empty;
use tracing::{Span, info_span};

use crate::checks::Target;
use crate::health::Entry;
use crate::model::Reason;
use crate::trace;

/// Begins the span of a run.
pub(super) fn begin(check: &Entry, target: &Target) -> Span {
    let name = check.name.as_str();
    info_span!(
        target: trace::TARGET,
        "healthcheck",
        otel.name = %format_args!("healthcheck {name}"),
        otel.kind = if target.address.is_some() { "client" } else { "internal" },
        otel.status_code = Empty,
        otel.status_description = Empty,
        healthcheck.name = name,
        healthcheck.kind = check.kind,
        server.address = target.address.as_deref(),
        server.port = target.port.map(i64::from),
        db.system.name = target.db_system,
        messaging.system = target.messaging_system,
        "error.type" = Empty,
    )
}

/// Notes how the run ended.
pub(super) fn note(span: &Span, failed: Option<Reason>) {
    if let Some(reason) = failed {
        trace::fail(span, reason.as_str());
    }
}

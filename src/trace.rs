//! Which span of which trace the code is in: for exemplars, log lines and the header that goes to who is asked.
//!
//! The parts make their spans with `tracing`'s macros, under [`TARGET`], and leave it to the program whether somebody
//! listens: without a listener a span is one load from memory. With one that is OpenTelemetry's, the span's context is the
//! current one of the thread while the span is entered, which is all that this reads. Built without `otlp` it finds none.

#[cfg(not(feature = "otlp"))]
mod none;
#[cfg(feature = "otlp")]
mod opentelemetry;

#[cfg(not(feature = "otlp"))]
use none as found;
#[cfg(feature = "otlp")]
use opentelemetry as found;

use hyper::HeaderMap;
use tracing::Span;

use crate::model::SpanIds;

/// The target of every span of this crate, by which a subscriber tells them from log lines.
pub const TARGET: &str = "vitalsign::span";

/// The span that the code is in.
#[must_use]
pub fn current() -> Option<SpanIds> {
    found::current(false)
}

/// The span that the code is in, where it will be sent: an exemplar that leads nowhere helps nobody.
pub(crate) fn sampled() -> Option<SpanIds> {
    found::current(true)
}

/// Tells whom a request with `headers` goes to which span it comes from (<https://www.w3.org/TR/trace-context/>). What the
/// headers already say stands.
#[cfg(feature = "http")]
pub(crate) fn tell(headers: &mut HeaderMap) {
    if !headers.contains_key("traceparent") {
        found::tell(headers);
    }
}

/// Makes `span` a child of the span that a request with `headers` comes from. Before the span is entered.
pub(crate) fn adopt(span: &Span, headers: &HeaderMap) {
    if !span.is_disabled() && headers.contains_key("traceparent") {
        found::adopt(span, headers);
    }
}

/// Reads what [`adopt`] does, without a span.
#[cfg(all(any(test, fuzzing), feature = "otlp"))]
pub(crate) fn read(headers: &HeaderMap) {
    found::read(headers);
}

/// Notes in `span`, which must have the fields for it, that it failed: the word of a closed set, and no other text.
pub(crate) fn fail(span: &Span, error_type: &str) {
    span.record("error.type", error_type);
    span.record("otel.status_code", "error");
    span.record("otel.status_description", error_type);
}

/// Ends `span` now, whoever holds it still.
pub(crate) fn end(span: &Span) {
    if !span.is_disabled() {
        found::end(span);
    }
}

//! The same from OpenTelemetry's context.

use hyper::HeaderMap;
use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_http::HeaderExtractor;
#[cfg(feature = "http")]
use opentelemetry_http::HeaderInjector;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::model::SpanIds;

pub(super) fn current(sampled: bool) -> Option<SpanIds> {
    Context::map_current(|context| {
        if !context.has_active_span() {
            return None;
        }
        let span = context.span();
        let ids = span.span_context();
        (ids.is_valid() && (ids.is_sampled() || !sampled))
            .then(|| SpanIds { trace: ids.trace_id().to_bytes(), span: ids.span_id().to_bytes() })
    })
}

#[cfg(feature = "http")]
pub(super) fn tell(headers: &mut HeaderMap) {
    Context::map_current(|context| {
        if context.has_active_span() {
            TraceContextPropagator::new().inject_context(context, &mut HeaderInjector(headers));
        }
    });
}

#[cfg(any(test, fuzzing))]
pub(super) fn read(headers: &HeaderMap) {
    TraceContextPropagator::new().extract_with_context(&Context::new(), &HeaderExtractor(headers));
}

pub(super) fn adopt(span: &Span, headers: &HeaderMap) {
    let parent =
        TraceContextPropagator::new().extract_with_context(&Context::new(), &HeaderExtractor(headers));
    // Refused where nobody listens to spans, and then there is nothing to do.
    let _ = span.set_parent(parent);
}

pub(super) fn end(span: &Span) {
    span.context().span().end();
}

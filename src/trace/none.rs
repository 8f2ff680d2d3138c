//! What is found where the program is built without traces.

use hyper::HeaderMap;
use tracing::Span;

use crate::model::SpanIds;

pub(super) const fn current(_sampled: bool) -> Option<SpanIds> {
    None
}

#[cfg(feature = "http")]
pub(super) const fn tell(_headers: &mut HeaderMap) {}

pub(super) const fn adopt(_span: &Span, _headers: &HeaderMap) {}

pub(super) const fn end(_span: &Span) {}

//! The parsers of requests, for [`crate::fuzzing`]: of what is left once hyper has read the head.

use axum::http::{HeaderValue, Request, header};

use super::accept;
use super::audience::Audience;

/// Lines of `name: value`, below the target of the request.
fn request(bytes: &[u8]) -> Option<axum::http::request::Parts> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut request = Request::get(lines.next()?).body(()).ok()?;
    for line in lines.take(100) {
        let at = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(at);
        let name = header::HeaderName::from_bytes(name).unwrap_or(header::ACCEPT);
        if let Ok(value) = HeaderValue::from_bytes(value.get(1..).unwrap_or_default().trim_ascii()) {
            request.headers_mut().append(name, value);
        }
    }
    Some(request.into_parts().0)
}

type Target = (&'static str, fn(&[u8]));

pub(crate) const TARGETS: &[Target] = &[("request", |bytes| {
    let Some(parts) = request(bytes) else { return };
    let _ = (accept::format(&parts.headers), accept::gzip(&parts.headers), Audience::of(&parts));
    let _ = super::metrics::selection(&parts.uri);
    crate::trace::adopt(&tracing::info_span!("fuzz"), &parts.headers);
    #[cfg(feature = "otlp")]
    crate::trace::read(&parts.headers);
})];

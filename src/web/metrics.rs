//! `/metrics`: always 200, whatever the health is.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::metrics::Format;

use super::pages::{Handed, Next};
use super::{Faces, accept};

pub(super) async fn page(State(faces): State<Faces>, headers: HeaderMap) -> Response {
    let (format, gzip) = (accept::format(&headers), accepts_gzip(&headers));
    let Some(Handed { page, next }) = faces.0.pages.page(format, gzip).await else {
        let content_type = Format::Text.content_type();
        return ([(header::CONTENT_TYPE, content_type)], "# no page yet: ask again\n").into_response();
    };
    let content_type = page.format.content_type();
    let (body, coding) = match page.gzip().filter(|_| gzip) {
        Some(body) => (body, Some("gzip")),
        None => (page.text(), None),
    };
    let body = match next {
        Some(next) => Bytes::from_owner(Sent { body, _next: next }),
        None => body,
    };
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::VARY, HeaderValue::from_static("accept, accept-encoding"));
    if let Some(coding) = coding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    response
}

/// A page that is let go of once it was sent.
struct Sent {
    body: Bytes,
    _next: Next,
}

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = matches!(parts.next(), Some("gzip" | "*"));
        named && !parts.any(|weight| matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_only_where_it_is_wanted() {
        let accepts = |value: &'static str| {
            accepts_gzip(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, value.parse().unwrap())]))
        };
        assert!(accepts("gzip") && accepts("br, gzip;q=0.5") && accepts("*"));
        assert!(!accepts("br") && !accepts("gzip;q=0") && !accepts("identity"));
        assert!(!accepts("gzip;q=0.0") && !accepts("gzip; q=0.00") && !accepts("gzip;q=0.000"));
        assert!(accepts("gzip;q=0.001"));
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}

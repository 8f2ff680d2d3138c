//! `/metrics`: always 200, whatever the health is.

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};

use crate::metrics::{self, Format, Page, Selection};
use crate::supervisor;

use super::pages::{Handed, Next};
use super::{Faces, accept};

pub(super) async fn page(State(faces): State<Faces>, uri: Uri, headers: HeaderMap) -> Response {
    let (format, gzip) = (accept::format(&headers), accept::gzip(&headers));
    let Some(Handed { page, next }) = faces.0.pages.page(format, gzip).await else {
        let content_type = Format::Text.content_type();
        return ([(header::CONTENT_TYPE, content_type)], "# no page yet: ask again\n").into_response();
    };
    let (content_type, selection) = (page.format.content_type(), selection(&uri));
    let packed = if gzip { page.gzip() } else { None };
    let (body, coding) = match (selection, packed) {
        (Some(selection), _) => (select(page, selection, gzip).await, gzip.then_some("gzip")),
        (None, Some(body)) => (body, Some("gzip")),
        (None, None) => (page.text(), None),
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

/// The names that the query chooses by `name[]`; `None` where it chooses none.
pub(super) fn selection(uri: &Uri) -> Option<Selection> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri).ok()?;
    let names: Selection =
        pairs.into_iter().filter(|(key, _)| key == "name[]").map(|(_, name)| name).collect();
    (!names.is_empty()).then_some(names)
}

/// What is chosen of a page, apart from who serves others: a large one takes milliseconds.
async fn select(page: Page, selection: Selection, compressed: bool) -> Bytes {
    let selected = supervisor::blocking(move || {
        let text = page.select(&selection);
        if compressed { metrics::gzip(&text, Vec::new()) } else { text }
    });
    selected.await.unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_chosen_by_the_query() {
        let chosen = |query: &str| selection(&format!("/metrics{query}").parse().unwrap());
        let names = |names: &[&str]| Some(names.iter().copied().collect());
        assert_eq!(chosen("?name[]=a&x=1&name[]=b"), names(&["a", "b"]));
        assert_eq!(chosen("?name%5B%5D=a%5Fb&name%5b%5d=c"), names(&["a_b", "c"]));
        assert_eq!(chosen("?name[]="), names(&[""]), "chosen, and nothing is called so");
        for none in ["", "?", "?name=a", "?names[]=a", "?verbose", "?%ff=%zz"] {
            assert_eq!(chosen(none), None, "{none}");
        }
    }
}

//! `/metrics`: 200 whatever the health is. 503 where no page can be made in time and the last one is old: a scraper
//! must not take values of long ago for those of now.

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

use crate::metrics::{self, Page, Selection};
use crate::supervisor;

use super::pages::{Handed, Next};
use super::parts::Parts;
use super::{Faces, accept};

pub(super) async fn page(State(faces): State<Faces>, uri: Uri, headers: HeaderMap) -> Response {
    let (format, gzip) = (accept::format(&headers), accept::gzip(&headers));
    let Some(Handed { page, next }) = faces.0.pages.page(format, gzip).await else {
        return none();
    };
    let (content_type, selection) = (page.format.content_type(), selection(&uri));
    let now = Instant::now();
    let packed = if gzip { page.gzip_at(now) } else { None };
    let (body, coding) = match (selection, packed) {
        (Some(selection), _) => ([select(page, selection, gzip).await, Bytes::new()], gzip.then_some("gzip")),
        (None, Some(body)) => (body, Some("gzip")),
        (None, None) if page.is_ready(false) => (page.text_at(now), None),
        (None, None) => (unpack(page).await, None),
    };
    let [body, end] = body;
    let body = match next {
        Some(next) => Bytes::from_owner(Sent { body, _next: next }),
        None => body,
    };
    let mut response = Response::new(Body::new(Parts::new([body, end])));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::VARY, HeaderValue::from_static("accept, accept-encoding"));
    if let Some(coding) = coding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    response
}

fn none() -> Response {
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::RETRY_AFTER, "1")];
    let body = "the page is not made in time, and the last one is too old: ask again\n";
    (StatusCode::SERVICE_UNAVAILABLE, headers, body).into_response()
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
        let text = page.select(&selection, Instant::now());
        if compressed { metrics::gzip(&text, Vec::new()) } else { text }
    });
    selected.await.unwrap_or_default().into()
}

/// The text of a page that nobody asked for as text so far: the same of a large one.
async fn unpack(page: Page) -> [Bytes; 2] {
    supervisor::blocking(move || page.text_at(Instant::now())).await.unwrap_or_default()
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

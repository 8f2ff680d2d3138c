//! `/metrics`: always 200, whatever the health is. Pages are made on a thread of their own; a request waits for one a
//! little, then gets the last one there was.
//!
//! Who asks again within a second gets the page that the request before had made, and has the next one made meanwhile:
//! many readers at once wait for none of each other, and a page is never older than its next expiry allows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use crate::metrics::{Format, Page, Pages, Refresh, Store};
use crate::supervisor;

use super::{Faces, accept};

/// How long a request waits for a fresh page before it takes the last one.
const PATIENCE: Duration = Duration::from_millis(250);

/// The thread that makes pages; it ends when the last handle is gone.
pub(super) struct PageWorker {
    orders: mpsc::Sender<Order>,
    /// The last page of each format.
    last: Arc<[ArcSwapOption<Page>; Format::ALL.len()]>,
    /// A page is being made for whoever asks next.
    ahead: Arc<AtomicBool>,
    store: Store,
}

struct Order {
    format: Format,
    compressed: bool,
    /// Nobody waits for a page that is made ahead.
    reply: Option<oneshot::Sender<Page>>,
}

impl PageWorker {
    pub(super) fn start(store: &Store, refresh: Vec<Refresh>) -> std::io::Result<Self> {
        let (orders, inbox) = mpsc::channel::<Order>();
        let last = Arc::<[ArcSwapOption<Page>; Format::ALL.len()]>::default();
        let (mut pages, kept) = (Pages::new(store.clone(), refresh), Arc::clone(&last));
        let ahead = Arc::new(AtomicBool::new(false));
        let made_ahead = Arc::clone(&ahead);
        supervisor::thread("vitalsign-page", move || {
            while let Ok(order) = inbox.recv() {
                let page = pages.page(Instant::now(), order.format, order.compressed);
                if let Some(kept) = kept.get(order.format as usize) {
                    kept.store(Some(Arc::new(page.clone())));
                }
                match order.reply {
                    // Whoever asked may have left; the page is kept for the next one.
                    Some(reply) => drop(reply.send(page)),
                    None => made_ahead.store(false, Ordering::Release),
                }
            }
        })?;
        Ok(Self { orders, last, ahead, store: store.clone() })
    }

    async fn page(&self, format: Format, compressed: bool) -> Option<Page> {
        let last = self.last.get(format as usize)?;
        let young = last
            .load_full()
            .filter(|page| page.is_young(Instant::now()) && (page.gzip.is_some() || !compressed));
        if let Some(page) = young {
            if !page.is_newest(&self.store) && !self.ahead.swap(true, Ordering::AcqRel) {
                self.orders.send(Order { format, compressed, reply: None }).ok()?;
            }
            return Some((*page).clone());
        }
        let (reply, answer) = oneshot::channel();
        self.orders.send(Order { format, compressed, reply: Some(reply) }).ok()?;
        match timeout(PATIENCE, answer).await {
            Ok(page) => page.ok(),
            Err(_) => last.load().as_deref().cloned(),
        }
    }
}

pub(super) async fn page(State(faces): State<Faces>, headers: HeaderMap) -> Response {
    let (format, gzip) = (accept::format(&headers), accepts_gzip(&headers));
    let Some(page) = faces.0.pages.page(format, gzip).await else {
        let content_type = Format::Text.content_type();
        return ([(header::CONTENT_TYPE, content_type)], "# no page yet: ask again\n").into_response();
    };
    let common =
        [(header::CONTENT_TYPE, page.format.content_type()), (header::VARY, "accept, accept-encoding")];
    match page.gzip.filter(|_| gzip) {
        Some(body) => (common, [(header::CONTENT_ENCODING, "gzip")], Body::from(body)).into_response(),
        None => (common, Body::from(page.text)).into_response(),
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
    use crate::model::{Definition, Instrument};

    static VALUE: Definition = Definition {
        name: "value",
        instrument: Instrument::Gauge,
        unit: "",
        attributes: &[],
        help: "A value",
    };

    #[tokio::test]
    async fn who_asks_again_at_once_gets_the_last_page_and_has_the_next_one_made() {
        let store = Store::new();
        let value = store.gauge(&VALUE, &[]);
        value.set(1.0);
        let worker = PageWorker::start(&store, Vec::new()).unwrap();
        let first = worker.page(Format::Text, false).await.unwrap();
        value.set(2.0);
        store.touch();
        let second = worker.page(Format::Text, false).await.unwrap();
        assert!(second.text == first.text || !first.is_young(Instant::now()));
        let newest = async {
            while !String::from_utf8_lossy(&worker.page(Format::Text, false).await.unwrap().text)
                .contains("\nvalue 2\n")
            {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(60), newest).await.unwrap();
    }

    #[test]
    fn gzip_only_where_it_is_wanted() {
        let accepts = |value: &'static str| {
            accepts_gzip(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, value.parse().unwrap())]))
        };
        assert!(accepts("gzip") && accepts("br, gzip;q=0.5") && accepts("*"));
        assert!(!accepts("br") && !accepts("gzip;q=0") && !accepts("identity"));
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}

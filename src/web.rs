//! What answers over HTTP: health for probes and people, metrics for Prometheus.
//!
//! Runs on a thread and runtime of its own, so that a stuck runner cannot silence it; answers come from memory. Knows
//! the board and the store; starts no check, whatever is asked.

mod accept;
mod audience;
mod connection;
mod document;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod health;
mod ietf;
mod limits;
mod listener;
mod metrics;
mod pages;
mod parts;
mod places;
mod plain;
mod requests;
mod router;
mod server;

use std::sync::Arc;

use crate::health::{Board, GroupView};
use tokio::time::Instant;

use crate::metrics::{Refresh, Store};
use crate::model::Definition;

pub use limits::Limits;
pub use server::Server;

/// The metrics that this part fills.
pub static DEFINITIONS: &[&Definition] = &[
    &requests::DURATION,
    &requests::ACTIVE,
    &places::CONNECTIONS,
    &places::LIMIT,
    &places::CLOSED,
    &places::FAILURES,
];

/// What the answers are made from. Cheap to clone.
#[derive(Clone)]
pub struct Faces(Arc<Inner>);

struct Inner {
    board: Board,
    store: Store,
    service: String,
    version: String,
    pages: pages::PageWorker,
    requests: requests::RequestMetrics,
}

impl Faces {
    /// Faces of `board` and `store`, for a service of this name and version. `refresh` is called, with the board's own
    /// metrics, before each page of metrics is made.
    ///
    /// # Errors
    /// When the system gives no thread for making pages.
    pub fn new(
        board: &Board,
        store: &Store,
        service: &str,
        version: &str,
        mut refresh: Vec<Refresh>,
    ) -> std::io::Result<Self> {
        let judged = board.clone();
        refresh.push(Box::new(move |now| judged.refresh_metrics(now)));
        Ok(Self(Arc::new(Inner {
            board: board.clone(),
            store: store.clone(),
            service: service.to_owned(),
            version: version.to_owned(),
            pages: pages::PageWorker::start(store, refresh)?,
            requests: requests::RequestMetrics::new(store),
        })))
    }

    fn store(&self) -> &Store {
        &self.0.store
    }

    /// The routes, for a server of the caller's own.
    pub fn router(&self) -> axum::Router {
        router::router(self.clone())
    }
}

/// The JSON of `view` as `/health` gives it to an operator, for who has no server.
#[must_use]
pub fn document_of(board: &Board, service: &str, version: &str, view: &GroupView) -> String {
    let uptime = board.uptime(Instant::now());
    document::group(
        view,
        &document::Facts { service, version, uptime, audience: audience::Audience::Operator },
    )
}

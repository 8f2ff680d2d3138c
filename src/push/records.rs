//! What leaves record by record, spans and log lines: a bounded queue, from there in batches to a collector over OTLP.
//!
//! A record costs its sender one move into the queue and never a wait; where the queue is full it is dropped and counted.
//! Sending is one task on a runtime of the caller's: the SDK's own batches are sent from a thread of theirs, which an
//! asynchronous client cannot run on, and what that drops is counted nowhere. Nothing global is installed: a program puts
//! a layer into its own subscriber and says when to stop. Unlike metrics, records are not worth a place on disk.

mod queue;
mod send;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::metrics::Metrics;
use super::settings::{self, Exporter};
use super::signal::Signal;
use super::standing::Standing;
use crate::metrics::Store;
use crate::resource::Resource;
use crate::supervisor;

use queue::Backlog;
use send::Sender;

pub(super) use queue::Queue;
pub(super) use send::{Client, Export, over};

/// Why spans or log records cannot be sent at all.
#[derive(Debug)]
pub struct Unusable {
    signal: Signal,
    why: String,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be sent: {}", self.signal.word(), self.why)
    }
}

impl std::error::Error for Unusable {}

/// Records that are being sent. Dropped, what waits is lost: [`Records::stop`] sends it first.
#[derive(Debug)]
pub(super) struct Records {
    source: watch::Sender<opentelemetry_sdk::Resource>,
    sender: JoinHandle<()>,
    stop: CancellationToken,
    standing: Arc<Standing>,
    backlog: Arc<Backlog>,
}

impl Records {
    /// Begins to send what comes into the queue, on `runtime`, which must be driven for as long. `resource` says what the
    /// records are of, until [`Records::set_resource`] does.
    ///
    /// # Errors
    /// Where the destination cannot be one. Whether somebody is there shows later, in the log and the metrics.
    pub(super) fn start<E: Export>(
        exporter: &Exporter,
        limits: settings::Queue,
        resource: &Resource,
        store: &Store,
        runtime: &Handle,
    ) -> Result<(Self, Queue<E::Record>), Unusable> {
        let (backlog, standing) = (Arc::new(Backlog::new(limits)), Arc::new(Standing::default()));
        let seen = Arc::clone(&backlog);
        let metrics = Metrics::new(store, E::SIGNAL, move || (seen.level(), SystemTime::now()));
        let metrics = Arc::new(metrics);
        let (source, known) = watch::channel(send::source(resource));
        let sender = Sender::<E>::new(exporter, known, Arc::clone(&metrics), Arc::clone(&standing));
        let mut sender = sender.map_err(|why| Unusable { signal: E::SIGNAL, why })?;
        let (queue, waiting) = queue::queue(limits, Arc::clone(&backlog), metrics);
        let stop = CancellationToken::new();
        let send = async move |batch| sender.send(batch).await;
        let sender = supervisor::task_on(runtime, waiting.empty(send, stop.clone()));
        Ok((Self { source, sender, stop, standing, backlog }, queue))
    }

    /// Says what the records are of, where that was not known before.
    pub(super) fn set_resource(&self, resource: &Resource) {
        self.source.send_replace(send::source(resource));
    }

    /// How it stands at any moment, in one line.
    pub(super) fn line(&self) -> impl Fn() -> String + Send + Sync + 'static {
        let (standing, backlog) = (Arc::clone(&self.standing), Arc::clone(&self.backlog));
        move || standing.line(backlog.level())
    }

    /// Sends what waits, until `deadline` at most. What comes later is lost.
    pub(super) async fn stop(&mut self, deadline: Instant) {
        self.stop.cancel();
        if timeout_at(deadline, &mut self.sender).await.is_err() {
            self.sender.abort();
        }
    }
}

//! What leaves over OTLP. Metrics: every interval a batch is made, queued, and sent until the collector has it. Spans and
//! log lines, where somebody made them, go through `records`.
//!
//! ```text
//! source ─ batches ─► spool (memory or disk, bounded) ─ oldest first ─► transport (HTTP or gRPC) ─► collector
//!                        └── older, too many, broken: dropped and counted
//! ```
//!
//! Knows neither checks nor the web: what is pushed is what the store shows. Nothing of it runs while no endpoint is
//! given.

mod backoff;
mod cycle;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub mod logs;
mod metrics;
mod packing;
pub mod records;
pub mod settings;
mod signal;
mod spool;
mod standing;
pub mod traces;
mod transport;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::metrics::Store;
use crate::metrics::otlp::Temporality;
use crate::supervisor::{EndedEarly, Tasks};

use cycle::{Clock, Cycle, Shared};
use metrics::Metrics;
use signal::Signal;
use spool::Spool;
use standing::Standing;
use transport::{Transport, transport};

pub use settings::Settings;
pub use spool::SpoolError;

pub(crate) use cycle::Source;
pub(crate) use metrics::DEFINITIONS;

/// How long the loop has to say what is left when the deadline ended its sending.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Why nothing can be pushed as it was asked for.
#[derive(Debug)]
pub enum PushError {
    /// The directory of the spool cannot be used.
    Spool(SpoolError),
    /// The way to the collector cannot be used.
    Transport(String),
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spool(error) => error.fmt(f),
            Self::Transport(error) => f.write_str(error),
        }
    }
}

impl std::error::Error for PushError {}

/// Metrics on their way out.
pub(crate) struct Push {
    tasks: Tasks,
    stop: watch::Sender<Option<Instant>>,
    standing: Arc<Standing>,
}

impl Push {
    /// Starts to push what `source` makes, on the runtime that this is called on. Does not wait for the collector.
    ///
    /// # Errors
    /// [`PushError`]; nothing runs then.
    pub(crate) fn start(
        settings: &settings::Metrics,
        store: &Store,
        source: Source,
    ) -> Result<Self, PushError> {
        let transport = transport(&settings.exporter, Signal::Metrics).map_err(PushError::Transport)?;
        let push = Self::with(settings, store, source, transport, Arc::new(SystemTime::now))?;
        info!(endpoint = %settings.exporter.endpoint, interval = ?settings.interval, "pushing metrics");
        if settings.temporality != Temporality::Cumulative {
            warn!("metrics leave as deltas, which Prometheus refuses: use temporality: cumulative for it");
        }
        Ok(push)
    }

    fn with(
        settings: &settings::Metrics,
        store: &Store,
        source: Source,
        transport: Box<dyn Transport>,
        clock: Clock,
    ) -> Result<Self, PushError> {
        let spool = Spool::open(&settings.spool).map_err(PushError::Spool)?;
        let standing = Arc::new(Standing::default());
        standing.waits(spool.level());
        let (seen, now) = (Arc::clone(&standing), Arc::clone(&clock));
        let metrics = Metrics::new(store, Signal::Metrics, move || (seen.level(), now()));
        let shared =
            Shared { spool: Mutex::new(spool), source: Mutex::new(source), standing: Arc::clone(&standing) };
        let cycle = Cycle {
            shared: Arc::new(shared),
            transport,
            metrics,
            clock,
            interval: settings.interval,
            limit: settings.batch_size,
            compression: settings.exporter.compression,
            backoff: backoff::Backoff::default(),
            not_before: None,
            too_large: 0,
            parts: Vec::new(),
            disk_failed: false,
            partly_refused: false,
        };
        let (stop, stopped) = watch::channel(None);
        let mut tasks = Tasks::default();
        tasks.start("push", cycle.run(stopped));
        Ok(Self { tasks, stop, standing })
    }

    /// How it stands at any moment, in one line.
    pub(crate) fn line(&self) -> impl Fn() -> String + Send + Sync + 'static {
        let standing = Arc::clone(&self.standing);
        move || standing.line(standing.level())
    }

    /// Waits until a task ends that should not.
    pub(crate) async fn ended_early(&mut self) -> EndedEarly {
        self.tasks.ended().await
    }

    /// Makes a last batch and sends what waits, until `deadline` at most.
    pub(crate) async fn stop(self, deadline: Instant) {
        self.stop.send_replace(Some(deadline));
        // A panic in our own task was reported by `ended_early`; while stopping nothing can be done about it.
        let _ = self.tasks.finish(deadline + LAST_WORDS).await;
    }
}

#[cfg(test)]
mod tests;

//! The loop: every interval a batch is made and queued; the oldest one is sent, one request at a time, until the
//! collector has it.
//!
//! Making goes on whatever becomes of sending. What blocks (reading the machine, encoding, the disk) runs where blocking
//! is allowed. Time comes from tokio and, for the age of batches, from a clock that is handed in. Knows neither
//! protocols nor what is in a batch.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::{info, warn};

use super::backoff::Backoff;
use super::metrics::Metrics;
use super::packing::{pack, unpack};
use super::settings::Compression;
use super::spool::{Lost, Name, Spool, what_to_do};
use super::standing::Standing;
use super::transport::{Answer, Failure, HALVINGS, Sending, Transport};
use crate::metrics::otlp::{Batch, split};
use crate::model::Reason;
use crate::supervisor;

/// Makes the batches of one moment, none above a size, and hands each one on.
pub(crate) type Source = Box<dyn FnMut(SystemTime, usize, &mut dyn FnMut(&mut Batch)) + Send>;

/// What time it is.
pub(super) type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// The first batch leaves soon, so that it shows at once whether the way is open.
const FIRST: Duration = Duration::from_secs(1);
/// The smallest limit that a collector that finds a batch too large brings about.
const SMALLEST_BATCH: usize = 64 << 10;

/// What the loop shares with the threads that block for it.
pub(super) struct Shared {
    pub(super) spool: Mutex<Spool>,
    pub(super) source: Mutex<Source>,
    pub(super) standing: Arc<Standing>,
}

/// Everything that the loop works with.
pub(super) struct Cycle {
    pub(super) shared: Arc<Shared>,
    pub(super) transport: Box<dyn Transport>,
    pub(super) metrics: Metrics,
    pub(super) clock: Clock,
    pub(super) interval: Duration,
    /// How large a batch may get.
    pub(super) limit: usize,
    /// How they wait.
    pub(super) compression: Compression,
    pub(super) backoff: Backoff,
    /// Nothing is sent before.
    pub(super) not_before: Option<Instant>,
    /// How many requests in a row were too large.
    pub(super) too_large: u32,
    /// The parts of the batch that is being sent in parts, so far as they wait.
    pub(super) parts: Vec<Name>,
    /// The log knows that the disk takes nothing.
    pub(super) disk_failed: bool,
    /// The log knows that a part is refused.
    pub(super) partly_refused: bool,
}

/// A batch on its way.
struct InFlight {
    name: Name,
    packed: Bytes,
    request: Sending,
}

/// The answer to the request on its way; never where there is none.
async fn answer(in_flight: &mut Option<InFlight>) -> Answer {
    match in_flight {
        Some(in_flight) => in_flight.request.as_mut().await,
        None => std::future::pending().await,
    }
}

impl Cycle {
    /// Runs until `stop` holds a deadline, then sends what it can until then.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<Option<Instant>>) {
        let mut tick = Instant::now() + self.interval.min(FIRST);
        let mut in_flight = None;
        let deadline = loop {
            if in_flight.is_none() && self.not_before.is_none() {
                in_flight = self.next().await;
            }
            tokio::select! {
                biased;
                deadline = told_to_stop(&mut stop) => break deadline,
                answer = answer(&mut in_flight) => {
                    if let Some(InFlight { name, packed, .. }) = in_flight.take() {
                        self.settle(name, packed, answer).await;
                    }
                }
                () = sleep_until(tick) => {
                    self.collect().await;
                    tick = next_tick(tick, self.interval);
                }
                () = wait_until(self.not_before) => self.not_before = None,
            }
        };
        // Beyond the deadline the rest waits on disk, or is lost with the process.
        let _ = timeout_at(deadline, self.flush(in_flight)).await;
        self.say_what_is_left();
    }

    /// Makes the batches of now and queues them.
    async fn collect(&mut self) {
        let (shared, now) = (Arc::clone(&self.shared), (self.clock)());
        let (limit, compression) = (self.limit, self.compression);
        let made = supervisor::blocking(move || {
            let mut written: io::Result<()> = Ok(());
            let mut source = shared.source.lock();
            (source)(now, limit, &mut |batch: &mut Batch| {
                let packed = pack(&batch.bytes, compression);
                let points = u64::try_from(batch.points).unwrap_or(u64::MAX);
                let appended = shared.spool.lock().append(now, points, packed);
                written = std::mem::replace(&mut written, Ok(())).and(appended);
            });
            (written, shared.account())
        });
        let Ok((written, lost)) = made.await else { return };
        self.count(lost);
        match written {
            Err(error) if !self.disk_failed => {
                self.disk_failed = true;
                warn!("otlp.spool.directory {}; batches wait in memory", what_to_do(&error));
            }
            Ok(()) if self.disk_failed => {
                self.disk_failed = false;
                info!("otlp.spool.directory can be written again");
            }
            _ => {}
        }
    }

    /// Begins to send the oldest batch.
    async fn next(&mut self) -> Option<InFlight> {
        if self.shared.standing.level().batches == 0 {
            return None;
        }
        let now = (self.clock)();
        let (name, packed) = self.with_spool(move |spool| spool.oldest(now)).await.flatten()?;
        let request = self.transport.send(packed.clone());
        Some(InFlight { name, packed, request })
    }

    /// Does what follows from the answer.
    async fn settle(&mut self, name: Name, packed: Bytes, answer: Answer) {
        self.metrics.exported();
        let now = (self.clock)();
        match answer {
            Answer::Taken { refused } => {
                self.backoff.reset();
                self.too_large = 0;
                self.parts.retain(|part| *part != name);
                self.metrics.taken(name.points, refused, now);
                self.with_spool(move |spool| spool.remove(name)).await;
                if self.shared.standing.works(now) {
                    let waiting = self.shared.standing.level().batches;
                    info!(waiting, "sending metrics works again");
                }
                if refused > 0 && !self.partly_refused {
                    warn!(refused, points = name.points, "the collector refuses some of the metrics");
                }
                self.partly_refused = refused > 0;
            }
            Answer::Later { after, failure } => {
                self.metrics.failed(failure.reason);
                let wait = self.backoff.next(after);
                self.not_before = Some(Instant::now() + wait);
                self.say_failed(&failure, now, "metrics cannot be sent: they wait");
            }
            Answer::TooLarge => {
                self.backoff.reset();
                self.metrics.failed(Reason::UnexpectedStatus);
                self.split(name, packed, now).await;
            }
            Answer::Never(failure) => {
                self.backoff.reset();
                self.metrics.failed(failure.reason);
                self.parts.retain(|part| *part != name);
                self.reject(vec![name], &failure, now).await;
            }
        }
    }

    /// Drops a batch, or what is left of it.
    async fn reject(&mut self, parts: Vec<Name>, failure: &Failure, now: SystemTime) {
        let dropped = self.with_spool(move |spool| {
            let waited = parts.into_iter().filter(|part| spool.remove(*part));
            waited.map(|part| part.points).sum()
        });
        self.metrics.rejected(dropped.await.unwrap_or(0));
        self.say_failed(failure, now, "metrics are refused: they are dropped");
    }

    /// Puts two halves in the place of a batch, and makes smaller ones from now on. Where halving has not helped several
    /// times in a row, gives up the batch with all its parts.
    async fn split(&mut self, name: Name, packed: Bytes, now: SystemTime) {
        self.too_large = self.too_large.saturating_add(1);
        if !self.parts.contains(&name) {
            self.parts = vec![name];
        }
        let (compression, goes_on) = (self.compression, self.too_large <= HALVINGS);
        let halves = supervisor::blocking(move || {
            let bytes = unpack(&packed)?;
            let packed = |half: &Batch| {
                (u64::try_from(half.points).unwrap_or(u64::MAX), pack(&half.bytes, compression))
            };
            let halves = if goes_on { split(&bytes) } else { None };
            Some((bytes.len() / 2, halves.map(|(first, second)| [packed(&first), packed(&second)])))
        });
        let (half, halves) = halves.await.ok().flatten().unwrap_or((SMALLEST_BATCH, None));
        self.limit = self.limit.min(half.max(SMALLEST_BATCH));
        let put = match halves {
            Some(halves) => self.with_spool(move |spool| spool.split(name, halves)).await.flatten(),
            None => None,
        };
        if let Some(halves) = put {
            self.parts.retain(|part| *part != name);
            self.parts.extend(halves);
            return;
        }
        let parts = if goes_on {
            // A single point costs only itself.
            self.parts.retain(|part| *part != name);
            vec![name]
        } else {
            std::mem::take(&mut self.parts)
        };
        self.reject(parts, &Failure::too_large(), now).await;
    }

    /// Makes what is now, and sends what is on its way and what waits; ends with the first request that has to wait.
    async fn flush(&mut self, in_flight: Option<InFlight>) {
        // First, so that it waits on disk whatever the collector does.
        self.collect().await;
        if let Some(InFlight { name, packed, request }) = in_flight {
            let answer = request.await;
            self.settle(name, packed, answer).await;
        }
        // Whoever said when to come back is not asked before; one attempt is due to who merely did not answer.
        if self.backoff.was_asked() {
            return;
        }
        self.not_before = None;
        while self.not_before.is_none() {
            let Some(InFlight { name, packed, request }) = self.next().await else { return };
            let answer = request.await;
            self.settle(name, packed, answer).await;
        }
    }

    fn say_failed(&self, failure: &Failure, now: SystemTime, what: &str) {
        if self.shared.standing.fails(now, &failure.said) {
            warn!(reason = failure.reason.as_str(), error = failure.said, "{what}");
        }
    }

    fn say_what_is_left(&self) {
        // The lock may be held by a write that outlives the deadline.
        let Some(spool) = self.shared.spool.try_lock() else { return };
        let (batches, lost) = (spool.level().batches, spool.only_in_memory());
        if lost > 0 {
            warn!(batches = lost, "metrics that could not be sent end with this process");
        } else if batches > 0 {
            info!(batches, "metrics that could not be sent wait on disk");
        }
    }

    /// Works with the spool where blocking is allowed, and counts what it lost.
    async fn with_spool<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Spool) -> T + Send + 'static,
    ) -> Option<T> {
        let shared = Arc::clone(&self.shared);
        let worked = supervisor::blocking(move || {
            let done = work(&mut shared.spool.lock());
            (done, shared.account())
        });
        let (done, lost) = worked.await.ok()?;
        self.count(lost);
        Some(done)
    }

    /// Counts what the spool lost, and says what somebody should know of.
    fn count(&self, lost: Lost) {
        self.metrics.lost(lost);
        let (damaged, missing) = (lost.corrupt.batches, lost.missing.batches);
        if damaged > 0 {
            warn!(batches = damaged, "batches in otlp.spool.directory were damaged: they are dropped");
        }
        if missing > 0 {
            warn!(
                batches = missing,
                "batches in otlp.spool.directory are gone: they were removed or replaced"
            );
        }
    }
}

impl Shared {
    /// Writes down how much waits; what was lost since the last time.
    fn account(&self) -> Lost {
        let mut spool = self.spool.lock();
        self.standing.waits(spool.level());
        spool.lost()
    }
}

/// The deadline, once there is one; at once where nobody is left who could set it.
async fn told_to_stop(stop: &mut watch::Receiver<Option<Instant>>) -> Instant {
    let told = stop.wait_for(Option::is_some).await;
    told.ok().and_then(|deadline| *deadline).unwrap_or_else(Instant::now)
}

async fn wait_until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// The next of the regular times; those that are over are skipped.
fn next_tick(tick: Instant, interval: Duration) -> Instant {
    let mut next = tick + interval;
    let now = Instant::now();
    while next <= now {
        next += interval;
    }
    next
}

//! The queue of records, and the task that empties it.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use parking_lot::Mutex;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::push::metrics::Metrics;
use crate::push::settings;
use crate::push::spool::{Level, Loss, Lost};

/// An empty queue: the end that records come in at, and the one that they go out at.
pub(super) fn queue<R>(
    limits: settings::Queue,
    backlog: Arc<Backlog>,
    metrics: Arc<Metrics>,
) -> (Queue<R>, Waiting<R>) {
    let (sender, records) = channel(limits.size.max(1));
    (Queue { records: sender, backlog: Arc::clone(&backlog), metrics }, Waiting { records, limits, backlog })
}

/// How much waits, the batch that is being sent included.
#[derive(Debug)]
pub(super) struct Backlog {
    records: AtomicUsize,
    batch: usize,
    /// When the first record of the batch that is being gathered or sent was found in the queue.
    oldest: Mutex<Option<SystemTime>>,
}

impl Backlog {
    pub(super) fn new(limits: settings::Queue) -> Self {
        Self { records: AtomicUsize::new(0), batch: limits.batch.max(1), oldest: Mutex::new(None) }
    }

    /// In batches, as they would be sent.
    pub(super) fn level(&self) -> Level {
        let batches = self.records.load(Ordering::Relaxed).div_ceil(self.batch);
        Level { batches: batches as u64, bytes: None, oldest: *self.oldest.lock() }
    }
}

/// Where records come in.
#[derive(Debug)]
pub(in crate::push) struct Queue<R> {
    records: Sender<R>,
    backlog: Arc<Backlog>,
    metrics: Arc<Metrics>,
}

impl<R> Queue<R> {
    /// Takes a record; where too many wait, or none is sent any more, it is dropped. Never waits.
    pub(in crate::push) fn push(&self, record: R) {
        // First, for whoever takes it out counts down.
        self.backlog.records.fetch_add(1, Ordering::Relaxed);
        if self.records.try_send(record).is_err() {
            self.backlog.records.fetch_sub(1, Ordering::Relaxed);
            // One record is no batch.
            let full = Loss { batches: 0, points: 1 };
            self.metrics.lost(Lost { full, ..Lost::default() });
        }
    }
}

/// Where records go out.
pub(super) struct Waiting<R> {
    records: Receiver<R>,
    limits: settings::Queue,
    backlog: Arc<Backlog>,
}

impl<R> Waiting<R> {
    /// Hands batches to `send` until `stop`, and then what still waits.
    pub(super) async fn empty(mut self, mut send: impl AsyncFnMut(Vec<R>), stop: CancellationToken) {
        let mut batch = Vec::new();
        while !stop.is_cancelled() && self.gather(&mut batch, &stop).await {
            self.hand_on(&mut batch, &mut send).await;
        }
        self.records.close();
        while self.records.recv_many(&mut batch, self.limits.batch.max(1)).await > 0 {
            self.hand_on(&mut batch, &mut send).await;
        }
    }

    async fn hand_on(&self, batch: &mut Vec<R>, send: &mut impl AsyncFnMut(Vec<R>)) {
        let records = batch.len();
        send(mem::take(batch)).await;
        self.backlog.records.fetch_sub(records, Ordering::Relaxed);
        *self.backlog.oldest.lock() = None;
    }

    /// Fills a batch, or takes what comes in time; false where nothing will come any more.
    async fn gather(&mut self, batch: &mut Vec<R>, stop: &CancellationToken) -> bool {
        let mut until = None;
        while batch.len() < self.limits.batch {
            let time_is_up = async {
                match until {
                    Some(until) => sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            let room = self.limits.batch - batch.len();
            tokio::select! {
                came = self.records.recv_many(batch, room) => {
                    if came == 0 {
                        break;
                    }
                }
                () = time_is_up => break,
                () = stop.cancelled() => break,
            }
            if until.is_none() {
                until = Some(Instant::now() + self.limits.delay);
                *self.backlog.oldest.lock() = Some(SystemTime::now());
            }
        }
        !batch.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::{Store, render};
    use crate::push::signal::Signal;
    use crate::supervisor;

    fn shown(store: &Store, line: &str) -> String {
        store.refresh(Instant::now() + Duration::from_secs(2));
        let mut page = Vec::new();
        render(&store.snapshot(), &mut page);
        let page = String::from_utf8(page).unwrap();
        page.lines().find_map(|text| text.strip_prefix(line)).unwrap_or_default().trim().to_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn batches_are_full_or_late_and_the_rest_goes_when_stopping() {
        let store = Store::new();
        let limits = settings::Queue { size: 10, batch: 3, delay: Duration::from_secs(5) };
        let backlog = Arc::new(Backlog::new(limits));
        let seen = Arc::clone(&backlog);
        let metrics = Metrics::new(&store, Signal::Logs, move || (seen.level(), SystemTime::now()));
        let (queue, waiting) = queue(limits, Arc::clone(&backlog), Arc::new(metrics));
        let sent: Arc<Mutex<Vec<Vec<u32>>>> = Arc::default();
        let (batches, stop) = (Arc::clone(&sent), CancellationToken::new());
        (0..12).for_each(|record| queue.push(record));
        let dropped = "vitalsign_otlp_points_total{signal=\"logs\",outcome=\"dropped\"}";
        assert_eq!(shown(&store, dropped), "2");
        assert_eq!(shown(&store, "vitalsign_otlp_queue_batches{signal=\"logs\"}"), "4");
        assert_eq!(shown(&store, "vitalsign_otlp_queue_size_bytes{signal=\"logs\"}"), "", "nobody knows");
        let started = Instant::now();
        let send = async move |batch| batches.lock().push(batch);
        let sending = supervisor::task(waiting.empty(send, stop.clone()));
        while sent.lock().len() < 4 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(started.elapsed() >= Duration::from_secs(5), "the last one waited for others");
        assert_eq!(backlog.level(), Level::default());
        (12..16).for_each(|record| queue.push(record));
        stop.cancel();
        sending.await.unwrap();
        let sizes: Vec<usize> = sent.lock().iter().map(Vec::len).collect();
        assert_eq!(sizes, [3, 3, 3, 1, 3, 1]);
        let all: Vec<u32> = sent.lock().iter().flatten().copied().collect();
        assert_eq!(all, (0..10).chain(12..16).collect::<Vec<_>>());
        queue.push(16);
        assert_eq!(shown(&store, dropped), "3");
        assert_eq!(backlog.level().batches, 0);
        assert_eq!(
            shown(&store, "vitalsign_otlp_dropped_batches_total{signal=\"logs\",reason=\"queue_full\"}"),
            "0"
        );
    }
}

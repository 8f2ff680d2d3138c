//! How long the code of one run keeps its thread at a stretch: from when it is polled until it gives the thread back.
//!
//! Costs two readings of the clock a poll, some 50 ns. Whoever looks from another thread sees a poll that has not ended
//! as well.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

/// What is known of one run; every clone is the same.
#[derive(Clone, Debug)]
pub(super) struct Held {
    start: Instant,
    marks: Arc<Marks>,
}

#[derive(Debug, Default)]
struct Marks {
    /// Microseconds from the start to the beginning of the poll that goes on, and one; 0 while none does.
    polled: AtomicU64,
    /// Microseconds of the longest poll that ended.
    longest: AtomicU64,
}

impl Held {
    pub(super) fn new(start: Instant) -> Self {
        Self { start, marks: Arc::default() }
    }

    /// The longest that the run has kept its thread, up to now.
    pub(super) fn longest(&self) -> Duration {
        let ended = self.marks.longest.load(Ordering::Relaxed);
        let going = match self.marks.polled.load(Ordering::Relaxed) {
            0 => 0,
            since => self.now().saturating_sub(since - 1),
        };
        Duration::from_micros(ended.max(going))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// Work that is timed.
pub(super) struct Timed<F> {
    work: F,
    held: Held,
    /// Microseconds of all polls.
    total: u64,
}

impl<F: Future + Unpin> Timed<F> {
    pub(super) fn new(work: F, held: Held) -> Self {
        Self { work, held, total: 0 }
    }

    /// How long it has kept threads in all.
    pub(super) fn total(&self) -> Duration {
        Duration::from_micros(self.total)
    }
}

impl<F: Future + Unpin> Future for Timed<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let began = self.held.now();
        self.held.marks.polled.store(began.saturating_add(1), Ordering::Relaxed);
        let answer = Pin::new(&mut self.work).poll(context);
        let took = self.held.now().saturating_sub(began);
        self.held.marks.longest.fetch_max(took, Ordering::Relaxed);
        self.held.marks.polled.store(0, Ordering::Relaxed);
        self.total = self.total.saturating_add(took);
        answer
    }
}

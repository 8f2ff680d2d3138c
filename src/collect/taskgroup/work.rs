//! The guards: one piece of work that goes on, and one that waits. Dropping them is what counts.

use std::sync::atomic::Ordering;
use std::thread::panicking;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::TaskGroup;

/// What the result of a piece of work says about it.
pub trait TaskResult {
    /// Whether it went well.
    fn is_ok(&self) -> bool;
}

impl TaskResult for () {
    fn is_ok(&self) -> bool {
        true
    }
}

impl<T, E> TaskResult for Result<T, E> {
    fn is_ok(&self) -> bool {
        self.is_ok()
    }
}

/// How work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Ok,
    Error,
    Cancelled,
    Panicked,
}

impl Ended {
    pub(super) const ALL: [Self; 4] = [Self::Ok, Self::Error, Self::Cancelled, Self::Panicked];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
            Self::Panicked => "panicked",
        }
    }
}

/// A piece of work that goes on. Dropped without a word it was cancelled, or panicked where the thread does.
#[derive(Debug)]
#[must_use = "dropping it says that the work was cancelled"]
pub struct InFlight {
    group: TaskGroup,
    since: Instant,
    ended: Option<Ended>,
    /// It began while a panic was already going on, which is then none of its own.
    in_panic: bool,
    _place: Option<OwnedSemaphorePermit>,
}

impl InFlight {
    pub(super) fn begin(group: &TaskGroup, place: Option<OwnedSemaphorePermit>) -> Self {
        let inner = &group.0;
        inner.active.fetch_add(1, Ordering::Relaxed);
        inner.metrics.active.add(1.0);
        inner.metrics.started.increment();
        Self {
            group: group.clone(),
            since: Instant::now(),
            ended: None,
            in_panic: panicking(),
            _place: place,
        }
    }

    /// The work ended well.
    pub fn ok(mut self) {
        self.end_as(Ended::Ok);
    }

    /// The work ended with an error.
    pub fn error(mut self) {
        self.end_as(Ended::Error);
    }

    /// The work ended with `result`.
    pub fn finish(self, result: &impl TaskResult) {
        if result.is_ok() { self.ok() } else { self.error() }
    }

    pub(super) fn end_as(&mut self, ended: Ended) {
        self.ended = Some(ended);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let panicked = panicking() && !self.in_panic;
        let ended = self.ended.unwrap_or(if panicked { Ended::Panicked } else { Ended::Cancelled });
        let inner = &self.group.0;
        inner.active.fetch_sub(1, Ordering::Relaxed);
        inner.metrics.active.add(-1.0);
        inner.metrics.finished(ended, self.since.elapsed());
    }
}

/// A piece of work that waits for a place.
pub(super) struct Waiting<'a>(&'a TaskGroup);

impl<'a> Waiting<'a> {
    pub(super) fn begin(group: &'a TaskGroup) -> Self {
        group.0.waiting.fetch_add(1, Ordering::Relaxed);
        group.0.metrics.waiting.add(1.0);
        Self(group)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.0.waiting.fetch_sub(1, Ordering::Relaxed);
        self.0.0.metrics.waiting.add(-1.0);
    }
}

//! Groups of work that the embedding program names: how much is going on and waiting, how it ended, how long it took.
//!
//! Work is a task, a future or anything with a beginning and an end. Each piece holds a guard, and the guard alone counts:
//! whatever becomes of the work (it ends, it is dropped, its task is aborted, it panics), it is no longer active then, and
//! its outcome is counted once. Costs some atomic operations a piece of work, and reads the clock twice a poll.

mod metrics;
mod work;

use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Instant, SystemTime};

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::metrics::Store;
use crate::supervisor;

use metrics::Metrics;
use work::{Ended, Waiting};

pub(crate) use metrics::DEFINITIONS;
pub use work::{InFlight, TaskResult};

/// A named group of work. Cheap to clone; its metrics go when the last clone and the last piece of work are gone.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use vitalsign::{TaskGroup, metrics::Store};
///
/// let store = Store::new();
/// let mailer = TaskGroup::new(&store, "mailer").limit(100);
///
/// // A task; its `Result` says how it ended.
/// let task = mailer.spawn(async { std::fs::read("/etc/hostname").map(drop) });
///
/// // Work that is not a task, such as a request.
/// let work = mailer.start();
/// work.ok();
/// # let _ = task.await;
/// # }
/// ```
#[derive(Clone)]
pub struct TaskGroup(Arc<Group>);

struct Group {
    name: Box<str>,
    active: AtomicUsize,
    waiting: AtomicUsize,
    places: Option<Arc<Semaphore>>,
    settings: Settings,
    metrics: Metrics,
}

#[derive(Clone, Copy, Default)]
struct Settings {
    limit: Option<usize>,
    buckets: Option<&'static [f64]>,
}

impl TaskGroup {
    /// A group called `name` that shows itself in `store`. Two groups with one name add up.
    #[must_use]
    pub fn new(store: &Store, name: &str) -> Self {
        Self::with(store, name, Settings::default())
    }

    /// How many pieces of work may go on at once; at least one. Further ones wait. To be set before the group is cloned.
    #[must_use]
    pub fn limit(self, limit: usize) -> Self {
        let limit = limit.clamp(1, Semaphore::MAX_PERMITS);
        self.again(|settings| settings.limit = Some(limit))
    }

    /// The upper bounds of the duration histogram in seconds, ascending, in place of 10 ms to an hour. To be set before
    /// the group is cloned, and not to be changed lightly: old and new values cannot be compared.
    #[must_use]
    pub fn buckets(self, bounds: &'static [f64]) -> Self {
        debug_assert!(bounds.is_sorted_by(|a, b| a < b), "bounds ascend");
        self.again(|settings| settings.buckets = Some(bounds))
    }

    fn with(store: &Store, name: &str, settings: Settings) -> Self {
        Self(Arc::new(Group {
            name: name.into(),
            active: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            places: settings.limit.map(|limit| Arc::new(Semaphore::new(limit))),
            settings,
            metrics: Metrics::new(store, name, settings),
        }))
    }

    /// The same group with other settings; the old one goes first, so that its series can be made anew.
    fn again(self, change: impl FnOnce(&mut Settings)) -> Self {
        let (store, name) = (self.0.metrics.store().clone(), self.0.name.clone());
        let mut settings = self.0.settings;
        change(&mut settings);
        drop(self);
        Self::with(&store, &name, settings)
    }

    /// The name of the group.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// How much work is going on.
    #[must_use]
    pub fn active(&self) -> usize {
        self.0.active.load(Ordering::Relaxed)
    }

    /// How much work waits for a place.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }

    /// Starts a task on the runtime that this is called on. It waits until the group has a place for it; a task that is
    /// aborted before that was never started.
    ///
    /// # Panics
    /// As `tokio::spawn` does, when it is called outside of a runtime.
    pub fn spawn<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: TaskResult + Send> + Send + 'static,
    {
        let group = self.clone();
        supervisor::task(async move { group.run(work).await })
    }

    /// Does the work here, as part of the group, once the group has a place for it.
    pub async fn run<F>(&self, work: F) -> F::Output
    where
        F: Future<Output: TaskResult>,
    {
        let mut guard = self.start_when_free().await;
        let mut work = pin!(work);
        let metrics = &self.0.metrics;
        let result = poll_fn(|context| {
            let since = Instant::now();
            // Caught only to be counted: a panic in the work, not one that happens to drop it.
            let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
            metrics.polled(since.elapsed());
            polled.unwrap_or_else(|panic| {
                guard.end_as(Ended::Panicked);
                resume_unwind(panic)
            })
        })
        .await;
        guard.finish(&result);
        result
    }

    /// Begins work that is not a task of its own, whatever the limit. Dropping the guard without telling it how the work
    /// ended means that it was cancelled.
    pub fn start(&self) -> InFlight {
        InFlight::begin(self, None)
    }

    /// Begins work once the group has a place for it.
    pub async fn start_when_free(&self) -> InFlight {
        let Some(places) = &self.0.places else { return self.start() };
        let place = match Arc::clone(places).try_acquire_owned() {
            Ok(place) => Some(place),
            Err(_) => {
                let _waiting = Waiting::begin(self);
                // Closed never: the group, which this borrows, holds it.
                Arc::clone(places).acquire_owned().await.ok()
            }
        };
        InFlight::begin(self, place)
    }

    /// Says that the group's loop is alive; `taskgroup.heartbeat.timestamp` shows when it last was.
    pub fn heartbeat(&self) {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.0.metrics.heartbeat.set(since_epoch.as_secs_f64());
    }
}

impl fmt::Debug for TaskGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskGroup")
            .field("name", &self.name())
            .field("active", &self.active())
            .field("waiting", &self.waiting())
            .field("limit", &self.0.settings.limit)
            .finish()
    }
}

#[cfg(test)]
mod tests;

//! Where the code of checks runs, so that it holds up no other check, no time limit and no end.
//!
//! - Kinds run on the workers of the runner's own runtime, where cycles, time limits and the pulse are too: a run costs no
//!   thread and no wake-up of another. Their code is ours and gives its thread back; where a poll takes long after all, a
//!   spare worker takes what waits behind it. A run that has used a worker for longer than its
//!   [`FAIR_SHARE`], because its peer always has bytes ready, goes on in a thread of its own, so that from then on it
//!   shares the processor and not the worker.
//! - What blocks has a thread for each run from the start.
//! - So have functions of the embedding program, of which nobody knows whether they block, and a runtime apart for what
//!   they wait for and start beside themselves: nothing of it is ever polled where time limits are.
//!
//! Threads are bounded. Code that never gives its thread back keeps it, and is not started again. Functions that have not
//! shown yet that they come back get a part of the threads only, so none that has is refused for their sake.
//!
//! Costs a run of a kind 1 to 2 µs, for two readings of the clock a poll and for what tells it to stop (a run of `tcp` takes
//! some 140 µs), and no wake-up of another thread; that of a function 50 to 80 µs where it waits once, for its thread is
//! woken to begin and after each wait (measured on two busy cores). Beside that see [`workers`].

mod workers;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::model::Outcome;
use crate::supervisor;

use super::held::Timed;

pub(crate) use workers::{Looked, look_after};

/// How many runs may be in flight at once; one more waits, and `vitalsign.scheduler.delay` tells.
const MAX_ACTIVE_RUNS: usize = 1024;
/// How many runs may have a thread from the start; one more waits.
const MAX_ALONE: usize = 256;
/// How many of these may be functions that have not shown yet that they come back.
const MAX_NEWCOMERS: usize = 192;
/// How many runs that used more than their share may have a thread; one more goes on among the others.
const MAX_MOVED: usize = 32;
/// The threads that all of these need.
pub(crate) const MAX_THREADS: usize = MAX_ALONE + MAX_MOVED;

/// How long a run may use a worker, all its turns taken together: some ten times of what a good one needs.
const FAIR_SHARE: Duration = Duration::from_millis(20);
/// The code of one run; `None` where it was told to stop.
pub(super) type Work = Pin<Box<dyn Future<Output = Option<Outcome>> + Send>>;

/// A run that is going on.
pub(super) type Going = JoinHandle<Option<Outcome>>;

/// What all runs share. Cheap to clone; every clone is the same.
#[derive(Clone, Debug)]
pub(crate) struct Crew(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The runner's own runtime.
    own: Handle,
    /// The one for functions.
    foreign: Handle,
    /// Whether these are the runner's alone.
    apart: bool,
    active: Semaphore,
    alone: Arc<Semaphore>,
    newcomers: Arc<Semaphore>,
    moved: Arc<Semaphore>,
    stop: CancellationToken,
}

/// A thread that a run may keep.
#[derive(Debug)]
pub(super) struct Place {
    _own: OwnedSemaphorePermit,
    _newcomer: Option<OwnedSemaphorePermit>,
}

impl Crew {
    /// All code of checks runs where this is called, together with all else on that runtime: what it holds up there is
    /// the caller's business.
    pub(super) fn here() -> Self {
        Self::new(Handle::current(), Handle::current(), false)
    }

    /// Kinds run on the runtime behind `own`, on which the runner is, and functions on threads of `foreign`.
    pub(crate) fn apart(own: Handle, foreign: Handle) -> Self {
        Self::new(own, foreign, true)
    }

    fn new(own: Handle, foreign: Handle, apart: bool) -> Self {
        let places = |most| Arc::new(Semaphore::new(most));
        Self(Arc::new(Inner {
            own,
            foreign,
            apart,
            active: Semaphore::new(MAX_ACTIVE_RUNS),
            alone: places(MAX_ALONE),
            newcomers: places(MAX_NEWCOMERS),
            moved: places(MAX_MOVED),
            stop: CancellationToken::new(),
        }))
    }

    /// Whether its runtimes are the runner's alone.
    pub(super) fn is_apart(&self) -> bool {
        self.0.apart
    }

    /// Waits until one more run may be in flight, which it may for as long as this is kept.
    pub(super) async fn permit(&self) -> Option<SemaphorePermit<'_>> {
        // Closed never.
        self.0.active.acquire().await.ok()
    }

    /// Waits for a thread until then.
    pub(super) async fn place(&self, newcomer: bool, until: Instant) -> Option<Place> {
        let both = async {
            let newcomer = if newcomer { Some(place_in(&self.0.newcomers).await?) } else { None };
            Some(Place { _own: place_in(&self.0.alone).await?, _newcomer: newcomer })
        };
        timeout_at(until, both).await.ok().flatten()
    }

    /// What tells one run to stop.
    pub(super) fn stop_of_run(&self) -> CancellationToken {
        self.0.stop.child_token()
    }

    /// Tells all runs to stop: before their runtime goes, which they need to wait for anything.
    pub(crate) fn dismiss(&self) {
        self.0.stop.cancel();
    }

    /// The runtime on which code of that sort runs.
    fn home(&self, foreign: bool) -> &Handle {
        if foreign { &self.0.foreign } else { &self.0.own }
    }

    /// Starts `work` beside others.
    pub(super) fn share(&self, work: Timed<Work>) -> Going {
        supervisor::task_on(&self.0.own, Shared { stage: Stage::Here(work), crew: self.clone() })
    }

    /// Starts `work`, or goes on with it, in a thread of its own. The place is taken until the code is really done,
    /// however long that takes.
    pub(super) fn alone(&self, work: Timed<Work>, foreign: bool, place: impl Send + 'static) -> Going {
        let home = self.home(foreign).clone();
        self.block(move || home.block_on(work), foreign, place)
    }

    /// The same for `work` that blocks.
    pub(super) fn block(
        &self,
        work: impl FnOnce() -> Option<Outcome> + Send + 'static,
        foreign: bool,
        place: impl Send + 'static,
    ) -> Going {
        supervisor::blocking_on(self.home(foreign), move || {
            let _place = place;
            work()
        })
    }
}

/// A place among those of `places`, which are closed never.
async fn place_in(places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    Arc::clone(places).acquire_owned().await.ok()
}

/// A run beside others, until it has used more than its share.
struct Shared {
    stage: Stage,
    crew: Crew,
}

enum Stage {
    Here(Timed<Work>),
    Moved(Going),
    Over,
}

impl Shared {
    fn place_to_move(&self, work: &Timed<Work>) -> Option<OwnedSemaphorePermit> {
        let moves = self.crew.is_apart() && work.total() > FAIR_SHARE;
        moves.then(|| Arc::clone(&self.crew.0.moved).try_acquire_owned().ok()).flatten()
    }
}

impl Future for Shared {
    type Output = Option<Outcome>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match std::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Here(mut work) => {
                    if let Poll::Ready(answer) = Pin::new(&mut work).poll(context) {
                        return Poll::Ready(answer);
                    }
                    let Some(place) = self.place_to_move(&work) else {
                        self.stage = Stage::Here(work);
                        return Poll::Pending;
                    };
                    // It is polled there at once, so whatever woke it here meanwhile is not lost.
                    self.stage = Stage::Moved(self.crew.alone(work, false, place));
                }
                Stage::Moved(mut going) => {
                    let Poll::Ready(ended) = Pin::new(&mut going).poll(context) else {
                        self.stage = Stage::Moved(going);
                        return Poll::Pending;
                    };
                    return Poll::Ready(ended.unwrap_or_else(|error| match error.try_into_panic() {
                        Ok(panic) => std::panic::resume_unwind(panic),
                        Err(_) => None,
                    }));
                }
                Stage::Over => return Poll::Ready(None),
            }
        }
    }
}

#[cfg(test)]
mod tests;

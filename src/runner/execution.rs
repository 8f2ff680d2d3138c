//! One run: in a task or thread of its own, so that a panic ends as a failed run and the time limit holds even where
//! the check's code never yields.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{Instrument, Span};

use crate::checks::{Asking, Probe, Run};
use crate::model::{Cause, Course, Outcome, Reason};
use crate::supervisor;

/// How long an aborted run may take to go away before it counts as stuck.
const ABORT_GRACE: Duration = Duration::from_millis(50);

/// How a run ended.
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    /// It took the time limit at most: a little more would fall into the next histogram bucket.
    pub(super) course: Course,
    /// The run itself, where it goes on past its end because nothing can stop it.
    pub(super) stuck: Option<JoinHandle<Outcome>>,
}

/// Runs `probe` once, in `span`.
pub(super) async fn execute(probe: &Probe, limit: Duration, blocking: &Arc<Semaphore>, span: &Span) -> Ended {
    let started = Instant::now();
    let run = Run::new(limit);
    let mut handle = match &probe.0 {
        Asking::Async(check) => {
            let (check, run) = (Arc::clone(check), run.clone());
            supervisor::task(async move { check.start(&run).await }.instrument(span.clone()))
        }
        Asking::Blocking(check) => {
            let Ok(Ok(slot)) = timeout_at(run.deadline(), Arc::clone(blocking).acquire_owned()).await else {
                let outcome = Outcome::caused_by(Cause::NoFreeThread);
                let course = Course { took: limit, ..Course::default() };
                return Ended { outcome, course, stuck: None };
            };
            let (check, run, span) = (Arc::clone(check), run.clone(), span.clone());
            supervisor::blocking(move || {
                // The slot is held until the code is really done, however long that takes.
                let _slot = slot;
                span.in_scope(|| check.run(&run))
            })
        }
    };
    let answer = timeout_at(run.deadline(), &mut handle).await;
    let took = match &answer {
        Ok(_) => run.took().unwrap_or_else(|| started.elapsed()),
        Err(_) => limit,
    };
    let (outcome, stuck) = match answer {
        // An answer that comes too late is none, however good it is.
        Ok(Ok(_)) if took > limit => (Outcome::failed(Reason::Timeout), None),
        Ok(Ok(outcome)) => (outcome, None),
        Ok(Err(error)) => (broken(&error), None),
        Err(_) => (Outcome::failed(Reason::Timeout), end(handle).await),
    };
    let course = Course { took: took.min(limit), phases: run.phases(), last: run.last_phase() };
    run.end_spans();
    Ended { outcome, course, stuck }
}

/// Ends a run that is out of time; gives it back where it goes on all the same.
async fn end(mut handle: JoinHandle<Outcome>) -> Option<JoinHandle<Outcome>> {
    handle.abort();
    let gone = timeout(ABORT_GRACE, poll_fn(|context| Pin::new(&mut handle).poll(context))).await;
    gone.is_err().then_some(handle)
}

fn broken(error: &JoinError) -> Outcome {
    Outcome::failed(if error.is_panic() { Reason::Panic } else { Reason::Cancelled })
}

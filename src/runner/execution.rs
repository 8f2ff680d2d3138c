//! One run: in a task or thread of its own, so that a panic ends as a failed run and the time limit holds even where
//! the check's code never yields.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinError;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{Instrument, Span};

use crate::checks::{Asking, Probe, Run};
use crate::model::{Cause, Course, Outcome, Reason};

use super::crew::{Crew, Going, Work};
use super::held::{Held, Timed};

/// How long a run that was told to stop may take to go away before it counts as stuck.
const STOP_GRACE: Duration = Duration::from_millis(50);

/// How a run ended.
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    /// It took the time limit at most: a little more would fall into the next histogram bucket.
    pub(super) course: Course,
    /// The run itself, where it goes on past its end because nothing can stop it.
    pub(super) stuck: Option<Going>,
    /// Whether its code came to an end by itself; `None` where it was not tried, or waited for something when it was
    /// told to stop.
    pub(super) came_back: Option<bool>,
    /// The longest that its code kept its thread, unless it says that it does.
    pub(super) held: Duration,
}

/// Whose code a check is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    /// Ours: it gives its thread back, sooner or later.
    Own,
    /// The embedding program's, and whether its last run came back.
    Foreign { came_back: bool },
}

/// Runs `probe` once, in `span`.
pub(super) async fn execute(probe: &Probe, code: Code, limit: Duration, crew: &Crew, span: &Span) -> Ended {
    let started = Instant::now();
    let (run, held, stop) = (Run::new(limit), Held::new(started), crew.stop_of_run());
    let until = run.deadline();
    let foreign = crew.is_apart() && code != Code::Own;
    let newcomer = foreign && code == Code::Foreign { came_back: false };
    let going = match &probe.0 {
        Asking::Async(check) => {
            let (check, run) = (Arc::clone(check), run.clone());
            let asking = async move { check.start(&run).await }.instrument(span.clone());
            let work: Work = Box::pin(stop.clone().run_until_cancelled_owned(asking));
            let work = Timed::new(work, held.clone());
            if foreign {
                crew.place(newcomer, until).await.map(|place| crew.alone(work, foreign, place))
            } else {
                Some(crew.share(work))
            }
        }
        Asking::Blocking(check) => {
            let (check, run, span) = (Arc::clone(check), run.clone(), span.clone());
            let work = move || Some(span.in_scope(|| check.run(&run)));
            crew.place(newcomer, until).await.map(|place| crew.block(work, foreign, place))
        }
    };
    // Whoever gives this up gives up the run.
    let stop = stop.drop_guard();
    let Some(mut going) = going else {
        let outcome = Outcome::caused_by(Cause::NoFreeThread);
        let course = Course { took: limit, ..Course::default() };
        return Ended { outcome, course, stuck: None, came_back: None, held: Duration::ZERO };
    };
    let answer = timeout_at(until, &mut going).await;
    let took = match &answer {
        Ok(_) => run.took().unwrap_or_else(|| started.elapsed()),
        Err(_) => limit,
    };
    let answered = answer.is_ok();
    let (outcome, stuck) = match answer {
        // An answer that comes too late is none, however good it is.
        Ok(Ok(Some(_))) if took > limit => (Outcome::failed(Reason::Timeout), None),
        Ok(Ok(Some(outcome))) => (outcome, None),
        Ok(Ok(None)) => (Outcome::failed(Reason::Cancelled), None),
        Ok(Err(error)) => (broken(&error), None),
        Err(_) => {
            drop(stop);
            (Outcome::failed(Reason::Timeout), still_there(going).await)
        }
    };
    let course = Course { took: took.min(limit), phases: run.phases(), last: run.last_phase() };
    run.end_spans();
    let came_back = if answered { Some(true) } else { stuck.as_ref().map(|_| false) };
    Ended { outcome, course, came_back, stuck, held: held.longest() }
}

/// Gives back a run that was told to stop where it goes on all the same.
async fn still_there(mut going: Going) -> Option<Going> {
    timeout(STOP_GRACE, &mut going).await.is_err().then_some(going)
}

fn broken(error: &JoinError) -> Outcome {
    Outcome::failed(if error.is_panic() { Reason::Panic } else { Reason::Cancelled })
}

//! Runs checks, each on its own schedule: time limits, one run in flight, circuit breaker, panic guard, metrics.
//!
//! What a check answers goes to the check's tracker; what a run costs goes to the metrics here. Knows no kind of check
//! and no reader.

mod breaker;
mod crew;
mod cycle;
mod execution;
mod held;
mod metrics;
mod schedule;
mod span;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::checks::{Probe, Target};
use crate::health::{Board, Component, DuplicateName, Registration};
use crate::metrics::Store;
use crate::model::{FUNCTION, LONGEST, Name, Policy, Reason};
use crate::supervisor::{EndedEarly, Tasks};

use metrics::SharedMetrics;
use schedule::{Chances, Schedule};

pub(crate) use crew::{Crew, Looked, MAX_THREADS, look_after};
pub use metrics::DEFINITIONS;

/// A check that is to be run.
pub struct Planned {
    /// The name.
    pub name: Name,
    /// The kind, as in the configuration.
    pub kind: &'static str,
    /// How it is run and judged.
    pub policy: Policy,
    /// The check.
    pub probe: Probe,
    /// What it looks at.
    pub target: Target,
    /// Whether it looks only at this machine or process.
    pub local: bool,
    /// The reasons for which its runs can fail; their counters exist from the start.
    pub reasons: &'static [Reason],
    /// Texts that must not appear anywhere, whatever a driver says.
    pub secrets: Arc<[String]>,
}

/// Checks on their schedules.
#[derive(Debug)]
pub struct Runner {
    tasks: Tasks,
    stop: CancellationToken,
}

impl Runner {
    /// Puts the checks on the board and starts to run them, on the runtime that this is called on. A check whose code
    /// does not yield holds up what else is there, the time limits of others included; that of an
    /// [`Agent`](crate::Agent) holds up nothing.
    ///
    /// # Errors
    /// [`DuplicateName`] where two checks have one name; nothing is started then.
    pub fn start(planned: Vec<Planned>, board: &Board, store: &Store) -> Result<Self, DuplicateName> {
        Self::start_with(&Crew::here(), planned, board, store)
    }

    /// The same where the code of checks runs as `crew` has it.
    pub(crate) fn start_with(
        crew: &Crew,
        planned: Vec<Planned>,
        board: &Board,
        store: &Store,
    ) -> Result<Self, DuplicateName> {
        let trackers = board.add(planned.iter().map(Planned::registration).collect())?;
        let (mut tasks, stop) = (Tasks::default(), CancellationToken::new());
        let (shared, start) = (SharedMetrics::new(store), Instant::now());
        let mut chances = Chances::default();
        let cycles = planned.into_iter().zip(trackers).map(|(planned, tracker)| {
            let chance = chances.next(planned.local);
            Box::new(cycle::Cycle::new(planned, tracker, store, shared.clone(), crew.clone(), chance))
        });
        let cycles: Vec<_> = cycles.collect();
        // The families are put in order here: where their memory came from, because a thread that reads has an arena of
        // its own, and before the tasks, which then take the place of what was put in order.
        drop(store.snapshot());
        for cycle in cycles {
            tasks.start("check", cycle.run(start, stop.clone()));
        }
        // Along with checks of this machine, which have its interval unless told otherwise.
        let schedule = Schedule::new(crate::health::BEAT, chances.next(true));
        tasks.start("pulse", beat(schedule, start, board.clone(), stop.clone()));
        Ok(Self { tasks, stop })
    }

    /// Waits until a task ends that should not.
    pub async fn ended_early(&mut self) -> EndedEarly {
        self.tasks.ended().await
    }

    /// Starts no further runs, waits for those in flight, and ends what is left at `deadline`.
    pub async fn stop(self, deadline: Instant) {
        self.stop.cancel();
        // A panic in our own task was reported by `ended_early`; while stopping nothing can be done about it.
        let _ = self.tasks.finish(deadline).await;
    }
}

impl Planned {
    /// Whether its code is the embedding program's.
    pub(crate) fn is_foreign(&self) -> bool {
        self.kind == FUNCTION
    }

    fn registration(&self) -> Registration {
        let Target { address, port, db_system, messaging_system } = &self.target;
        let component = match (self.local, db_system) {
            (true, _) => Component::System,
            (false, Some(_)) => Component::Datastore,
            (false, None) => Component::Component,
        };
        Registration {
            name: self.name.clone(),
            kind: self.kind,
            component,
            policy: self.policy.clone(),
            target: [
                address.clone(),
                port.map(|port| port.to_string()),
                db_system.map(str::to_owned),
                messaging_system.map(str::to_owned),
            ],
        }
    }
}

/// Runs each check once, all at the same time, and leaves the verdicts on the board: what a one-shot command wants.
///
/// # Errors
/// [`DuplicateName`] where two checks have one name; nothing is run then.
pub async fn run_once(planned: Vec<Planned>, board: &Board, store: &Store) -> Result<(), DuplicateName> {
    run_once_with(&Crew::here(), planned, board, store).await
}

/// The same where the code of checks runs as `crew` has it.
pub(crate) async fn run_once_with(
    crew: &Crew,
    planned: Vec<Planned>,
    board: &Board,
    store: &Store,
) -> Result<(), DuplicateName> {
    let trackers = board.add(planned.iter().map(Planned::registration).collect())?;
    let (mut tasks, mut chances) = (Tasks::default(), Chances::default());
    let shared = SharedMetrics::new(store);
    let slowest = planned.iter().map(|planned| planned.policy.timeout.min(LONGEST)).max().unwrap_or_default();
    for (planned, tracker) in planned.into_iter().zip(trackers) {
        let chance = chances.next(planned.local);
        let mut cycle = cycle::Cycle::new(planned, tracker, store, shared.clone(), crew.clone(), chance);
        tasks.start("check", async move { cycle.tick(Instant::now()).await });
    }
    // A panic in our own task leaves its check unknown, which the caller shows.
    let _ = tasks.finish(Instant::now() + slowest * 2 + Duration::from_secs(1)).await;
    Ok(())
}

/// Shows that this runtime lives.
async fn beat(mut schedule: Schedule, start: Instant, board: Board, stop: CancellationToken) {
    let mut due = start + schedule.first();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep_until(due) => {}
        }
        board.pulse().beat_due(due);
        (due, _) = schedule.next(due, Instant::now());
    }
}

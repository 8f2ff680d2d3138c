//! What a run may know of itself: its time limit, and a clock for its phases.
//!
//! Costs one small allocation a run. The runner keeps a handle, so the phases of a run that never ended are known too.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::model::Phase;

/// One run of a check, as the check sees it.
#[derive(Clone, Debug)]
pub struct Run {
    deadline: Instant,
    timeout: Duration,
    phases: Arc<Mutex<Phases>>,
}

#[derive(Debug, Default)]
struct Phases {
    ended: [Option<Duration>; Phase::ALL.len()],
    current: Option<(Phase, Instant)>,
}

impl Run {
    /// A run that begins now and may take `timeout`.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        Self { deadline: Instant::now() + timeout, timeout, phases: Arc::default() }
    }

    /// How long the whole run may take; for limits that the other side should keep.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// When the run is over, whatever it has answered by then.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Waits for `work` and notes how long it took as `phase`. A phase that happens twice adds up.
    pub async fn phase<F: Future>(&self, phase: Phase, work: F) -> F::Output {
        let started = Instant::now();
        self.phases.lock().current = Some((phase, started));
        let output = work.await;
        self.end_phase(phase, started.elapsed());
        output
    }

    /// Ends the phase that is going on, if there is one, and begins `phase`: for phases that a driver only tells
    /// about, by calling back when one begins.
    pub fn begin_phase(&self, phase: Phase) {
        self.leave_phase();
        self.phases.lock().current = Some((phase, Instant::now()));
    }

    /// Ends the phase that is going on, if there is one.
    pub fn leave_phase(&self) {
        let going = self.phases.lock().current;
        if let Some((phase, since)) = going {
            self.end_phase(phase, since.elapsed());
        }
    }

    /// Notes `took` as the time of `phase`, for phases that someone else timed.
    pub fn end_phase(&self, phase: Phase, took: Duration) {
        let mut phases = self.phases.lock();
        phases.current = None;
        if let Some(slot) = phases.ended.get_mut(phase as usize) {
            *slot = Some(slot.unwrap_or_default() + took);
        }
    }

    /// The phases that ended, in order, with the one still going at its time so far.
    pub(crate) fn phases(&self) -> Vec<(Phase, Duration)> {
        let phases = self.phases.lock();
        let mut all: Vec<_> = Phase::ALL
            .into_iter()
            .zip(phases.ended)
            .filter_map(|(phase, took)| Some((phase, took?)))
            .collect();
        if let Some((phase, since)) = phases.current {
            let earlier = phases.ended.get(phase as usize).copied().flatten().unwrap_or_default();
            all.retain(|(ended, _)| *ended != phase);
            all.push((phase, earlier + since.elapsed()));
        }
        all
    }

    /// The phase that is going on.
    pub(crate) fn current_phase(&self) -> Option<Phase> {
        self.phases.lock().current.map(|(phase, _)| phase)
    }
}

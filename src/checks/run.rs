//! What a run may know of itself: its time limit, and a clock for its phases.
//!
//! Costs one small allocation a run. The runner keeps a handle, so the phases of a run that never ended are known too.
//! Each phase is a span as well, below the one that the check runs in.

use std::future::Future;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::{Span, info_span};

use crate::model::{LONGEST, Phase};
use crate::trace;

/// One run of a check, as the check sees it.
#[derive(Clone, Debug)]
pub struct Run {
    started: Instant,
    deadline: Instant,
    timeout: Duration,
    phases: Arc<Mutex<Phases>>,
}

#[derive(Debug, Default)]
struct Phases {
    ended: [Option<Duration>; Phase::ALL.len()],
    current: Option<Current>,
    /// The one that began last.
    last: Option<Phase>,
    /// How long it took until the answer was known.
    answered: Option<Duration>,
}

/// The phase that is going on.
#[derive(Debug)]
struct Current {
    phase: Phase,
    since: Instant,
    /// Ends when it is dropped, which is never done under the lock: whoever listens to spans runs then.
    span: Span,
}

impl Current {
    fn begin(phase: Phase) -> Self {
        let span = info_span!(target: trace::TARGET, "phase", otel.name = phase.as_str());
        Self { phase, since: Instant::now(), span }
    }
}

impl Run {
    /// A run that begins now and may take `timeout`.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        let (started, timeout) = (Instant::now(), timeout.min(LONGEST));
        Self { started, deadline: started + timeout, timeout, phases: Arc::default() }
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

    /// Notes that the answer is known by now. What the run does after that, such as to end a connection politely, is not
    /// counted as the time that it took.
    pub fn answered(&self) {
        let took = self.started.elapsed();
        self.phases.lock().answered.get_or_insert(took);
    }

    /// How long it took until the answer was known; `None` where the run has not said so.
    pub(crate) fn took(&self) -> Option<Duration> {
        self.phases.lock().answered
    }

    /// Waits for `work` and notes how long it took as `phase`. A phase that happens twice adds up.
    pub async fn phase<F: Future>(&self, phase: Phase, work: F) -> F::Output {
        let started = self.begin(phase);
        let output = work.await;
        self.end_phase(phase, started.elapsed());
        output
    }

    /// Ends the phase that is going on, if there is one, and begins `phase`: for phases that a driver only tells
    /// about, by calling back when one begins.
    pub fn begin_phase(&self, phase: Phase) {
        self.leave_phase();
        self.begin(phase);
    }

    fn begin(&self, phase: Phase) -> Instant {
        let current = Current::begin(phase);
        let since = current.since;
        let mut phases = self.phases.lock();
        phases.last = Some(phase);
        let before = phases.current.replace(current);
        drop(phases);
        drop(before);
        since
    }

    /// Ends the phase that is going on, if there is one.
    pub fn leave_phase(&self) {
        let going = self.phases.lock().current.as_ref().map(|current| (current.phase, current.since));
        if let Some((phase, since)) = going {
            self.end_phase(phase, since.elapsed());
        }
    }

    /// Notes `took` as the time of `phase`, for phases that someone else timed.
    pub fn end_phase(&self, phase: Phase, took: Duration) {
        let mut phases = self.phases.lock();
        phases.last = Some(phase);
        let ended = phases.current.take();
        if let Some(slot) = phases.ended.get_mut(phase as usize) {
            *slot = Some(slot.unwrap_or_default() + took);
        }
        drop(phases);
        drop(ended);
    }

    /// Ends the span of the phase that is going on, for a run that hangs in it: it would hold it as long.
    pub(crate) fn end_spans(&self) {
        let ended =
            self.phases.lock().current.as_mut().map(|current| mem::replace(&mut current.span, Span::none()));
        drop(ended);
    }

    /// The phases that ended, in order, with the one still going at its time so far.
    pub(crate) fn phases(&self) -> Vec<(Phase, Duration)> {
        let phases = self.phases.lock();
        let mut all: Vec<_> = Phase::ALL
            .into_iter()
            .zip(phases.ended)
            .filter_map(|(phase, took)| Some((phase, took?)))
            .collect();
        if let Some(Current { phase, since, .. }) = &phases.current {
            let earlier = phases.ended.get(*phase as usize).copied().flatten().unwrap_or_default();
            all.retain(|(ended, _)| ended != phase);
            all.push((*phase, earlier + since.elapsed()));
        }
        all
    }

    /// The phase that began last, whether it goes on or has ended.
    pub(crate) fn last_phase(&self) -> Option<Phase> {
        self.phases.lock().last
    }
}

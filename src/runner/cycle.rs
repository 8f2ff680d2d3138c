//! The life of one check: wait for its time, ask unless the breaker spares it or the last run still hangs, record.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{Span, debug, info, warn};

use crate::checks::{Probe, Target};
use crate::health::Tracker;
use crate::metrics::Store;
use crate::model::{Cause, Course, Outcome, Policy, Reason, Verdict, scrub};
use crate::trace;

use super::breaker::{self, Breaker};
use super::crew::{Crew, Going};
use super::execution::{self, Code, Ended};
use super::metrics::{RunMetrics, SharedMetrics};
use super::schedule::Schedule;
use super::{Planned, span};

/// A run that keeps its thread for longer is told of.
const LONG: Duration = Duration::from_millis(100);

pub(super) struct Cycle {
    target: Target,
    probe: Probe,
    secrets: Arc<[String]>,
    tracker: Tracker,
    breaker: Breaker,
    schedule: Schedule,
    metrics: RunMetrics,
    shared: SharedMetrics,
    crew: Crew,
    store: Store,
    code: Code,
    /// Its last run kept its thread.
    holds: bool,
    /// A run that could not be ended; while it goes on no other is started.
    stuck: Option<Going>,
}

impl Cycle {
    pub(super) fn new(
        planned: Planned,
        tracker: Tracker,
        store: &Store,
        shared: SharedMetrics,
        crew: Crew,
        chance: Rng,
    ) -> Self {
        let code = if planned.is_foreign() { Code::Foreign { came_back: false } } else { Code::Own };
        let Planned { name, kind, policy, probe, reasons, secrets, target, local: _ } = planned;
        let reasons: Vec<Reason> = reasons.iter().copied().chain(policy.reasons()).collect();
        Self {
            breaker: Breaker::new(policy.breaker, policy.fail_after, policy.interval),
            schedule: Schedule::new(policy.interval, chance),
            metrics: RunMetrics::new(store, &name, kind, &reasons),
            target,
            probe,
            secrets,
            tracker,
            shared,
            crew,
            store: store.clone(),
            code,
            holds: false,
            stuck: None,
        }
    }

    /// Runs the check on its schedule, which begins at `start`. While it waits, which is nearly always, it holds next to
    /// nothing: what a run needs is there only as long as the run, for the few that are in flight at once.
    pub(super) async fn run(mut self: Box<Self>, start: Instant, stop: CancellationToken) {
        let mut planned = start + self.schedule.first();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = sleep_until(planned) => {}
            }
            self.tick(planned).await;
            let (next, missed) = self.schedule.next(planned, Instant::now());
            self.metrics.skipped.add(missed);
            planned = next;
        }
    }

    /// What happens when the time of a run has come.
    pub(super) async fn tick(&mut self, planned: Instant) {
        if self.stuck.take_if(|stuck| stuck.is_finished()).is_some() {
            self.metrics.active.set(0.0);
        }
        let before = self.breaker.state();
        if self.stuck.is_some() {
            // Still hanging is a failure too, though not of a new run.
            self.metrics.skipped.increment();
            let hanging = Outcome::caused_by(Cause::LastRunHangs);
            let course = Course { took: self.policy().timeout, ..Course::default() };
            self.tracker.record(hanging, course, self.breaker.open_until());
        } else if self.breaker.allows(Instant::now()) {
            self.note_breaker(before);
            self.ask(planned).await;
        } else {
            self.metrics.rejections.increment();
            self.tracker.renew();
        }
        self.store.touch();
    }

    fn policy(&self) -> &Policy {
        &self.tracker.entry().policy
    }

    async fn ask(&mut self, planned: Instant) {
        let permit = self.crew.permit().await;
        self.shared.delay.observe(planned.elapsed().as_secs_f64());
        self.metrics.active.set(1.0);
        let span = span::begin(self.tracker.entry(), &self.target);
        let run = execution::execute(&self.probe, self.code, self.policy().timeout, &self.crew, &span);
        let ended = Box::pin(run).await;
        drop(permit);
        span.in_scope(|| self.take_in(ended, &span));
        if self.stuck.is_some() {
            // The run holds its span for as long as it hangs.
            trace::end(&span);
        }
    }

    /// Takes in how a run ended. In its span, so that log lines and exemplars show it.
    fn take_in(&mut self, ended: Ended, span: &Span) {
        let Ended { mut outcome, course, stuck, came_back: back, held } = ended;
        self.metrics.active.set_bool(stuck.is_some());
        if let (Code::Foreign { came_back }, Some(back)) = (&mut self.code, back) {
            *came_back = back;
        }
        self.stuck = stuck;
        self.note_held(held);

        clean(&mut outcome, &self.secrets);
        if let (Verdict::Fail(reason), Some(driver)) = (outcome.verdict, &outcome.driver) {
            let check = self.tracker.entry().name.as_str();
            debug!(check, reason = reason.as_str(), driver, "run failed");
        }
        // A limit that was reached is no reason to spare the dependency: it answered.
        let down = matches!(outcome.verdict, Verdict::Fail(reason) if reason != Reason::Threshold);
        self.metrics.show_phases(&course.phases);
        self.metrics.show_numbers(&outcome.numbers);
        let took = course.took;
        let before = self.breaker.state();
        let chance = self.schedule.chance();
        self.breaker.record(down, Instant::now(), chance);
        let failed = self.tracker.record(outcome, course, self.breaker.open_until());
        self.metrics.record(took, failed);
        span::note(span, failed);
        self.note_breaker(before);
    }

    /// Tells of a run that kept its thread for long: once, until one does not.
    fn note_held(&mut self, held: Duration) {
        let before = std::mem::replace(&mut self.holds, held > LONG);
        if self.holds {
            self.shared.holding.increment();
        }
        if self.holds && !before {
            let check = self.tracker.entry().name.as_str();
            warn!(
                check,
                ?held,
                "the check blocked its thread: other checks are not delayed, but its time-out may not stop it"
            );
        }
    }

    fn note_breaker(&self, before: breaker::State) {
        let state = self.breaker.state();
        if state != before {
            self.metrics.breaker_entered(state);
            let entry = self.tracker.entry();
            let (check, target, to) = (entry.name.as_str(), entry.target.as_deref(), state.as_str());
            let until = self.breaker.open_until();
            let next_run_in_seconds =
                until.map(|until| until.saturating_duration_since(Instant::now()).as_secs());
            match (before, state) {
                // Trying and failing again is no news.
                (_, breaker::State::HalfOpen) | (breaker::State::HalfOpen, breaker::State::Open) => {
                    debug!(check, target, state = to, next_run_in_seconds, "circuit breaker state changed");
                }
                _ => info!(check, target, state = to, next_run_in_seconds, "circuit breaker state changed"),
            }
        }
    }
}

/// Takes the check's secrets out of what a driver said. Our own sentences hold none and stay as they are: a user called
/// `connection` must not show as a gap in "connection refused".
fn clean(outcome: &mut Outcome, secrets: &[String]) {
    let cleaned = outcome.driver.as_deref().and_then(|text| scrub(text, secrets.iter().map(String::as_str)));
    if let Some(text) = cleaned {
        outcome.driver = Some(text);
    }
}

impl std::fmt::Debug for Cycle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cycle of ")?;
        f.write_str(self.tracker.entry().name.as_str())?;
        f.write_char('.')
    }
}

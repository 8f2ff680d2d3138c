//! The metrics that say what running a check costs and how runs ended.

use std::time::Duration;

use crate::metrics::{Counter, Gauge, Histogram, Scope, Store};
use crate::model::{Definition, Instrument, Name, Number, Phase, Reason};
use crate::trace;

use super::breaker::State;

static RUNS: Definition = Definition {
    name: "healthcheck.runs",
    instrument: Instrument::Counter,
    unit: "{run}",
    attributes: &["healthcheck.name", "healthcheck.kind"],
    help: "Number of runs of the check",
};
static FAILURES: Definition = Definition {
    name: "healthcheck.failures",
    instrument: Instrument::Counter,
    unit: "{failure}",
    attributes: &["healthcheck.name", "healthcheck.kind", "error.type"],
    help: "Number of runs that failed, by reason",
};
static DURATION: Definition = Definition {
    name: "healthcheck.duration",
    instrument: Instrument::Histogram(&[
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    ]),
    unit: "s",
    attributes: &["healthcheck.name", "healthcheck.kind"],
    help: "How long runs took; a run that timed out counts with its time limit",
};
static LAST_DURATION: Definition = Definition {
    name: "healthcheck.last_run.duration",
    instrument: Instrument::Gauge,
    unit: "s",
    attributes: &["healthcheck.name", "healthcheck.kind"],
    help: "How long the last run took",
};
static PHASE_DURATION: Definition = Definition {
    name: "healthcheck.phase.duration",
    instrument: Instrument::Gauge,
    unit: "s",
    attributes: &["healthcheck.name", "healthcheck.phase"],
    help: "How long each phase of the last run took",
};
static SKIPPED: Definition = Definition {
    name: "healthcheck.skipped_runs",
    instrument: Instrument::Counter,
    unit: "{run}",
    attributes: &["healthcheck.name"],
    help: "Number of planned runs that were left out because the one before had not ended",
};
static ACTIVE: Definition = Definition {
    name: "healthcheck.active_runs",
    instrument: Instrument::UpDownCounter,
    unit: "{run}",
    attributes: &["healthcheck.name"],
    help: "1 while a run is in flight; 1 for long means that it hangs",
};
static BREAKER_STATUS: Definition = Definition {
    name: "healthcheck.circuit_breaker.status",
    instrument: Instrument::UpDownCounter,
    unit: "{breaker}",
    attributes: &["healthcheck.name", "healthcheck.circuit_breaker.state"],
    help: "1 for the state that the circuit breaker is in, 0 for the others",
};
static BREAKER_TRANSITIONS: Definition = Definition {
    name: "healthcheck.circuit_breaker.transitions",
    instrument: Instrument::Counter,
    unit: "{transition}",
    attributes: &["healthcheck.name", "healthcheck.circuit_breaker.state"],
    help: "Number of times the circuit breaker entered the state",
};
static BREAKER_REJECTIONS: Definition = Definition {
    name: "healthcheck.circuit_breaker.rejections",
    instrument: Instrument::Counter,
    unit: "{run}",
    attributes: &["healthcheck.name"],
    help: "Number of planned runs that an open circuit breaker spared the dependency",
};
static SCHEDULER_DELAY: Definition = Definition {
    name: "vitalsign.scheduler.delay",
    instrument: Instrument::Histogram(&[
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
    ]),
    unit: "s",
    attributes: &[],
    help: "How late runs began against their plan; a sign that this process is short of CPU",
};
static HOLDING: Definition = Definition {
    name: "vitalsign.scheduler.blocking_runs",
    instrument: Instrument::Counter,
    unit: "{run}",
    attributes: &[],
    help: "Number of runs whose code kept its thread for more than 100 ms without a break; the log names the check",
};

/// The metrics that this part fills.
pub static DEFINITIONS: &[&Definition] = &[
    &RUNS,
    &FAILURES,
    &DURATION,
    &LAST_DURATION,
    &PHASE_DURATION,
    &SKIPPED,
    &ACTIVE,
    &BREAKER_STATUS,
    &BREAKER_TRANSITIONS,
    &BREAKER_REJECTIONS,
    &SCHEDULER_DELAY,
    &HOLDING,
];

/// Reasons for which a run of any check can fail.
const COMMON_REASONS: [Reason; 2] = [Reason::Timeout, Reason::Panic];

/// What all checks fill together.
#[derive(Clone, Debug)]
pub(super) struct SharedMetrics {
    /// How late runs begin.
    pub(super) delay: Histogram,
    /// Runs that keep their thread.
    pub(super) holding: Counter,
}

impl SharedMetrics {
    pub(super) fn new(store: &Store) -> Self {
        Self { delay: store.histogram(&SCHEDULER_DELAY, &[]), holding: store.counter(&HOLDING, &[]) }
    }
}

/// The series of one check.
#[derive(Debug)]
pub(super) struct RunMetrics {
    name: Name,
    kind: &'static str,
    runs: Counter,
    failures: Vec<(Reason, Counter)>,
    duration: Histogram,
    last_duration: Gauge,
    phases: Vec<(Phase, Gauge)>,
    pub(super) skipped: Counter,
    pub(super) active: Gauge,
    breaker: [Gauge; 3],
    transitions: [Counter; 3],
    pub(super) rejections: Counter,
    numbers: Vec<(&'static Definition, Vec<String>, Gauge)>,
    scope: Scope,
}

impl RunMetrics {
    pub(super) fn new(store: &Store, name: &Name, kind: &'static str, reasons: &[Reason]) -> Self {
        let mut scope = store.scope();
        let id = name.as_str();
        let active = scope.gauge(&ACTIVE, &[id]);
        active.set(0.0);
        let mut metrics = Self {
            name: name.clone(),
            kind,
            runs: scope.counter(&RUNS, &[id, kind]),
            failures: Vec::with_capacity(reasons.len() + COMMON_REASONS.len()),
            duration: scope.histogram(&DURATION, &[id, kind]),
            last_duration: scope.gauge(&LAST_DURATION, &[id, kind]),
            phases: Vec::new(),
            skipped: scope.counter(&SKIPPED, &[id]),
            active,
            breaker: State::ALL.map(|state| scope.gauge(&BREAKER_STATUS, &[id, state.as_str()])),
            transitions: State::ALL.map(|state| scope.counter(&BREAKER_TRANSITIONS, &[id, state.as_str()])),
            rejections: scope.counter(&BREAKER_REJECTIONS, &[id]),
            numbers: Vec::new(),
            scope,
        };
        for reason in COMMON_REASONS.iter().chain(reasons) {
            metrics.failures_of(*reason);
        }
        metrics.show_breaker(State::Closed);
        metrics
    }

    /// Takes in a run that ended; the span that the code is in is the run's.
    pub(super) fn record(&mut self, took: Duration, failed: Option<Reason>) {
        self.runs.increment();
        self.duration.observe_in(took.as_secs_f64(), trace::sampled());
        self.last_duration.set(took.as_secs_f64());
        if let Some(reason) = failed {
            self.failures_of(reason).increment();
        }
    }

    fn failures_of(&mut self, reason: Reason) -> Counter {
        if let Some((_, counter)) = self.failures.iter().find(|(known, _)| *known == reason) {
            return counter.clone();
        }
        let counter = self.scope.counter(&FAILURES, &[self.name.as_str(), self.kind, reason.as_str()]);
        self.failures.push((reason, counter.clone()));
        counter
    }

    /// Shows the phases of the last run; those that it did not reach are gone from the page.
    pub(super) fn show_phases(&mut self, phases: &[(Phase, Duration)]) {
        for (phase, gauge) in &self.phases {
            if !phases.iter().any(|(reached, _)| reached == phase) {
                gauge.clear();
            }
        }
        for (phase, took) in phases {
            let known = self.phases.iter().find(|(known, _)| known == phase).map(|(_, gauge)| gauge.clone());
            let gauge = known.unwrap_or_else(|| {
                let gauge = self.scope.gauge(&PHASE_DURATION, &[self.name.as_str(), phase.as_str()]);
                self.phases.push((*phase, gauge.clone()));
                gauge
            });
            gauge.set(took.as_secs_f64());
        }
    }

    /// Shows the values for metrics that the kind itself defines; what the run did not give is gone from the page.
    pub(super) fn show_numbers(&mut self, numbers: &[Number]) {
        let same = |definition: &'static Definition, attributes: &[String], number: &Number| {
            std::ptr::eq(definition, number.definition) && attributes == number.attributes
        };
        for (definition, attributes, gauge) in &self.numbers {
            if !numbers.iter().any(|number| same(definition, attributes, number)) {
                gauge.clear();
            }
        }
        for number in numbers {
            let known =
                self.numbers.iter().find(|(definition, attributes, _)| same(definition, attributes, number));
            if let Some((_, _, gauge)) = known {
                gauge.set(number.value);
                continue;
            }
            let attributes = number.attributes.iter().map(String::as_str);
            let values: Vec<&str> = std::iter::once(self.name.as_str()).chain(attributes).collect();
            let gauge = self.scope.gauge(number.definition, &values);
            gauge.set(number.value);
            self.numbers.push((number.definition, number.attributes.clone(), gauge));
        }
    }

    /// Shows the state of the breaker.
    pub(super) fn show_breaker(&self, state: State) {
        for (gauge, each) in self.breaker.iter().zip(State::ALL) {
            gauge.set_bool(each == state);
        }
    }

    /// Counts that the breaker entered `state`, and shows it.
    pub(super) fn breaker_entered(&self, state: State) {
        self.show_breaker(state);
        for (counter, each) in self.transitions.iter().zip(State::ALL) {
            if each == state {
                counter.increment();
            }
        }
    }
}

//! The metrics that say how checks and groups stand.
//!
//! What depends on the time of reading (`up`, `status`, the groups) is written by whoever renders a page, and only when
//! it changed; the rest by the check's one writer.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;

use crate::metrics::{Counter, Gauge, Scope, Store};
use crate::model::{Bound, Definition, Instrument, Limit, Name, Phase, State};

use super::entry::{FailureKey, Registration, Standing};
use super::thresholds::{Finding, Watched};

macro_rules! definition {
    ($id:ident, $name:literal, $instrument:ident, $unit:literal, [$($attribute:literal),*], $help:literal) => {
        static $id: Definition = Definition {
            name: $name,
            instrument: Instrument::$instrument,
            unit: $unit,
            attributes: &[$($attribute),*],
            help: $help,
        };
    };
}

/// Of the board itself, because it is there when no check is.
pub(super) static CHECKS: Definition = Definition {
    name: "healthcheck.checks",
    instrument: Instrument::UpDownCounter,
    unit: "{check}",
    attributes: &[],
    help: "Number of checks that are configured",
};
definition!(
    UP,
    "healthcheck.up",
    UpDownCounter,
    "{check}",
    ["healthcheck.name", "healthcheck.kind"],
    "1 while the check is healthy or degraded, 0 while it is unhealthy or its verdict is too old"
);
definition!(
    STATUS,
    "healthcheck.status",
    UpDownCounter,
    "{check}",
    ["healthcheck.name", "healthcheck.state"],
    "1 for the state that the check is in, 0 for the others"
);
definition!(
    INFO,
    "healthcheck.info",
    Gauge,
    "",
    [
        "healthcheck.name",
        "healthcheck.kind",
        "healthcheck.criticality",
        "server.address",
        "server.port",
        "db.system.name",
        "messaging.system"
    ],
    "What the check is and looks at; always 1"
);
definition!(
    INTERVAL,
    "healthcheck.interval",
    Gauge,
    "s",
    ["healthcheck.name"],
    "Time from one planned run of the check to the next"
);
definition!(
    TIMEOUT,
    "healthcheck.timeout",
    Gauge,
    "s",
    ["healthcheck.name"],
    "How long a run of the check may take"
);
definition!(
    OBJECTIVE,
    "healthcheck.objective.ratio",
    Gauge,
    "",
    ["healthcheck.name"],
    "Availability objective of the check"
);
definition!(
    LAST_RUN,
    "healthcheck.last_run.timestamp",
    Gauge,
    "s",
    ["healthcheck.name"],
    "Unix time of the last verdict, those of an open circuit breaker included"
);
definition!(
    LAST_SUCCESS,
    "healthcheck.last_success.timestamp",
    Gauge,
    "s",
    ["healthcheck.name"],
    "Unix time of the last run that did not fail"
);
definition!(
    CONSECUTIVE_FAILURES,
    "healthcheck.consecutive_failures",
    Gauge,
    "{failure}",
    ["healthcheck.name"],
    "Failed runs in a row; moves before the state does"
);
definition!(
    LAST_FAILURE_INFO,
    "healthcheck.last_failure.info",
    Gauge,
    "",
    ["healthcheck.name", "error.type", "healthcheck.cause", "healthcheck.phase"],
    "Why the check failed last: reason, cause and phase; always 1, and it stays after the check has recovered"
);
definition!(
    STATE_CHANGES,
    "healthcheck.state_changes",
    Counter,
    "{change}",
    ["healthcheck.name"],
    "Number of times the state of the check changed"
);
definition!(
    MEASUREMENT,
    "healthcheck.measurement",
    Gauge,
    "",
    ["healthcheck.name", "healthcheck.measurement"],
    "A number that the last run measured"
);
definition!(
    THRESHOLD_RATIO,
    "healthcheck.threshold.ratio",
    Gauge,
    "",
    ["healthcheck.name", "healthcheck.measurement", "healthcheck.level"],
    "Measured value over its limit, or limit over value for a lower bound; 1 and above is a breach"
);
definition!(
    THRESHOLD_LIMIT,
    "healthcheck.threshold.limit",
    Gauge,
    "",
    ["healthcheck.name", "healthcheck.measurement", "healthcheck.level", "healthcheck.bound"],
    "Limit at which trouble begins, in the unit of its measurement"
);
definition!(
    GROUP_UP,
    "healthcheck.group.up",
    UpDownCounter,
    "{group}",
    ["healthcheck.group"],
    "1 while the group answers 200, 0 while it answers 503"
);
definition!(
    GROUP_STATUS,
    "healthcheck.group.status",
    UpDownCounter,
    "{group}",
    ["healthcheck.group", "healthcheck.state"],
    "1 for the state that the group is in, 0 for the others"
);

/// The metrics that this part fills.
pub static DEFINITIONS: &[&Definition] = &[
    &CHECKS,
    &UP,
    &STATUS,
    &INFO,
    &INTERVAL,
    &TIMEOUT,
    &OBJECTIVE,
    &LAST_RUN,
    &LAST_SUCCESS,
    &CONSECUTIVE_FAILURES,
    &LAST_FAILURE_INFO,
    &STATE_CHANGES,
    &MEASUREMENT,
    &THRESHOLD_RATIO,
    &THRESHOLD_LIMIT,
    &GROUP_UP,
    &GROUP_STATUS,
];

/// Measurements a check may have: their names come from answers, so their number is bounded here.
const MAX_MEASUREMENTS: usize = 64;

/// The series of one check.
#[derive(Debug)]
pub(super) struct CheckMetrics {
    name: Name,
    up: Gauge,
    status: [Gauge; 4],
    last_run: Gauge,
    last_success: Gauge,
    consecutive_failures: Gauge,
    state_changes: Counter,
    published: AtomicU8,
    /// The one series that says why the check failed last.
    last_failure: Mutex<Option<LastFailure>>,
    /// Series that appear with what the check measures, and the scope that removes all of them with the check.
    measured: Mutex<Measured>,
}

#[derive(Debug)]
struct LastFailure {
    key: FailureKey,
    /// Removes the series when another takes its place.
    _scope: Scope,
}

#[derive(Debug)]
struct Measured {
    scope: Scope,
    values: Vec<(Name, Gauge)>,
    ratios: Vec<(Option<Gauge>, Option<Gauge>)>,
}

/// Nothing was published yet.
const UNPUBLISHED: u8 = u8::MAX;

impl CheckMetrics {
    pub(super) fn new(store: &Store, registration: &Registration) -> Self {
        let Registration { name, kind, component: _, policy, target } = registration;
        let mut scope = store.scope();
        let id = name.as_str();
        let [address, port, database, messaging] =
            target.each_ref().map(|part| part.as_deref().unwrap_or_default());
        let info = [id, kind, policy.criticality.as_str(), address, port, database, messaging];
        scope.gauge(&INFO, &info).set(1.0);
        scope.gauge(&INTERVAL, &[id]).set(policy.interval.as_secs_f64());
        scope.gauge(&TIMEOUT, &[id]).set(policy.timeout.as_secs_f64());
        scope.gauge(&OBJECTIVE, &[id]).set(policy.objective);
        let mut ratios = Vec::with_capacity(policy.thresholds.len());
        for threshold in &policy.thresholds {
            let measurement = threshold.measurement.as_str();
            let mut level = |word: &str, limit: Option<Limit>, bound: Bound| {
                limit.map(|limit| {
                    scope.gauge(&THRESHOLD_LIMIT, &[id, measurement, word, bound.as_str()]).set(limit.enter);
                    scope.gauge(&THRESHOLD_RATIO, &[id, measurement, word])
                })
            };
            ratios.push((
                level("warn", threshold.warn, threshold.bound),
                level("fail", threshold.fail, threshold.bound),
            ));
        }
        let consecutive_failures = scope.gauge(&CONSECUTIVE_FAILURES, &[id]);
        consecutive_failures.set(0.0);
        let metrics = Self {
            name: name.clone(),
            up: scope.gauge(&UP, &[id, kind]),
            status: State::ALL.map(|state| scope.gauge(&STATUS, &[id, state.as_str()])),
            last_run: scope.gauge(&LAST_RUN, &[id]),
            last_success: scope.gauge(&LAST_SUCCESS, &[id]),
            consecutive_failures,
            state_changes: scope.counter(&STATE_CHANGES, &[id]),
            published: AtomicU8::new(UNPUBLISHED),
            last_failure: Mutex::new(None),
            measured: Mutex::new(Measured { scope, values: Vec::new(), ratios }),
        };
        metrics.publish_state(State::Unknown, false);
        metrics
    }

    /// Sets `status`, and `up` once there was a verdict.
    pub(super) fn publish_state(&self, state: State, has_verdict: bool) {
        // The last bit tells "unknown, never answered" from "unknown, too old".
        let mark = (state as u8) << 1 | u8::from(has_verdict);
        if self.published.swap(mark, Ordering::Relaxed) == mark {
            return;
        }
        for (gauge, each) in self.status.iter().zip(State::ALL) {
            gauge.set_bool(each == state);
        }
        if has_verdict {
            self.up.set_bool(matches!(state, State::Healthy | State::Degraded));
        }
    }

    /// Takes in a new verdict.
    pub(super) fn record(&self, standing: &Standing, changed: bool, succeeded: bool) {
        if let (Some(failing), false) = (&standing.failing, succeeded) {
            self.show_failure(failing.key());
        }
        self.renew(standing.checked_at);
        self.consecutive_failures.set(standing.consecutive_failures.into());
        if succeeded {
            self.last_success.set(unix_seconds(standing.checked_at));
        }
        if changed {
            self.state_changes.increment();
        }
    }

    fn show_failure(&self, key: FailureKey) {
        let mut last = self.last_failure.lock();
        if last.as_ref().is_some_and(|last| last.key == key) {
            return;
        }
        let (reason, cause, phase) = key;
        let cause = cause.map(|cause| cause.to_string()).unwrap_or_default();
        let phase = phase.map_or("", Phase::as_str);
        let mut scope = self.measured.lock().scope.store().scope();
        scope.gauge(&LAST_FAILURE_INFO, &[self.name.as_str(), reason.as_str(), &cause, phase]).set(1.0);
        *last = Some(LastFailure { key, _scope: scope });
    }

    /// Takes in that the last verdict stands, as of `at`.
    pub(super) fn renew(&self, at: SystemTime) {
        self.last_run.set(unix_seconds(at));
    }

    /// Shows what a run measured; what it did not measure is gone from the page.
    pub(super) fn measure(&self, measurements: &[(Name, f64)]) {
        let mut measured = self.measured.lock();
        for (name, gauge) in &measured.values {
            if !measurements.iter().any(|(other, _)| other == name) {
                gauge.clear();
            }
        }
        for (name, value) in measurements {
            if let Some((_, gauge)) = measured.values.iter().find(|(known, _)| known == name) {
                gauge.set(*value);
            } else if measured.values.len() < MAX_MEASUREMENTS {
                let gauge = measured.scope.gauge(&MEASUREMENT, &[self.name.as_str(), name.as_str()]);
                gauge.set(*value);
                measured.values.push((name.clone(), gauge));
            } else {
                measured.scope.store().refuse_name();
            }
        }
    }

    /// Shows how near the values are to their limits, in the order of the thresholds; none where there was no value.
    pub(super) fn show_ratios<'a>(&self, findings: impl Iterator<Item = (&'a Watched, Option<&'a Finding>)>) {
        let measured = self.measured.lock();
        for ((warn, fail), (_, finding)) in measured.ratios.iter().zip(findings) {
            if let Some(warn) = warn {
                warn.set_optional(finding.and_then(|finding| finding.warn_ratio));
            }
            if let Some(fail) = fail {
                fail.set_optional(finding.and_then(|finding| finding.fail_ratio));
            }
        }
    }
}

/// The series of one group.
#[derive(Debug)]
pub(super) struct GroupMetrics {
    up: Gauge,
    status: [Gauge; 4],
    _scope: Scope,
}

impl GroupMetrics {
    pub(super) fn new(store: &Store, name: &Name) -> Self {
        let mut scope = store.scope();
        let up = scope.gauge(&GROUP_UP, &[name.as_str()]);
        let status = State::ALL.map(|state| scope.gauge(&GROUP_STATUS, &[name.as_str(), state.as_str()]));
        Self { up, status, _scope: scope }
    }

    pub(super) fn publish(&self, state: State) {
        self.up.set_bool(matches!(state, State::Healthy | State::Degraded));
        for (gauge, each) in self.status.iter().zip(State::ALL) {
            gauge.set_bool(each == state);
        }
    }
}

fn unix_seconds(at: SystemTime) -> f64 {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64()
}

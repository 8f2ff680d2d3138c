//! The metrics of a group of work. All labels come from the program's code, so their number is that of its groups.

use std::time::Duration;

use crate::metrics::{Counter, Gauge, Histogram, Scope, Store};
use crate::model::{Definition, Instrument};

use super::Settings;
use super::work::Ended;

const BY_GROUP: &[&str] = &["taskgroup.name"];

/// A poll that takes longer keeps others from their turn.
const SLOW: Duration = Duration::from_millis(10);

static ACTIVE: Definition = Definition {
    name: "taskgroup.active",
    instrument: Instrument::UpDownCounter,
    unit: "{task}",
    attributes: BY_GROUP,
    help: "Number of pieces of work that are going on",
};
static WAITING: Definition = Definition {
    name: "taskgroup.waiting",
    instrument: Instrument::UpDownCounter,
    unit: "{task}",
    attributes: BY_GROUP,
    help: "Number of pieces of work that wait because the group is at its limit",
};
static LIMIT: Definition = Definition {
    name: "taskgroup.limit",
    instrument: Instrument::Gauge,
    unit: "{task}",
    attributes: BY_GROUP,
    help: "How much work of the group may go on at once; absent where there is no limit",
};
static STARTED: Definition = Definition {
    name: "taskgroup.started",
    instrument: Instrument::Counter,
    unit: "{task}",
    attributes: BY_GROUP,
    help: "Number of pieces of work that began",
};
static FINISHED: Definition = Definition {
    name: "taskgroup.finished",
    instrument: Instrument::Counter,
    unit: "{task}",
    attributes: &["taskgroup.name", "taskgroup.outcome"],
    help: "Number of pieces of work that ended, by how they ended",
};
static DURATION: Definition = Definition {
    name: "taskgroup.duration",
    instrument: Instrument::Histogram(&[
        0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0,
    ]),
    unit: "s",
    attributes: BY_GROUP,
    help: "How long work took, however it ended, without the time that it waited",
};
static HEARTBEAT: Definition = Definition {
    name: "taskgroup.heartbeat.timestamp",
    instrument: Instrument::Gauge,
    unit: "s",
    attributes: BY_GROUP,
    help: "Unix time at which the group last said that it is alive",
};
static POLL_TIME: Definition = Definition {
    name: "taskgroup.poll_time",
    instrument: Instrument::Counter,
    unit: "s",
    attributes: BY_GROUP,
    help: "Time that futures of the group kept a thread",
};
static SLOW_POLLS: Definition = Definition {
    name: "taskgroup.slow_polls",
    instrument: Instrument::Counter,
    unit: "{poll}",
    attributes: BY_GROUP,
    help: "Number of times a future of the group kept a thread for more than 10 ms",
};

/// The metrics that this part fills.
pub(crate) static DEFINITIONS: &[&Definition] =
    &[&ACTIVE, &WAITING, &LIMIT, &STARTED, &FINISHED, &DURATION, &HEARTBEAT, &POLL_TIME, &SLOW_POLLS];

/// The series of one group.
pub(super) struct Metrics {
    pub(super) active: Gauge,
    pub(super) waiting: Gauge,
    pub(super) started: Counter,
    pub(super) heartbeat: Gauge,
    finished: [Counter; Ended::ALL.len()],
    duration: Histogram,
    poll_time: Gauge,
    slow_polls: Counter,
    scope: Scope,
}

impl Metrics {
    pub(super) fn new(store: &Store, name: &str, settings: Settings) -> Self {
        let mut scope = store.scope();
        let by_group = &[name];
        let duration = match settings.buckets {
            Some(bounds) => scope.histogram_over(&DURATION, by_group, bounds),
            None => scope.histogram(&DURATION, by_group),
        };
        if let Some(limit) = settings.limit {
            scope.gauge(&LIMIT, by_group).set(limit as f64);
        }
        let metrics = Self {
            active: scope.gauge(&ACTIVE, by_group),
            waiting: scope.gauge(&WAITING, by_group),
            started: scope.counter(&STARTED, by_group),
            heartbeat: scope.gauge(&HEARTBEAT, by_group),
            finished: Ended::ALL.map(|ended| scope.counter(&FINISHED, &[name, ended.as_str()])),
            duration,
            poll_time: scope.observed(&POLL_TIME, by_group),
            slow_polls: scope.counter(&SLOW_POLLS, by_group),
            scope,
        };
        // Not set to zero: another group of this name may have work.
        for sum in [&metrics.active, &metrics.waiting, &metrics.poll_time] {
            sum.add(0.0);
        }
        metrics
    }

    pub(super) fn store(&self) -> &Store {
        self.scope.store()
    }

    pub(super) fn finished(&self, ended: Ended, took: Duration) {
        self.duration.observe(took.as_secs_f64());
        if let Some(counter) = self.finished.get(ended as usize) {
            counter.increment();
        }
    }

    pub(super) fn polled(&self, took: Duration) {
        self.poll_time.add(took.as_secs_f64());
        if took > SLOW {
            self.slow_polls.increment();
        }
    }
}

//! What the agent says of its own push: attempts and failures, what waits, what was lost; the same for all signals. A
//! record that finds the queue full is lost alone and in no batch.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::signal::Signal;
use super::spool::{Level, Loss, Lost};
use crate::metrics::{Counter, Gauge, Observe, Scope, Store};
use crate::model::{Definition, Instrument, Reason};

const BY_SIGNAL: &[&str] = &["signal"];

static EXPORTS: Definition = Definition {
    name: "vitalsign.otlp.exports",
    instrument: Instrument::Counter,
    unit: "{export}",
    attributes: BY_SIGNAL,
    help: "Number of requests sent to the OTLP endpoint",
};
static FAILURES: Definition = Definition {
    name: "vitalsign.otlp.export_failures",
    instrument: Instrument::Counter,
    unit: "{failure}",
    attributes: &["signal", "error.type"],
    help: "Number of requests that the OTLP endpoint did not take, by reason",
};
static POINTS: Definition = Definition {
    name: "vitalsign.otlp.points",
    instrument: Instrument::Counter,
    unit: "{point}",
    attributes: &["signal", "outcome"],
    help: "Number of points, spans or log records taken by the OTLP endpoint (sent), refused by it (rejected), or given up unsent (dropped)",
};
static LAST_SUCCESS: Definition = Definition {
    name: "vitalsign.otlp.last_success.timestamp",
    instrument: Instrument::Gauge,
    unit: "s",
    attributes: BY_SIGNAL,
    help: "Unix time at which the OTLP endpoint last took a request",
};
static QUEUE_BATCHES: Definition = Definition {
    name: "vitalsign.otlp.queue.batches",
    instrument: Instrument::Gauge,
    unit: "{batch}",
    attributes: BY_SIGNAL,
    help: "Number of batches that wait for the OTLP endpoint",
};
static QUEUE_SIZE: Definition = Definition {
    name: "vitalsign.otlp.queue.size",
    instrument: Instrument::Gauge,
    unit: "By",
    attributes: BY_SIGNAL,
    help: "Size of the batches that wait for the OTLP endpoint",
};
static QUEUE_AGE: Definition = Definition {
    name: "vitalsign.otlp.queue.age",
    instrument: Instrument::Gauge,
    unit: "s",
    attributes: BY_SIGNAL,
    help: "Age of the oldest batch that waits for the OTLP endpoint; 0 while none waits",
};
static DROPPED: Definition = Definition {
    name: "vitalsign.otlp.dropped_batches",
    instrument: Instrument::Counter,
    unit: "{batch}",
    attributes: &["signal", "reason"],
    help: "Number of batches that were lost, by reason",
};

/// The metrics that this part fills.
pub(crate) static DEFINITIONS: &[&Definition] =
    &[&EXPORTS, &FAILURES, &POINTS, &LAST_SUCCESS, &QUEUE_BATCHES, &QUEUE_SIZE, &QUEUE_AGE, &DROPPED];

/// The reasons for which a request may fail.
const REASONS: [Reason; 12] = [
    Reason::Timeout,
    Reason::ConnectionRefused,
    Reason::ConnectionReset,
    Reason::Unreachable,
    Reason::Dns,
    Reason::Tls,
    Reason::Auth,
    Reason::NotFound,
    Reason::Denied,
    Reason::Protocol,
    Reason::UnexpectedStatus,
    Reason::Other,
];

/// What was lost, by cause.
struct Dropped {
    full: Counter,
    rejected: Counter,
    corrupt: Counter,
    missing: Counter,
    expired: Counter,
}

/// The series of one signal.
pub(super) struct Metrics {
    exports: Counter,
    failures: [(Reason, Counter); 12],
    sent: Counter,
    rejected: Counter,
    dropped_points: Counter,
    last_success: Gauge,
    dropped: Dropped,
    /// For the store, which asks it as long as it lives.
    _queue: Arc<dyn Observe>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// The series of `signal` in `store`; `level` tells at any moment how much waits.
    pub(super) fn new(
        store: &Store,
        signal: Signal,
        level: impl Fn() -> (Level, SystemTime) + Send + Sync + 'static,
    ) -> Self {
        let (mut scope, signal) = (store.scope(), signal.word());
        let mut point = |outcome| scope.counter(&POINTS, &[signal, outcome]);
        let (sent, rejected, dropped_points) = (point("sent"), point("rejected"), point("dropped"));
        let mut lost = |reason| scope.counter(&DROPPED, &[signal, reason]);
        let dropped = Dropped {
            full: lost("queue_full"),
            rejected: lost("rejected"),
            corrupt: lost("corrupt"),
            missing: lost("missing"),
            expired: lost("expired"),
        };
        let failure = |reason: Reason| (reason, scope.counter(&FAILURES, &[signal, reason.as_str()]));
        let failures = REASONS.map(failure);
        let (exports, last_success) =
            (scope.counter(&EXPORTS, &[signal]), scope.gauge(&LAST_SUCCESS, &[signal]));
        let queue = Queue {
            batches: scope.gauge(&QUEUE_BATCHES, &[signal]),
            size: scope.gauge(&QUEUE_SIZE, &[signal]),
            age: scope.gauge(&QUEUE_AGE, &[signal]),
            level: Box::new(level),
            _scope: scope,
        };
        let queue: Arc<dyn Observe> = Arc::new(queue);
        store.observe(&queue);
        Self { exports, failures, sent, rejected, dropped_points, last_success, dropped, _queue: queue }
    }

    /// Counts a request.
    pub(super) fn exported(&self) {
        self.exports.increment();
    }

    /// Counts a request that was not taken.
    pub(super) fn failed(&self, reason: Reason) {
        let known = self.failures.iter().find(|(known, _)| *known == reason);
        if let Some((_, counter)) = known.or(self.failures.last()) {
            counter.increment();
        }
    }

    /// Counts the points of a request that was taken at `now`, but for `refused` of them.
    pub(super) fn taken(&self, points: u64, refused: u64, now: SystemTime) {
        self.sent.add(points.saturating_sub(refused));
        self.rejected.add(refused.min(points));
        self.last_success.set(now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64());
    }

    /// Counts a batch that the endpoint will never take.
    pub(super) fn rejected(&self, points: u64) {
        self.rejected.add(points);
        self.dropped.rejected.increment();
    }

    /// Counts what the spool lost.
    pub(super) fn lost(&self, Lost { full, expired, corrupt, missing }: Lost) {
        let Dropped { full: f, expired: e, corrupt: c, missing: m, .. } = &self.dropped;
        for (Loss { batches, points }, counter) in [(full, f), (expired, e), (corrupt, c), (missing, m)] {
            counter.add(batches);
            self.dropped_points.add(points);
        }
    }
}

/// How much waits, asked when somebody looks.
struct Queue {
    batches: Gauge,
    size: Gauge,
    age: Gauge,
    level: Box<dyn Fn() -> (Level, SystemTime) + Send + Sync>,
    _scope: Scope,
}

impl Observe for Queue {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    fn observe(&self) {
        let (level, now) = (self.level)();
        self.batches.set(level.batches as f64);
        if let Some(bytes) = level.bytes {
            self.size.set(bytes as f64);
        }
        let age = level.oldest.map(|oldest| now.duration_since(oldest).unwrap_or_default());
        self.age.set(age.unwrap_or_default().as_secs_f64());
    }
}

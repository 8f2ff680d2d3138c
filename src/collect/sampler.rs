//! Runs collectors when somebody reads: each at most once in its period, one after the other on the reader's thread,
//! which is one that may hang. A collector that does loses its numbers from the page, keeps that thread, and delays
//! nobody else: whoever reads next goes on with the others, and takes it back when it has come to its end.
//!
//! It has no thread of its own because waking one, and waiting for it, costs as much as most collectors do.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::{Condvar, Mutex, MutexGuard};
use tracing::{info, warn};

use crate::metrics::{Counter, Gauge, Store};
use crate::model::{Definition, Instrument, Reason};

use super::collector::Collector;
use super::sheet::{self, Sheet, Shown};

static SUCCESS: Definition = Definition {
    name: "vitalsign.collector.success",
    instrument: Instrument::Gauge,
    unit: "",
    attributes: &["collector.name"],
    help: "1 if the last reading of the collector went without error",
};
static DURATION: Definition = Definition {
    name: "vitalsign.collector.duration",
    instrument: Instrument::Gauge,
    unit: "s",
    attributes: &["collector.name"],
    help: "How long the last reading of the collector took",
};
static ERRORS: Definition = Definition {
    name: "vitalsign.collector.errors",
    instrument: Instrument::Counter,
    unit: "{error}",
    attributes: &["collector.name", "error.type"],
    help: "Number of things that the collector could not read, by reason",
};
static LAST_SUCCESS: Definition = Definition {
    name: "vitalsign.collector.last_success.timestamp",
    instrument: Instrument::Gauge,
    unit: "s",
    attributes: &["collector.name"],
    help: "Unix time of the last reading of the collector without error",
};
static OVERRUNS: Definition = Definition {
    name: "vitalsign.collector.overruns",
    instrument: Instrument::Counter,
    unit: "{run}",
    attributes: &["collector.name"],
    help: "Number of readings that took longer than they may",
};

/// The metrics that this part fills.
pub(crate) static DEFINITIONS: &[&Definition] = &[&SUCCESS, &DURATION, &ERRORS, &LAST_SUCCESS, &OVERRUNS];

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How long a reader waits for fresh numbers before it takes those there are.
    patience: Duration,
    /// How long one collector may take before the others go on without it. Longer than a reader waits: on a machine that
    /// is short of CPU, where these numbers matter most, every collector is slow.
    hangs_after: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { patience: Duration::from_millis(200), hangs_after: Duration::from_secs(1) }
    }
}

/// Collectors, run by whoever samples.
pub(crate) struct Sampler {
    pool: Mutex<Pool>,
    /// Told when the collector that runs has come to its end.
    changed: Condvar,
    limits: Limits,
}

struct Pool {
    idle: Vec<Member>,
    running: Option<Running>,
    /// Counts the readings, so that one that was given up is told from the one that runs now.
    readings: u64,
}

struct Member {
    collector: Box<dyn Collector>,
    sheet: Sheet,
    metrics: Metrics,
    sampled: Option<Instant>,
}

/// What is known of the collector that runs, while its thread holds it.
struct Running {
    reading: u64,
    name: &'static str,
    since: Instant,
    shown: Shown,
    metrics: Metrics,
}

#[derive(Clone)]
struct Metrics {
    store: Store,
    name: &'static str,
    success: Gauge,
    duration: Gauge,
    last_success: Gauge,
    overruns: Counter,
}

impl Sampler {
    /// A sampler that fills `store`.
    pub(crate) fn new(store: &Store, collectors: Vec<Box<dyn Collector>>, limits: Limits) -> Self {
        let idle = collectors.into_iter().map(|collector| Member::new(store, collector)).collect();
        Self { pool: Mutex::new(Pool { idle, running: None, readings: 0 }), changed: Condvar::new(), limits }
    }

    /// Brings the numbers up to date: runs every collector whose time has come, here and now, save where another thread
    /// is about it. For that one it waits as long as a reader can wait, and goes on in its place once it has hung for
    /// too long.
    ///
    /// Comes back late, or never, where a collector hangs: whoever cannot wait has another thread call this again.
    pub(crate) fn sample(&self) {
        let asked = Instant::now();
        let mut pool = self.pool.lock();
        loop {
            let now = Instant::now();
            match &pool.running {
                None => {
                    let Some(member) = pool.take_due(asked) else { return };
                    let Some(back) = self.run(pool, member) else { return };
                    pool = back;
                }
                Some(running) if now >= running.since + self.limits.hangs_after => give_up(&mut pool),
                Some(running) => {
                    let enough = asked.min(running.since) + self.limits.patience;
                    if now >= enough {
                        return;
                    }
                    let until = enough.min(running.since + self.limits.hangs_after);
                    self.changed.wait_until(&mut pool, until);
                }
            }
        }
    }

    /// Runs the collector; gives the pool back unless others went on without this thread meanwhile.
    fn run<'p>(&'p self, mut pool: MutexGuard<'p, Pool>, mut member: Member) -> Option<MutexGuard<'p, Pool>> {
        let since = Instant::now();
        pool.readings += 1;
        let (reading, name) = (pool.readings, member.collector.name());
        let (shown, metrics) = (member.sheet.shown(), member.metrics.clone());
        pool.running = Some(Running { reading, name, since, shown, metrics });
        drop(pool);
        member.run(since);
        pool = self.pool.lock();
        let in_time = pool.running.take_if(|running| running.reading == reading).is_some();
        if !in_time {
            // What it set while nobody waited for it is old by now; its next reading shows.
            member.metrics.store.change(|| sheet::withhold(&member.sheet.shown()));
            info!(collector = name, "a collector that hung is back");
            member.sampled = None;
        }
        pool.idle.push(member);
        self.changed.notify_all();
        in_time.then_some(pool)
    }
}

/// Lets the others go on without the collector that has been running for too long.
fn give_up(pool: &mut Pool) {
    let Some(running) = pool.running.take() else { return };
    running.metrics.overruns.increment();
    running.metrics.success.set_bool(false);
    running.metrics.store.change(|| sheet::withhold(&running.shown));
    warn!(collector = running.name, "a collector hangs; its numbers are left out until it is back");
}

impl Pool {
    fn take_due(&mut self, asked: Instant) -> Option<Member> {
        let index = self.idle.iter().position(|member| member.is_due(asked))?;
        Some(self.idle.remove(index))
    }
}

impl Member {
    fn new(store: &Store, collector: Box<dyn Collector>) -> Self {
        let name = collector.name();
        let metrics = Metrics {
            store: store.clone(),
            name,
            success: store.gauge(&SUCCESS, &[name]),
            duration: store.gauge(&DURATION, &[name]),
            last_success: store.gauge(&LAST_SUCCESS, &[name]),
            overruns: store.counter(&OVERRUNS, &[name]),
        };
        for reason in collector.reasons().iter().chain(&[Reason::Panic]) {
            let _ = metrics.errors(*reason);
        }
        let sheet = Sheet::new(store, name, collector.counts());
        Self { sheet, collector, metrics, sampled: None }
    }

    fn is_due(&self, asked: Instant) -> bool {
        let period = self.collector.period();
        self.sampled.is_none_or(|sampled| sampled < asked && asked.duration_since(sampled) >= period)
    }

    fn run(&mut self, since: Instant) {
        self.sampled = Some(since);
        self.sheet.begin();
        let (collector, sheet) = (&mut self.collector, &mut self.sheet);
        // A collector that panicked is asked again: its files are read anew each time, so nothing of it is half done.
        if catch_unwind(AssertUnwindSafe(|| collector.collect(sheet))).is_err() {
            self.sheet.fail(Reason::Panic, "the collector panicked");
        }
        self.metrics.record(self.sheet.end(), since.elapsed());
    }
}

impl Metrics {
    fn errors(&self, reason: Reason) -> Counter {
        self.store.counter(&ERRORS, &[self.name, reason.as_str()])
    }

    fn record(&self, errors: &[Reason], took: Duration) {
        self.duration.set(took.as_secs_f64());
        self.success.set_bool(errors.is_empty());
        for reason in errors {
            self.errors(*reason).increment();
        }
        if errors.is_empty() {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            self.last_success.set(now.as_secs_f64());
        }
    }
}

#[cfg(test)]
mod tests;

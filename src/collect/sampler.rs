//! Runs collectors when somebody reads: each at most once in its period, all on one thread of their own, each held to a
//! time limit. One that hangs loses its numbers from the page, keeps its thread, and delays nobody else: a new thread
//! goes on with the others, and takes it back when it has come to its end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::{Condvar, Mutex, MutexGuard};
use tracing::{info, warn};

use crate::metrics::{Counter, Gauge, Store};
use crate::model::{Definition, Instrument, Reason};
use crate::supervisor;

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

/// Collectors and the thread that runs them. Cheap to clone; dropping the last one ends the thread.
#[derive(Clone)]
pub(crate) struct Sampler(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    limits: Limits,
}

#[derive(Default)]
struct Shared {
    pool: Mutex<Pool>,
    /// Told of everything that changes in the pool.
    changed: Condvar,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Member>,
    running: Option<Running>,
    /// Which thread may take from the pool; one that was replaced only gives back what it holds.
    thread: u64,
    /// When somebody last asked for fresh numbers.
    asked: Option<Instant>,
    closed: bool,
}

struct Member {
    collector: Box<dyn Collector>,
    sheet: Sheet,
    metrics: Metrics,
    sampled: Option<Instant>,
}

/// What is known of the collector that runs, while its thread holds it.
struct Running {
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
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(
        store: &Store,
        collectors: Vec<Box<dyn Collector>>,
        limits: Limits,
    ) -> std::io::Result<Self> {
        let idle = collectors.into_iter().map(|collector| Member::new(store, collector)).collect();
        let shared =
            Arc::new(Shared { pool: Mutex::new(Pool { idle, ..Pool::default() }), ..Shared::default() });
        start_thread(&shared, 0)?;
        Ok(Self(Arc::new(Handle { shared, limits })))
    }

    /// Brings the numbers up to date: waits until every collector whose time has come has run or has hung, but not
    /// longer than a reader can wait.
    pub(crate) fn sample(&self) {
        let Handle { shared, limits } = &*self.0;
        let now = Instant::now();
        let enough = now + limits.patience;
        let mut pool = shared.pool.lock();
        pool.asked = Some(now);
        shared.changed.notify_all();
        while (pool.has_due() || pool.running.is_some()) && Instant::now() < enough {
            let hangs_at = pool.running.as_ref().map(|running| running.since + limits.hangs_after);
            if hangs_at.is_some_and(|hangs_at| hangs_at <= Instant::now()) {
                give_up(shared, &mut pool);
            } else {
                shared
                    .changed
                    .wait_until(&mut pool, hangs_at.map_or(enough, |hangs_at| hangs_at.min(enough)));
            }
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.pool.lock().closed = true;
        self.shared.changed.notify_all();
    }
}

/// Lets the others go on without the collector that has been running for too long.
fn give_up(shared: &Arc<Shared>, pool: &mut MutexGuard<'_, Pool>) {
    let Some(running) = pool.running.take() else { return };
    running.metrics.overruns.increment();
    running.metrics.success.set_bool(false);
    sheet::withhold(&running.shown);
    warn!(collector = running.name, "a collector hangs; its numbers are left out until it is back");
    pool.thread += 1;
    if start_thread(shared, pool.thread).is_err() {
        // Without a thread nothing more is sampled until the hanging one ends, so nobody must wait for that.
        pool.asked = None;
        pool.thread -= 1;
    }
}

fn start_thread(shared: &Arc<Shared>, thread: u64) -> std::io::Result<()> {
    let shared = Arc::clone(shared);
    supervisor::thread("vitalsign-local", move || work(&shared, thread)).map(drop)
}

fn work(shared: &Shared, thread: u64) {
    let mut pool = shared.pool.lock();
    loop {
        if pool.closed || pool.thread != thread {
            return;
        }
        let Some(mut member) = pool.take_due() else {
            shared.changed.notify_all();
            shared.changed.wait(&mut pool);
            continue;
        };
        let since = Instant::now();
        let (name, shown, metrics) = (member.collector.name(), member.sheet.shown(), member.metrics.clone());
        pool.running = Some(Running { name, since, shown, metrics });
        // Whoever waits has a time limit to keep from now on.
        shared.changed.notify_all();
        drop(pool);
        member.run(since);
        pool = shared.pool.lock();
        if pool.thread == thread {
            pool.running = None;
        } else {
            // What it set while nobody waited for it is old by now; its next reading shows.
            sheet::withhold(&member.sheet.shown());
            info!(collector = name, "a collector that hung is back");
            member.sampled = None;
        }
        pool.idle.push(member);
        shared.changed.notify_all();
    }
}

impl Pool {
    fn has_due(&self) -> bool {
        self.asked.is_some_and(|asked| self.idle.iter().any(|member| member.is_due(asked)))
    }

    fn take_due(&mut self) -> Option<Member> {
        let asked = self.asked?;
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
        Self { sheet: Sheet::new(store, name), collector, metrics, sampled: None }
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
    fn record(&self, errors: &[Reason], took: Duration) {
        self.duration.set(took.as_secs_f64());
        self.success.set_bool(errors.is_empty());
        for reason in errors {
            self.store.counter(&ERRORS, &[self.name, reason.as_str()]).increment();
        }
        if errors.is_empty() {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            self.last_success.set(now.as_secs_f64());
        }
    }
}

#[cfg(test)]
mod tests;

//! How busy tokio runtimes are: any number of them, each registered by its handle under a name.
//!
//! Their own counters are read when somebody reads the page, from outside, so that they are also there while a runtime
//! is stuck. How late a runtime is tells a task on it that sleeps and looks how long it really slept: the one number
//! that shows code that blocks, and that tokio without its unstable features has no counter for.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use crate::metrics::{Gauge, Histogram, Observe, Scope, Store};
use crate::model::{Definition, Instrument};
use crate::supervisor;

/// How long the probe sleeps. Ten wake-ups a second are little to a program that works; to one that only waits they
/// would be most of what it does, so a runtime can do without.
const NAP: Duration = Duration::from_millis(100);

const BY_RUNTIME: &[&str] = &["tokio.runtime.name"];
const BY_WORKER: &[&str] = &["tokio.runtime.name", "tokio.worker.index"];

static WORKERS: Definition = Definition {
    name: "tokio.workers",
    instrument: Instrument::Gauge,
    unit: "{worker}",
    attributes: BY_RUNTIME,
    help: "Number of threads on which the runtime runs tasks",
};
static ALIVE_TASKS: Definition = Definition {
    name: "tokio.alive_tasks",
    instrument: Instrument::Gauge,
    unit: "{task}",
    attributes: BY_RUNTIME,
    help: "Number of tasks of the runtime that have not ended",
};
static GLOBAL_QUEUE: Definition = Definition {
    name: "tokio.global_queue_depth",
    instrument: Instrument::Gauge,
    unit: "{task}",
    attributes: BY_RUNTIME,
    help: "Number of tasks in the queue that all workers of the runtime share",
};
static BUSY_TIME: Definition = Definition {
    name: "tokio.worker.busy_time",
    instrument: Instrument::Counter,
    unit: "s",
    attributes: BY_WORKER,
    help: "Time that the worker was busy with tasks",
};
static PARKS: Definition = Definition {
    name: "tokio.worker.parks",
    instrument: Instrument::Counter,
    unit: "{park}",
    attributes: BY_WORKER,
    help: "Number of times the worker went to sleep for want of tasks",
};
static TIMER_DELAY: Definition = Definition {
    name: "tokio.timer.delay",
    instrument: Instrument::Histogram(&[0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5]),
    unit: "s",
    attributes: BY_RUNTIME,
    help: "How late a task on the runtime woke from a sleep; tokio's timer rounds up to 1 ms",
};

/// The metrics that this part fills.
pub(crate) static DEFINITIONS: &[&Definition] = &[
    &WORKERS,
    &ALIVE_TASKS,
    &GLOBAL_QUEUE,
    &BUSY_TIME,
    &PARKS,
    &TIMER_DELAY,
    #[cfg(tokio_unstable)]
    &unstable::BLOCKING_THREADS,
    #[cfg(tokio_unstable)]
    &unstable::IDLE_BLOCKING_THREADS,
    #[cfg(tokio_unstable)]
    &unstable::BLOCKING_QUEUE,
    #[cfg(tokio_unstable)]
    &unstable::SPAWNED_TASKS,
    #[cfg(tokio_unstable)]
    &unstable::FORCED_YIELDS,
    #[cfg(tokio_unstable)]
    &unstable::POLLS,
    #[cfg(tokio_unstable)]
    &unstable::LOCAL_QUEUE,
];

/// Shows the metrics of one tokio runtime, until it is dropped.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use tokio::runtime::Handle;
/// use vitalsign::{RuntimeMetrics, metrics::Store};
///
/// let store = Store::new();
/// let _main = RuntimeMetrics::register(&store, RuntimeMetrics::MAIN, &Handle::current());
/// # }
/// ```
#[derive(Debug)]
#[must_use = "the metrics go when this is dropped"]
pub struct RuntimeMetrics {
    _probe: Option<Probe>,
    /// Whom the store asks for as long as it lives.
    _watched: Arc<dyn Observe>,
}

impl RuntimeMetrics {
    /// What a program calls its runtime that has only one.
    pub const MAIN: &str = "main";

    /// Shows the metrics of the runtime behind `handle` in `store`, as those of `name`, which no other runtime has.
    ///
    /// Starts a task on the runtime that measures how late it is. The runtime's timer must be enabled, as
    /// `#[tokio::main]` and `Builder::enable_all` do.
    pub fn register(store: &Store, name: &str, handle: &Handle) -> Self {
        let (watched, delays) = Self::new(store, name, handle, true);
        let probe = Probe(supervisor::task_on(handle, probe(delays)).abort_handle());
        Self { _probe: Some(probe), ..watched }
    }

    /// The same without a task that measures how late the runtime is, for one that has a task with timers anyway: what
    /// that one finds goes into the histogram that comes with it. And without the workers, of which that one keeps some
    /// back, in tasks that tokio counts as work.
    pub(crate) fn without_probe(store: &Store, name: &str, handle: &Handle) -> (Self, Histogram) {
        Self::new(store, name, handle, false)
    }

    fn new(store: &Store, name: &str, handle: &Handle, by_worker: bool) -> (Self, Histogram) {
        let mut scope = store.scope();
        let delay = scope.histogram(&TIMER_DELAY, &[name]);
        let watched: Arc<dyn Observe> = Arc::new(Watched::new(scope, name, handle, by_worker));
        store.observe(&watched);
        (Self { _probe: None, _watched: watched }, delay)
    }
}

/// The task that measures; it ends with this.
#[derive(Debug)]
struct Probe(AbortHandle);

impl Drop for Probe {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Records for ever how late its runtime is.
async fn probe(delay: Histogram) {
    loop {
        let due = Instant::now() + NAP;
        sleep_until(due).await;
        delay.observe(due.elapsed().as_secs_f64());
    }
}

/// One runtime and its series.
struct Watched {
    metrics: tokio::runtime::RuntimeMetrics,
    workers: Gauge,
    alive_tasks: Gauge,
    global_queue: Gauge,
    #[cfg(target_has_atomic = "64")]
    by_worker: Vec<(Gauge, Gauge)>,
    #[cfg(tokio_unstable)]
    unstable: unstable::Watched,
    _scope: Scope,
}

impl Watched {
    fn new(mut scope: Scope, name: &str, handle: &Handle, by_worker: bool) -> Self {
        let metrics = handle.metrics();
        Self {
            workers: scope.gauge(&WORKERS, &[name]),
            alive_tasks: scope.gauge(&ALIVE_TASKS, &[name]),
            global_queue: scope.gauge(&GLOBAL_QUEUE, &[name]),
            #[cfg(target_has_atomic = "64")]
            by_worker: (0..if by_worker { metrics.num_workers() } else { 0 })
                .map(|worker| {
                    let worker = worker.to_string();
                    let mut series = |definition| scope.observed(definition, &[name, worker.as_str()]);
                    (series(&BUSY_TIME), series(&PARKS))
                })
                .collect(),
            #[cfg(tokio_unstable)]
            unstable: unstable::Watched::new(&mut scope, name, &metrics),
            metrics,
            _scope: scope,
        }
    }
}

impl Observe for Watched {
    fn observe(&self) {
        let metrics = &self.metrics;
        self.workers.set(metrics.num_workers() as f64);
        self.alive_tasks.set(metrics.num_alive_tasks() as f64);
        self.global_queue.set(metrics.global_queue_depth() as f64);
        #[cfg(target_has_atomic = "64")]
        for (worker, (busy_time, parks)) in self.by_worker.iter().enumerate() {
            busy_time.set(metrics.worker_total_busy_duration(worker).as_secs_f64());
            parks.set(metrics.worker_park_count(worker) as f64);
        }
        #[cfg(tokio_unstable)]
        self.unstable.observe(metrics);
    }
}

#[cfg(test)]
mod tests;
#[cfg(tokio_unstable)]
mod unstable;

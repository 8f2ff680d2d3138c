//! What tokio tells only where it was built with `--cfg tokio_unstable`.

use tokio::runtime::RuntimeMetrics;

use super::{BY_RUNTIME, BY_WORKER};
use crate::metrics::{Gauge, Scope};
use crate::model::{Definition, Instrument};

pub(super) static BLOCKING_THREADS: Definition = Definition {
    name: "tokio.blocking_threads",
    instrument: Instrument::Gauge,
    unit: "{thread}",
    attributes: BY_RUNTIME,
    help: "Number of threads that the runtime has for code that blocks",
};
pub(super) static IDLE_BLOCKING_THREADS: Definition = Definition {
    name: "tokio.idle_blocking_threads",
    instrument: Instrument::Gauge,
    unit: "{thread}",
    attributes: BY_RUNTIME,
    help: "Number of threads for code that blocks that have nothing to do",
};
pub(super) static BLOCKING_QUEUE: Definition = Definition {
    name: "tokio.blocking_queue_depth",
    instrument: Instrument::Gauge,
    unit: "{task}",
    attributes: BY_RUNTIME,
    help: "Number of pieces of code that wait for a thread to block",
};
pub(super) static SPAWNED_TASKS: Definition = Definition {
    name: "tokio.spawned_tasks",
    instrument: Instrument::Counter,
    unit: "{task}",
    attributes: BY_RUNTIME,
    help: "Number of tasks that the runtime was given",
};
pub(super) static FORCED_YIELDS: Definition = Definition {
    name: "tokio.budget_forced_yields",
    instrument: Instrument::Counter,
    unit: "{yield}",
    attributes: BY_RUNTIME,
    help: "Number of times a task had to make way because it had used up its budget",
};
pub(super) static POLLS: Definition = Definition {
    name: "tokio.worker.polls",
    instrument: Instrument::Counter,
    unit: "{poll}",
    attributes: BY_WORKER,
    help: "Number of times the worker went on with a task",
};
pub(super) static LOCAL_QUEUE: Definition = Definition {
    name: "tokio.worker.local_queue_depth",
    instrument: Instrument::Gauge,
    unit: "{task}",
    attributes: BY_WORKER,
    help: "Number of tasks in the worker's own queue",
};

/// The series of one runtime.
pub(super) struct Watched {
    blocking_threads: Gauge,
    idle_blocking_threads: Gauge,
    blocking_queue: Gauge,
    spawned_tasks: Gauge,
    forced_yields: Gauge,
    by_worker: Vec<(Gauge, Gauge)>,
}

impl Watched {
    pub(super) fn new(scope: &mut Scope, name: &str, metrics: &RuntimeMetrics) -> Self {
        Self {
            blocking_threads: scope.gauge(&BLOCKING_THREADS, &[name]),
            idle_blocking_threads: scope.gauge(&IDLE_BLOCKING_THREADS, &[name]),
            blocking_queue: scope.gauge(&BLOCKING_QUEUE, &[name]),
            spawned_tasks: scope.observed(&SPAWNED_TASKS, &[name]),
            forced_yields: scope.observed(&FORCED_YIELDS, &[name]),
            by_worker: (0..metrics.num_workers())
                .map(|worker| {
                    let worker = worker.to_string();
                    let mut series = |definition| scope.observed(definition, &[name, worker.as_str()]);
                    (series(&POLLS), series(&LOCAL_QUEUE))
                })
                .collect(),
        }
    }

    pub(super) fn observe(&self, metrics: &RuntimeMetrics) {
        self.blocking_threads.set(metrics.num_blocking_threads() as f64);
        self.idle_blocking_threads.set(metrics.num_idle_blocking_threads() as f64);
        self.blocking_queue.set(metrics.blocking_queue_depth() as f64);
        #[cfg(target_has_atomic = "64")]
        {
            self.spawned_tasks.set(metrics.spawned_tasks_count() as f64);
            self.forced_yields.set(metrics.budget_forced_yield_count() as f64);
        }
        for (worker, (polls, local_queue)) in self.by_worker.iter().enumerate() {
            #[cfg(target_has_atomic = "64")]
            polls.set(metrics.worker_poll_count(worker) as f64);
            local_queue.set(metrics.worker_local_queue_depth(worker) as f64);
        }
    }
}

//! The runtimes of the runner: its own, and one for the code of an embedding program where there is any. What runs where,
//! and what it costs, is the runner's business.

use std::convert::Infallible;
use std::io;
use std::sync::mpsc::Sender;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::collect::RuntimeMetrics;
use crate::health::Pulse;
use crate::metrics::Store;
use crate::runner::{Crew, Looked, MAX_THREADS, look_after};

/// Workers of its own runtime, of which one does the work, and the others are kept back until that one is kept.
const WORKERS: usize = 8;
/// Workers for what functions wait for and start beside themselves.
const FOREIGN_WORKERS: usize = 4;
/// Threads beside those of the runner, for what the code of an embedding program blocks on its own account.
const OTHER_THREADS: usize = 64;
/// How long a thread that a check had waits for more work: longer than it is from one run of a check to the next by
/// default, because a new thread costs more than the run.
const BLOCKING_IDLE: Duration = Duration::from_secs(20);

/// The runtimes of the runner. Dropped, they end without waiting: what still keeps a thread then goes with the process.
/// Tokio's own drop would wait for that, for ever if need be, and would panic in asynchronous code.
#[derive(Debug)]
pub(crate) struct RunnerRuntime {
    own: Option<Runtime>,
    foreign: Option<Runtime>,
    crew: Crew,
    /// Ends the thread that looks after them, by going.
    _looked_after: Sender<Infallible>,
}

impl RunnerRuntime {
    /// Starts them, for checks of which some are `foreign` code.
    pub(crate) fn start(foreign: bool) -> io::Result<Self> {
        let own = runtime("vitalsign-run", WORKERS)?;
        let foreign = if foreign { Some(runtime("vitalsign-fn", FOREIGN_WORKERS)?) } else { None };
        let mut looked = vec![Looked::new(own.handle().clone(), WORKERS - 1)];
        looked.extend(foreign.as_ref().map(|foreign| Looked::new(foreign.handle().clone(), 0)));
        let looked_after = look_after(looked)?;
        let crew = Crew::apart(own.handle().clone(), foreign.as_ref().unwrap_or(&own).handle().clone());
        Ok(Self { own: Some(own), foreign, crew, _looked_after: looked_after })
    }

    /// Who does the work.
    pub(crate) fn crew(&self) -> &Crew {
        &self.crew
    }

    /// The metrics of its own runtime, under the name `runner`; how late it is, its pulse says.
    pub(super) fn metrics(&self, store: &Store, pulse: &Pulse) -> Option<RuntimeMetrics> {
        let handle = self.own.as_ref()?.handle();
        let (metrics, delays) = RuntimeMetrics::without_probe(store, "runner", handle);
        pulse.record_in(delays);
        Some(metrics)
    }

    /// Does `work` where the tasks that it starts run on its own runtime.
    pub(super) fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        let _on_runtime = self.own.as_ref().map(Runtime::enter);
        work()
    }

    /// Waits for `work` on its own runtime.
    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.own.as_ref().map(|own| own.block_on(work))
    }
}

fn runtime(name: &str, workers: usize) -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(workers)
        .max_blocking_threads(MAX_THREADS + OTHER_THREADS)
        .thread_keep_alive(BLOCKING_IDLE)
        .thread_name(name)
        .enable_all()
        .build()
}

impl Drop for RunnerRuntime {
    fn drop(&mut self) {
        self.crew.dismiss();
        for runtime in [self.own.take(), self.foreign.take()].into_iter().flatten() {
            runtime.shutdown_background();
        }
    }
}

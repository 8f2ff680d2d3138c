//! The runtime of the runner, which has to stand what checks of an embedding program do to it: block its threads.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::collect::RuntimeMetrics;
use crate::metrics::Store;
use crate::supervisor;

/// Threads that run checks. They wait most of the time; with a second one the others go on while one check blocks.
const RUNNER_THREADS: usize = 2;
/// Threads for what blocks: blocking checks and name look-ups.
const BLOCKING_THREADS: usize = 64;
/// How long timers and sockets may go unnoticed after a check began to block its thread.
const WAKE_EVERY: Duration = Duration::from_millis(100);

/// The runtime of the runner. Dropped, it ends without waiting: what still blocks a thread then goes with the process.
/// Tokio's own drop would wait for that, for ever if need be, and would panic in asynchronous code.
#[derive(Debug)]
pub(super) struct RunnerRuntime {
    runtime: Option<Runtime>,
    /// Ends the thread below by going.
    _awake: mpsc::Sender<()>,
}

impl RunnerRuntime {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(RUNNER_THREADS)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("vitalsign-run")
            .enable_all()
            .build()?;
        // The thread that was the last to wait for timers and sockets may be the one that a check now blocks; tokio wakes
        // no other one to wait in its place until somebody outside has work for it. So somebody has, now and then.
        let (awake, gone) = mpsc::channel();
        let handle = runtime.handle().clone();
        supervisor::thread("vitalsign-wake", move || {
            while gone.recv_timeout(WAKE_EVERY) == Err(RecvTimeoutError::Timeout) {
                let _on_runtime = handle.enter();
                drop(supervisor::task(std::future::ready(())));
            }
        })?;
        Ok(Self { runtime: Some(runtime), _awake: awake })
    }

    /// Its metrics, under the name `runner`.
    pub(super) fn metrics(&self, store: &Store) -> Option<RuntimeMetrics> {
        self.runtime.as_ref().map(|runtime| RuntimeMetrics::register(store, "runner", runtime.handle()))
    }

    /// Does `work` where the tasks that it starts run here.
    pub(super) fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        let _on_runtime = self.runtime.as_ref().map(Runtime::enter);
        work()
    }
}

impl Drop for RunnerRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

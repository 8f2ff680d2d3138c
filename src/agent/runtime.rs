//! The runtime of the runner, which has to stand what checks of an embedding program do to it: block its threads.
//!
//! Kinds out of a configuration never do, so where there are only those it is one thread, which wakes for its work alone.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use tokio::runtime::{Handle, Runtime};

use crate::collect::RuntimeMetrics;
use crate::health::Pulse;
use crate::metrics::Store;
use crate::supervisor;

/// Threads that run checks where one of those may block its thread: with a second one the others go on meanwhile.
const THREADS_TO_BLOCK: usize = 2;
/// Threads for what blocks: blocking checks.
const BLOCKING_THREADS: usize = 64;
/// How long a thread for what blocks waits for more work: longer than it is from one run of a check to the next by
/// default, because a new thread costs more than the run.
const BLOCKING_IDLE: Duration = Duration::from_secs(20);
/// How long timers and sockets may go unnoticed after a check began to block its thread.
const WAKE_EVERY: Duration = Duration::from_millis(100);

/// The runtime of the runner. Dropped, it ends without waiting: what still blocks a thread then goes with the process.
/// Tokio's own drop would wait for that, for ever if need be, and would panic in asynchronous code.
#[derive(Debug)]
pub(super) struct RunnerRuntime {
    runtime: Option<Runtime>,
    /// Ends the thread that keeps it awake, by going.
    _awake: Option<mpsc::Sender<()>>,
}

impl RunnerRuntime {
    /// A runtime, for checks of which one `may_block` the thread that it runs on.
    pub(super) fn start(may_block: bool) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(if may_block { THREADS_TO_BLOCK } else { 1 })
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_keep_alive(BLOCKING_IDLE)
            .thread_name("vitalsign-run")
            .enable_all()
            .build()?;
        let awake = if may_block { Some(keep_awake(runtime.handle().clone())?) } else { None };
        Ok(Self { runtime: Some(runtime), _awake: awake })
    }

    /// Its metrics, under the name `runner`; how late it is, its pulse says.
    pub(super) fn metrics(&self, store: &Store, pulse: &Pulse) -> Option<RuntimeMetrics> {
        let handle = self.runtime.as_ref()?.handle();
        let (metrics, delays) = RuntimeMetrics::without_probe(store, "runner", handle);
        pulse.record_in(delays);
        Some(metrics)
    }

    /// Does `work` where the tasks that it starts run here.
    pub(super) fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        let _on_runtime = self.runtime.as_ref().map(Runtime::enter);
        work()
    }
}

/// The thread that was the last to wait for timers and sockets may be the one that a check now blocks; tokio wakes no
/// other one to wait in its place until somebody outside has work for it. So somebody has, now and then.
fn keep_awake(handle: Handle) -> io::Result<mpsc::Sender<()>> {
    let (awake, gone) = mpsc::channel();
    supervisor::thread("vitalsign-wake", move || {
        while gone.recv_timeout(WAKE_EVERY) == Err(RecvTimeoutError::Timeout) {
            drop(supervisor::task_on(&handle, std::future::ready(())));
        }
    })?;
    Ok(awake)
}

impl Drop for RunnerRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

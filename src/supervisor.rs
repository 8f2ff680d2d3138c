//! The one place that starts tasks and threads, so that each of them has somebody who waits for it.
//!
//! Everything else hands its work in here; a lint refuses spawning anywhere else.

use std::future::Future;
use std::io;
use std::thread;

use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinError, JoinHandle, JoinSet};
use tokio_util::task::TaskTracker;

/// Starts one piece of work whose handle the caller keeps.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub(crate) fn task<F>(work: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(work)
}

/// The same on the runtime behind `handle`, which may be the embedding program's.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub(crate) fn task_on<F>(handle: &Handle, work: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    handle.spawn(work)
}

/// Starts work that blocks its thread, on the runtime's threads for that; the caller bounds how many.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub(crate) fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    tokio::task::spawn_blocking(work)
}

/// The same on the threads of the runtime behind `handle`.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub(crate) fn blocking_on<T: Send + 'static>(
    handle: &Handle,
    work: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    handle.spawn_blocking(work)
}

/// Stack of a thread: what the standard library gives unless RUST_MIN_STACK says otherwise.
const STACK: usize = 2 << 20;

/// Starts a thread.
///
/// # Errors
/// When the system gives no thread.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub(crate) fn thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<thread::JoinHandle<T>> {
    thread::Builder::new().name(name.to_owned()).stack_size(STACK).spawn(work)
}

/// Tasks that should live until they are told to stop; one that ends earlier is an error.
#[derive(Debug, Default)]
pub(crate) struct Tasks(JoinSet<&'static str>);

/// A task that ended although nobody asked it to.
#[derive(Debug)]
pub struct EndedEarly {
    /// What the task was for; none where it panicked.
    pub task: Option<&'static str>,
}

impl std::fmt::Display for EndedEarly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.task {
            Some(task) => write!(f, "the {task} task ended early: this is a defect, report it"),
            None => f.write_str("a task panicked: this is a defect, report it"),
        }
    }
}

impl std::error::Error for EndedEarly {}

impl Tasks {
    /// Starts a task; `what` names it in messages.
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    pub(crate) fn start(
        &mut self,
        what: &'static str,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> AbortHandle {
        self.0.spawn(async move {
            work.await;
            what
        })
    }

    /// Waits until one of the tasks ends; for ever while there is none.
    pub(crate) async fn ended(&mut self) -> EndedEarly {
        match self.0.join_next().await {
            Some(ended) => EndedEarly { task: ended.ok() },
            None => std::future::pending().await,
        }
    }

    /// Waits for all tasks, which were told to stop; then ends what is left when `deadline` passes.
    pub(crate) async fn finish(mut self, deadline: tokio::time::Instant) -> Result<(), JoinError> {
        let all = async {
            let mut worst = Ok(());
            while let Some(ended) = self.0.join_next().await {
                if let Err(error) = ended {
                    worst = Err(error);
                }
            }
            worst
        };
        let in_time = tokio::time::timeout_at(deadline, all).await;
        in_time.unwrap_or_else(|_| {
            self.0.abort_all();
            Ok(())
        })
    }
}

/// Tasks that come and go, such as one a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guests(TaskTracker);

impl Guests {
    /// Starts a task.
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    pub(crate) fn start(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(work);
    }

    /// Waits until all have ended, until `deadline` at most.
    pub(crate) async fn finish(&self, deadline: tokio::time::Instant) {
        self.0.close();
        // Those that are left end with their runtime.
        let _ = tokio::time::timeout_at(deadline, self.0.wait()).await;
    }
}

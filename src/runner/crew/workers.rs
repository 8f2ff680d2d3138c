//! Spare workers of a runtime, and the thread that puts one in the place of a worker that code keeps.
//!
//! Costs a wake-up of that thread and one of a worker four times a second, some 30 µs together. A worker that joins the
//! others does so for good.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use tokio::runtime::Handle;

use crate::supervisor;

/// How long a worker may be kept before another takes its place.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The same where the one in its place is kept too.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A runtime whose workers are looked after.
#[derive(Debug)]
pub(crate) struct Looked {
    runtime: Handle,
    /// The workers that are kept back.
    spare: Vec<Sender<Infallible>>,
    /// Whether a worker came to the last small task.
    answered: Arc<AtomicBool>,
}

impl Looked {
    /// The runtime behind this handle, of whose workers `spare` are kept back.
    pub(crate) fn new(runtime: Handle, spare: usize) -> Self {
        let spare = (0..spare).map(|_| keep_back(&runtime)).collect();
        Self { runtime, spare, answered: Arc::new(AtomicBool::new(true)) }
    }

    /// Gives the workers a small task, or where none has come to the last one a further worker; whether one has.
    ///
    /// The task has another use. The worker that was the last to wait for timers and sockets may be one that is kept now,
    /// and tokio wakes no other to wait in its place until somebody outside has work for it.
    fn look(&mut self) -> bool {
        let answered = self.answered.swap(false, Ordering::Relaxed);
        if answered {
            let answered = Arc::clone(&self.answered);
            let answer = async move { answered.store(true, Ordering::Relaxed) };
            drop(supervisor::task_on(&self.runtime, answer));
        } else {
            drop(self.spare.pop());
        }
        answered
    }
}

/// Looks after the workers of these runtimes, until what it gives is dropped.
///
/// # Errors
/// When the system gives no thread.
pub(crate) fn look_after(mut runtimes: Vec<Looked>) -> io::Result<Sender<Infallible>> {
    let (kept, gone) = mpsc::channel();
    supervisor::thread("vitalsign-look", move || {
        let mut wait = LOOK_EVERY;
        while gone.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
            let kept = runtimes.iter_mut().map(Looked::look).filter(|answered| !answered).count();
            wait = if kept == 0 { LOOK_EVERY } else { LOOK_AGAIN };
        }
    })?;
    Ok(kept)
}

/// Keeps a worker of the runtime behind `handle` from all work, for as long as the other end is there. A worker that only
/// has nothing to do is woken by tokio whenever two tasks are ready at once, and once more in vain, which costs a run as
/// much as its connection; one that is kept back costs its stack.
fn keep_back(handle: &Handle) -> Sender<Infallible> {
    let (kept, back) = mpsc::channel();
    drop(supervisor::task_on(handle, async move {
        let _ = back.recv();
    }));
    kept
}

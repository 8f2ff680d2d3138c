//! Lines on their way to standard error: a bounded queue and one thread that writes, so that logging never waits for
//! whoever reads them.
//!
//! A line costs a copy under a lock that nobody holds while writing. What finds the queue full is dropped, counted, and
//! told in one line when writing works again; so is what an error of the output costs. Order is kept. Own code, because
//! the usual crate (tracing-appender) starts its thread by itself, does not tell when writing works again, and brings
//! files that roll with the crates for them.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tracing::error;
use tracing_subscriber::fmt::MakeWriter;

use crate::metrics::{Counter, Store};
use crate::model::{Definition, Instrument};
use crate::supervisor;

pub(super) static DROPPED: Definition = Definition {
    name: "vitalsign.log.lines.dropped",
    instrument: Instrument::Counter,
    unit: "{line}",
    attributes: &[],
    help: "Number of log lines that standard error did not take: it was not read, or writing to it failed",
};

/// How many bytes wait at most, beside as many that are being written: 2,500 lines.
const LIMIT: usize = 512 << 10;
/// How much memory is kept for the next lines.
const KEPT: usize = 16 << 10;

/// Where lines are put; every copy leads to the same place.
#[derive(Clone, Debug)]
pub struct Queue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// There is something to write.
    more: Condvar,
    /// Nothing is left to write.
    done: Condvar,
    dropped: Counter,
}

#[derive(Debug, Default)]
struct State {
    /// Whole lines.
    waiting: Vec<u8>,
    /// The thread writes what it took.
    writing: bool,
    /// The last write failed.
    failed: bool,
    /// Lines that were dropped and that no line has told.
    untold: u64,
}

impl State {
    /// Whether a line about dropped lines would come out.
    fn can_tell(&self) -> bool {
        self.untold > 0 && !self.failed
    }

    fn idle(&self) -> bool {
        self.waiting.is_empty() && !self.can_tell()
    }
}

impl Queue {
    /// A queue whose lines go to standard error; `store` gets the number of those that do not. For a program: the thread
    /// ends with the process.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn to_standard_error(store: &Store) -> io::Result<Self> {
        // Not through its lock: whoever held that while nobody reads would hold up the panic messages of others.
        Self::to(io::stderr(), store)
    }

    fn to(output: impl AsFd + Send + 'static, store: &Store) -> io::Result<Self> {
        let shared = Shared {
            state: Mutex::default(),
            more: Condvar::new(),
            done: Condvar::new(),
            dropped: store.counter(&DROPPED, &[]),
        };
        let shared = Arc::new(shared);
        let writer = Arc::clone(&shared);
        supervisor::thread("vitalsign-log", move || writer.write_for_ever(&output))?;
        Ok(Self(shared))
    }

    /// Puts whole lines at the end, or drops them.
    pub fn put(&self, lines: &[u8]) {
        let mut state = self.0.state.lock();
        if state.waiting.len() + lines.len() > LIMIT {
            self.0.lose(&mut state, lines);
        } else {
            state.waiting.extend_from_slice(lines);
        }
        drop(state);
        self.0.more.notify_one();
    }

    /// Waits until all lines are written, so long at most where that is given; whether they are.
    pub fn flush(&self, within: Option<Duration>) -> bool {
        let deadline = within.and_then(|within| Instant::now().checked_add(within));
        let mut state = self.0.state.lock();
        let mut in_time = true;
        while in_time && (state.writing || !state.idle()) {
            match deadline {
                Some(deadline) => in_time = !self.0.done.wait_until(&mut state, deadline).timed_out(),
                None => self.0.done.wait(&mut state),
            }
        }
        !state.writing && state.idle()
    }
}

impl Shared {
    fn write_for_ever(&self, output: &impl AsFd) {
        let mut lines = Vec::new();
        loop {
            let mut state = self.state.lock();
            state.writing = false;
            while state.idle() {
                self.done.notify_all();
                self.more.wait(&mut state);
            }
            std::mem::swap(&mut lines, &mut state.waiting);
            let untold = if state.failed { 0 } else { std::mem::take(&mut state.untold) };
            state.writing = true;
            drop(state);
            if untold > 0 {
                // Goes the way of all lines; the queue has room, because it has just been emptied.
                error!(lines = untold, "log lines were dropped because standard error was not read");
            }
            let left = write_all(output, &lines);
            let mut state = self.state.lock();
            state.failed = left.is_some();
            if let Some(left) = left {
                self.lose(&mut state, left);
            }
            drop(state);
            lines.clear();
            lines.shrink_to(KEPT);
        }
    }

    fn lose(&self, state: &mut State, lines: &[u8]) {
        let count = lines.iter().filter(|byte| **byte == b'\n').count();
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        state.untold = state.untold.saturating_add(count);
        self.dropped.add(count);
    }
}

/// Writes all of `bytes`, however long it takes; what is left of them where that fails.
fn write_all<'a>(output: &impl AsFd, mut bytes: &'a [u8]) -> Option<&'a [u8]> {
    while !bytes.is_empty() {
        match rustix::io::write(output, bytes) {
            Ok(0) => return Some(bytes),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            // Who shares the output may have made it so that writing does not wait.
            Err(Errno::AGAIN) => {
                let _ = poll(&mut [PollFd::new(output, PollFlags::OUT)], None);
            }
            Err(_) => return Some(bytes),
        }
    }
    None
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Write for &Queue {
    /// The log writes whole lines.
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.put(lines);
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;

//! The one place that prints: answers on standard output, complaints on standard error.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::Duration;

use crate::agent::Plan;
use crate::metrics::Store;
use crate::model::printable;
use crate::telemetry::Queue;

/// The longest line of a complaint, in characters.
const LONGEST: usize = 4_000;

/// The log, where there is one: complaints stand in order with its lines, and wait for nobody either.
static LOG: OnceLock<Queue> = OnceLock::new();

/// The log of a program, whose last lines are written when this goes.
pub(super) struct Log {
    pub(super) queue: Queue,
    last_lines: Option<Duration>,
}

impl Log {
    /// Begins to log. The last lines have so much time, or as much as whoever reads them takes.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(store: &Store, last_lines: Option<Duration>) -> io::Result<Self> {
        let queue = Queue::to_standard_error(store)?;
        let queue = LOG.get_or_init(|| queue).clone();
        Ok(Self { queue, last_lines })
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.queue.flush(self.last_lines);
    }
}

/// Prints `text` as it is; the exit code is `code` where that worked, else a failure.
pub(super) fn print(text: &str, code: ExitCode) -> ExitCode {
    print_or(text, code, ExitCode::FAILURE)
}

/// The same, with another code for a failure.
pub(super) fn print_or(text: &str, code: ExitCode, failed: ExitCode) -> ExitCode {
    let mut output = io::stdout().lock();
    if printed(output.write_all(text.as_bytes()).and_then(|()| output.flush())) { code } else { failed }
}

/// Whether an answer got out; says so where it did not. A reader that has gone away had enough, which is no error.
pub(super) fn printed(result: io::Result<()>) -> bool {
    match result {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            complain(&format!("cannot write to standard output: {error}"));
            false
        }
        _ => true,
    }
}

/// Says where there is nothing that could fail.
pub(super) fn warn_of_emptiness(plan: &Plan) {
    if let Some(emptiness) = plan.emptiness() {
        complain(&format!("warning: {emptiness}"));
    }
}

/// Says what is wrong: texts of others may be in it, which must not steer the terminal.
pub(super) fn complain(what: &impl Display) {
    let text = what.to_string();
    let lines: Vec<_> = text.trim_end().lines().map(|line| printable(line, LONGEST)).collect();
    let text = format!("{}\n", lines.join("\n"));
    match LOG.get() {
        Some(log) => log.put(text.as_bytes()),
        // Nothing is left to do where it cannot be said.
        None => drop(io::stderr().lock().write_all(text.as_bytes())),
    }
}

//! What other parts have to say of themselves, in one line each, beside the checks: how the push stands, for one.
//!
//! Shown by `health` to operators; no state follows from it.

use std::fmt;

use parking_lot::Mutex;

type Line = Box<dyn Fn() -> String + Send + Sync>;

/// All who say something.
#[derive(Default)]
pub(super) struct Lines(Mutex<Vec<(&'static str, Line)>>);

impl Lines {
    pub(super) fn add(&self, who: &'static str, line: impl Fn() -> String + Send + Sync + 'static) {
        self.0.lock().push((who, Box::new(line)));
    }

    /// What they say now.
    pub(super) fn all(&self) -> Vec<(&'static str, String)> {
        self.0.lock().iter().map(|(who, line)| (*who, line())).collect()
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("lines")
    }
}

//! The one place that prints: answers on standard output, complaints on standard error.

use std::fmt::Display;
use std::io::{self, Write};

/// Prints `text` as it is. A reader that has gone away is no error of ours.
pub(super) fn print(text: &str) {
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

/// Says what is wrong.
pub(super) fn complain(what: &impl Display) {
    let text = what.to_string();
    let _ = writeln!(io::stderr().lock(), "{}", text.trim_end());
}

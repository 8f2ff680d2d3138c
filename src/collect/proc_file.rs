//! A text of the kernel as collectors read it: what this kernel does not have is left out, everything else that goes
//! wrong is noted.

use std::borrow::Cow;
use std::io;

use rustix::io::Errno;

use crate::model::Reason;

use super::{KernelFile, Root, Sheet};

/// A file under `/proc`, kept open.
#[derive(Debug)]
pub(super) struct ProcFile {
    path: &'static str,
    file: KernelFile,
    /// Whether a Linux without it is conceivable.
    optional: bool,
    /// How often in a row it was not there.
    missed: u32,
}

/// A file that was not there so often ...
const MISSED: u32 = 3;
/// ... is looked for this seldom: every how many readings.
const SELDOM: u32 = 16;

impl ProcFile {
    /// The file at `path` under `root`, which every Linux has.
    pub(super) fn new(root: &Root, path: &'static str) -> Self {
        Self { path, file: root.file(path), optional: !cfg!(target_os = "linux"), missed: 0 }
    }

    /// The file at `path` under `root`, which depends on how the kernel was built and started.
    pub(super) fn optional(root: &Root, path: &'static str) -> Self {
        Self { optional: true, ..Self::new(root, path) }
    }

    /// The same file, whose lines are a name and a number at most.
    pub(super) fn of_short_lines(self) -> Self {
        Self { file: self.file.of_short_lines(), ..self }
    }

    /// Its text now. Bytes that are no text, such as in a name that somebody gave, become U+FFFD.
    ///
    /// # Errors
    /// What opening and reading give, and [`InvalidData`](io::ErrorKind::InvalidData) where the last line has no end.
    pub(super) fn text(&mut self) -> io::Result<Cow<'_, str>> {
        let text = self.file.read()?;
        if text.last().is_some_and(|last| *last != b'\n') {
            return Err(garbled(self.path));
        }
        Ok(String::from_utf8_lossy(text))
    }

    /// Hands its text to `take`, which fills the sheet and gives `None` where the text is not as it should be.
    pub(super) fn read<T>(
        &mut self,
        sheet: &mut Sheet,
        take: impl FnOnce(&str, &mut Sheet) -> Option<T>,
    ) -> Option<T> {
        let (path, optional) = (self.path, self.optional);
        if optional && self.missed >= MISSED && !self.missed.is_multiple_of(SELDOM) {
            self.missed = self.missed.saturating_add(1);
            return None;
        }
        let before = std::mem::take(&mut self.missed);
        match self.text().and_then(|text| take(&text, sheet).ok_or_else(|| garbled(path))) {
            Ok(value) => Some(value),
            Err(error) => {
                if optional && is_absent(&error) {
                    self.missed = before.saturating_add(1);
                } else {
                    sheet.fail(reason(&error), format_args!("{path}: {error}"));
                }
                None
            }
        }
    }
}

/// The error for a text that is not as it should be.
pub(super) fn garbled(path: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{path} is not as expected"))
}

/// Why a file could not be read.
pub(super) fn reason(error: &io::Error) -> Reason {
    match error.kind() {
        io::ErrorKind::NotFound => Reason::NotFound,
        io::ErrorKind::PermissionDenied => Reason::Denied,
        io::ErrorKind::InvalidData => Reason::Protocol,
        _ => Reason::Other,
    }
}

/// Whether the kernel does not have it: no such file, or one that says that its subject is switched off.
fn is_absent(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || Errno::from_io_error(error) == Some(Errno::OPNOTSUPP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_switched_off_is_absent() {
        assert!(is_absent(&io::Error::from(Errno::OPNOTSUPP)));
        assert!(is_absent(&io::Error::from(Errno::NOENT)));
        assert!(!is_absent(&io::Error::from(Errno::ACCESS)));
        assert_eq!(reason(&io::Error::from(Errno::ACCESS)), Reason::Denied);
    }

    #[test]
    fn a_text_ends_with_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        let mut file = ProcFile::new(&root, "x");
        std::fs::write(root.join("x"), b"whole\xff\n").unwrap();
        assert_eq!(file.text().unwrap(), "whole\u{fffd}\n");
        std::fs::write(root.join("x"), "brok").unwrap();
        assert_eq!(reason(&file.text().unwrap_err()), Reason::Protocol);
        std::fs::write(root.join("x"), "").unwrap();
        assert_eq!(file.text().unwrap(), "");
    }
}

//! What an error of the directory means for who has to mend it.

use std::path::{Path, PathBuf};
use std::{fmt, io};

/// Why a directory cannot hold a spool.
#[derive(Debug)]
pub struct SpoolError {
    directory: PathBuf,
    cause: io::Error,
}

impl SpoolError {
    pub(super) fn new(directory: &Path, cause: impl Into<io::Error>) -> Self {
        Self { directory: directory.to_owned(), cause: cause.into() }
    }

    /// As an error of the disk.
    pub(super) fn into_cause(self) -> io::Error {
        self.cause
    }
}

impl fmt::Display for SpoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "otlp.spool.directory: {} {}", self.directory.display(), what_to_do(&self.cause))
    }
}

impl std::error::Error for SpoolError {}

/// The end of a sentence about the directory: what is wrong, and what to do.
pub(in crate::push) fn what_to_do(error: &io::Error) -> String {
    match error.kind() {
        // Of the lock.
        io::ErrorKind::WouldBlock => "is in use by another process: give each its own directory".to_owned(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "has no space left: make room".to_owned()
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "is on a read-only disk: mount it writable or choose another directory".to_owned()
        }
        io::ErrorKind::PermissionDenied => "may not be written: grant this user write access".to_owned(),
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => "is not a directory".to_owned(),
        kind => format!("cannot be used: {kind}"),
    }
}

//! Why a SQLite database did not answer, from errors of the system and SQLite's result codes.

use std::io;

use sqlx::Error;

use super::file::Unfit;
use crate::checks::reasons::{self, Failure};
use crate::model::{Cause, Outcome, Reason};

/// What a run can fail for.
pub(super) const REASONS: &[Reason] =
    &[Reason::NotFound, Reason::Denied, Reason::UnexpectedBody, Reason::Other];

/// The outcome of a file that is not read.
pub(super) fn of_file(unfit: &Unfit) -> Outcome {
    match unfit {
        Unfit::Empty => Outcome::caused_by(Cause::EmptyFile),
        Unfit::LoneLog => Outcome::caused_by(Cause::LoneLog),
        Unfit::Io(error) => {
            let failure = match error.kind() {
                io::ErrorKind::InvalidInput => Cause::NotAFile.into(),
                _ => match reasons::of_io(error) {
                    // Such as a link that leads to itself.
                    Failure { reason: Reason::Other, cause: None } => Cause::UnreadableFile.into(),
                    known => known,
                },
            };
            reasons::failed(failure, REASONS).because(error)
        }
    }
}

/// The outcome that an error stands for where the database itself could be opened before.
pub(super) fn of_reading(error: &Error) -> Outcome {
    match code(error) {
        Some(code) if code & 0xff == 14 => Outcome::caused_by(Cause::SideFileDenied).because(error),
        _ => of(error),
    }
}

fn code(error: &Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}

/// The outcome that an error stands for.
pub(in crate::checks) fn of(error: &Error) -> Outcome {
    let failure = match error {
        Error::Database(said) => of_code(code(error).unwrap_or_default(), said.message()),
        Error::Io(error) => reasons::of_io(error),
        _ => Reason::Other.into(),
    };
    reasons::failed(failure, REASONS).because(error)
}

/// What an extended result code stands for; its lowest byte is the result code. A file that holds something else than a
/// database, or a damaged one, has unexpected content.
fn of_code(code: i32, text: &str) -> Failure {
    match code & 0xff {
        5 | 6 => Cause::LockTimeout.into(),
        9 => Cause::QueryTimeout.into(),
        11 => Cause::DamagedDatabase.into(),
        26 => Cause::NotDatabase.into(),
        3 | 23 => Reason::Denied.into(),
        8 => match code {
            8 => Cause::QueryWrites.into(),
            264 | 1288 => Cause::ShmReadOnly.into(),
            776 => Cause::HotJournal.into(),
            _ => Cause::ReadOnlyDatabase.into(),
        },
        14 => Cause::CannotOpen.into(),
        10 => Cause::UnreadableFile.into(),
        7 | 18 => Cause::QueryTooLarge.into(),
        // SQLite has one code for all that it cannot compile.
        1 if text.starts_with("no such ") => Cause::NoSuchObject.into(),
        1 => Cause::InvalidQuery.into(),
        _ => Reason::Other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_reasons() {
        for (code, text, reason) in [
            (5, "database is locked", Reason::Timeout),
            (261, "database is locked", Reason::Timeout),
            (9, "interrupted", Reason::Timeout),
            (26, "file is not a database", Reason::UnexpectedBody),
            (11, "database disk image is malformed", Reason::UnexpectedBody),
            (1, "no such table: orders", Reason::NotFound),
            (1, "near \"selec\": syntax error", Reason::Other),
            (7, "out of memory", Reason::UnexpectedBody),
            (18, "string or blob too big", Reason::UnexpectedBody),
            (8, "attempt to write a readonly database", Reason::Denied),
            (1544, "attempt to write a readonly database", Reason::Denied),
            (-1, "", Reason::Other),
        ] {
            assert_eq!(of_code(code, text).reason, reason, "{code}");
        }
    }

    #[test]
    fn files_have_reasons() {
        let verdict = |kind: io::ErrorKind| of_file(&Unfit::Io(kind.into())).verdict;
        assert_eq!(verdict(io::ErrorKind::NotFound), crate::model::Verdict::Fail(Reason::NotFound));
        assert_eq!(verdict(io::ErrorKind::PermissionDenied), crate::model::Verdict::Fail(Reason::Denied));
        assert_eq!(verdict(io::ErrorKind::InvalidInput), crate::model::Verdict::Fail(Reason::Other));
    }
}

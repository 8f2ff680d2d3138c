//! Why a SQLite database did not answer, from errors of the system and SQLite's result codes.

use std::io;

use sqlx::Error;

use crate::checks::reasons;
use crate::model::{Outcome, Reason};

/// What a run can fail for.
pub(super) const REASONS: &[Reason] =
    &[Reason::NotFound, Reason::Denied, Reason::UnexpectedBody, Reason::Other];

/// The outcome that an error of the system stands for.
pub(super) fn of_file(error: &io::Error) -> Outcome {
    let outcome = reasons::failed(reasons::of_io(error), None, REASONS).because(error);
    if error.kind() == io::ErrorKind::InvalidInput {
        outcome.message("the path is not a file")
    } else {
        outcome
    }
}

/// The outcome that an error stands for.
pub(in crate::checks) fn of(error: &Error) -> Outcome {
    let (reason, message) = match error {
        Error::Database(error) => {
            of_code(error.code().and_then(|code| code.parse().ok()).unwrap_or_default(), error.message())
        }
        Error::Io(error) => (reasons::of_io(error), None),
        _ => (Reason::Other, None),
    };
    reasons::failed(reason, message, REASONS).because(error)
}

/// The reason of an extended result code, whose lowest byte is the result code. A file that holds something else than a
/// database, or a damaged one, has unexpected content.
fn of_code(code: i32, text: &str) -> (Reason, Option<&'static str>) {
    match code & 0xff {
        5 | 6 => (Reason::Timeout, Some("the database is locked")),
        9 => (Reason::Timeout, Some("the query was ended at the time limit")),
        11 => (Reason::UnexpectedBody, Some("the database is damaged")),
        26 => (Reason::UnexpectedBody, Some("the file is not a database")),
        3 | 23 => (Reason::Denied, None),
        8 => (Reason::Denied, Some("the database may only be read")),
        14 => (Reason::Other, Some("the database or a file beside it cannot be opened")),
        10 => (Reason::Other, Some("the file cannot be read")),
        7 => (Reason::Other, Some("no memory left")),
        // SQLite has one code for all that it cannot compile.
        1 if text.starts_with("no such ") => {
            (Reason::NotFound, Some("the query names something that does not exist"))
        }
        1 => (Reason::Other, Some("the query is not valid")),
        _ => (Reason::Other, None),
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
            (8, "attempt to write a readonly database", Reason::Denied),
            (1544, "attempt to write a readonly database", Reason::Denied),
            (-1, "", Reason::Other),
        ] {
            assert_eq!(of_code(code, text).0, reason, "{code}");
        }
    }

    #[test]
    fn files_have_reasons() {
        let verdict = |kind: io::ErrorKind| of_file(&kind.into()).verdict;
        assert_eq!(verdict(io::ErrorKind::NotFound), crate::model::Verdict::Fail(Reason::NotFound));
        assert_eq!(verdict(io::ErrorKind::PermissionDenied), crate::model::Verdict::Fail(Reason::Denied));
        assert_eq!(verdict(io::ErrorKind::InvalidInput), crate::model::Verdict::Fail(Reason::Other));
    }
}

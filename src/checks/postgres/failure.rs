//! Why PostgreSQL did not answer, from the driver's errors and the server's SQLSTATE codes.

use sqlx::Error;

use crate::checks::reasons;
use crate::model::{Outcome, Reason};

/// What a run can fail for.
pub(super) const REASONS: &[Reason] = &[
    Reason::Dns,
    Reason::ConnectionRefused,
    Reason::ConnectionReset,
    Reason::Unreachable,
    Reason::Tls,
    Reason::Auth,
    Reason::Denied,
    Reason::NotFound,
    Reason::PoolExhausted,
    Reason::Protocol,
    Reason::Other,
];

/// The outcome that an error stands for.
pub(in crate::checks) fn of(error: &Error) -> Outcome {
    let (reason, message) = match error {
        Error::Database(error) => of_state(error.code().as_deref().unwrap_or_default()),
        Error::Io(error) => (reasons::of_io(error), None),
        Error::Tls(_) => (Reason::Tls, None),
        Error::Protocol(_) => (Reason::Protocol, None),
        _ => (reasons::of_source(error).unwrap_or(Reason::Other), None),
    };
    reasons::failed(reason, message, REASONS).because(error)
}

/// Whether the error says that the connection had ended before it was used.
pub(super) fn is_lost(error: &Error) -> bool {
    match error {
        Error::Io(error) => reasons::of_io(error) == Reason::ConnectionReset,
        // Told to us before we asked: shut down, crashed, database dropped, idle for too long.
        Error::Database(error) => error.code().is_some_and(|code| code.starts_with("57P") && code != "57P03"),
        _ => false,
    }
}

/// The reason that a SQLSTATE stands for, and a public sentence where the reason alone says too little.
///
/// A server without a free slot for us is `pool_exhausted`: what ran out is connections, only on the server's side, and
/// the sentence says so. A server that is starting or stopping is reachable and answers, which none of the words for a
/// failed connection would say, so it is the rest with a sentence.
fn of_state(code: &str) -> (Reason, Option<&'static str>) {
    match code {
        "28000" | "28P01" => (Reason::Auth, None),
        "0A000" => (Reason::Other, Some("the server cannot run the query")),
        "25006" => (Reason::Denied, Some("the query would write")),
        "3D000" | "57P04" => (Reason::NotFound, Some("no such database")),
        "42P01" | "42703" | "42883" | "42704" | "3F000" => {
            (Reason::NotFound, Some("the query names something that does not exist"))
        }
        "42601" => (Reason::Other, Some("the query is not valid SQL, or more than one statement")),
        "53100" => (Reason::Other, Some("the server has no disk space left")),
        "53200" => (Reason::Other, Some("the server has no memory left")),
        "53300" => (Reason::PoolExhausted, Some("the server has no free connection")),
        "55P03" => (Reason::Timeout, Some("the query waited for a lock")),
        "57014" => (Reason::Timeout, Some("the server ended the query at its time limit")),
        "57P01" | "57P02" => (Reason::ConnectionReset, Some("the server ended the session")),
        "57P03" => (Reason::Other, Some("the server is starting, stopping or recovering")),
        "XX001" | "XX002" => (Reason::Other, Some("the server found damaged data")),
        _ => match code.get(..2) {
            Some("28") => (Reason::Auth, None),
            Some("42") if code == "42501" => (Reason::Denied, None),
            Some("08") => (Reason::Protocol, None),
            Some("22") => (Reason::Other, Some("the query failed on the data that it met")),
            Some("40") => (Reason::Other, Some("the server gave the query up in favour of others")),
            Some("42") => (Reason::Other, Some("the query is not valid")),
            Some("58") => (Reason::Other, Some("the server cannot read its own files")),
            _ => (Reason::Other, None),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn states_have_reasons() {
        for (code, reason) in [
            ("28P01", Reason::Auth),
            ("28000", Reason::Auth),
            ("42501", Reason::Denied),
            ("25006", Reason::Denied),
            ("3D000", Reason::NotFound),
            ("42P01", Reason::NotFound),
            ("42601", Reason::Other),
            ("53300", Reason::PoolExhausted),
            ("55P03", Reason::Timeout),
            ("57014", Reason::Timeout),
            ("57P01", Reason::ConnectionReset),
            ("57P03", Reason::Other),
            ("08P01", Reason::Protocol),
            ("XX000", Reason::Other),
            ("", Reason::Other),
            ("é€", Reason::Other),
        ] {
            assert_eq!(of_state(code).0, reason, "{code}");
        }
    }

    #[test]
    fn only_a_connection_that_had_ended_is_lost() {
        let io = |kind: io::ErrorKind| Error::Io(kind.into());
        assert!(is_lost(&io(io::ErrorKind::UnexpectedEof)));
        assert!(is_lost(&io(io::ErrorKind::ConnectionReset)));
        assert!(!is_lost(&io(io::ErrorKind::TimedOut)));
        assert!(!is_lost(&Error::Protocol("odd".to_owned())));
    }

    #[test]
    fn the_drivers_words_stay_private() {
        let outcome = of(&Error::Protocol("db.internal said 0x15".to_owned()));
        assert_eq!(outcome.message, None);
        assert!(outcome.cause.is_some_and(|cause| cause.contains("db.internal")));
    }
}

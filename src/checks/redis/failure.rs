//! Why Redis did not answer, from the driver's errors and the server's error codes.

use std::error::Error;
use std::io;
use std::sync::Arc;

use redis::{ErrorKind, RedisError};

use crate::checks::reasons::{self, Failure};
use crate::checks::tls;
use crate::model::{Cause, Outcome, Reason};

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
    Reason::UnexpectedBody,
    Reason::Other,
];

/// The outcome that an error stands for.
pub(super) fn of(error: &RedisError) -> Outcome {
    let by_code = error.code().and_then(|code| of_code(code, error.detail().unwrap_or_default()));
    let failure = match (by_code, error.kind()) {
        (Some(known), _) => known,
        (None, ErrorKind::AuthenticationFailed) => Reason::Auth.into(),
        (None, ErrorKind::Parse | ErrorKind::UnexpectedReturnType) => Reason::Protocol.into(),
        // What the driver calls so without an error of the system is an end in the middle.
        (None, ErrorKind::Io) => io_of(error).map_or(Reason::ConnectionReset.into(), reasons::of_io),
        (None, ErrorKind::Server(_) | ErrorKind::Extension) => Cause::ServerError.into(),
        (None, _) => Reason::Other.into(),
    };
    reasons::failed(failure, REASONS).because(error)
}

/// The outcome that an error of the connection stands for.
pub(super) fn of_io(error: &io::Error) -> Outcome {
    reasons::failed(reasons::of_io(error), REASONS).because(error)
}

/// The outcome that the end of a TLS handshake stands for.
pub(super) fn of_handshake(error: &io::Error) -> Outcome {
    reasons::failed(tls::of_handshake(error), REASONS).because(error)
}

/// The same for a socket of the machine: where there is none, no server runs.
pub(super) fn of_socket(error: &io::Error) -> Outcome {
    match error.kind() {
        io::ErrorKind::NotFound => reasons::failed(Cause::NoSocket, REASONS).because(error),
        _ => of_io(error),
    }
}

/// The error of the system inside; the driver shares it, so its type is hidden one level deeper.
fn io_of(error: &RedisError) -> Option<&io::Error> {
    let source = error.source()?;
    let shared = source.downcast_ref::<Arc<dyn Error + Send + Sync>>();
    source.downcast_ref().or_else(|| shared?.downcast_ref())
}

/// What the first word of a server's error stands for.
fn of_code(code: &str, detail: &str) -> Option<Failure> {
    Some(match code {
        "NOAUTH" => Cause::NoPassword.into(),
        "WRONGPASS" => Cause::WrongPassword.into(),
        "NOPERM" => Cause::CommandDenied.into(),
        "DENIED" => Cause::OnlyLocal.into(),
        "LOADING" => Cause::Loading.into(),
        "BUSY" => Cause::BusyScript.into(),
        "MISCONF" => Cause::CannotSave.into(),
        "MASTERDOWN" => Cause::MasterDown.into(),
        "CLUSTERDOWN" => Cause::ClusterDown.into(),
        "MOVED" | "ASK" => Cause::OtherNode.into(),
        "WRONGTYPE" => Cause::NoLength.into(),
        "ERR" if detail.contains("max number of clients") => Cause::NoFreeConnection.into(),
        "ERR" if detail.contains("DB index") => Cause::NoSuchDatabase.into(),
        // How versions before 6 say it.
        "ERR" if detail.contains("invalid password") => Cause::WrongPassword.into(),
        "ERR" if detail.contains("AUTH") => Cause::PasswordNotWanted.into(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Verdict;

    #[test]
    fn errors_of_the_system_have_reasons() {
        let verdict = |kind: io::ErrorKind| of(&RedisError::from(io::Error::from(kind))).verdict;
        assert_eq!(verdict(io::ErrorKind::ConnectionReset), Verdict::Fail(Reason::ConnectionReset));
        assert_eq!(verdict(io::ErrorKind::UnexpectedEof), Verdict::Fail(Reason::ConnectionReset));
        assert_eq!(verdict(io::ErrorKind::InvalidData), Verdict::Fail(Reason::Protocol));
        let tls = io::Error::new(io::ErrorKind::InvalidData, rustls::Error::DecryptError);
        assert_eq!(of(&RedisError::from(tls)).verdict, Verdict::Fail(Reason::Tls));
        let socket = of_socket(&io::ErrorKind::NotFound.into());
        assert_eq!(socket.verdict, Verdict::Fail(Reason::ConnectionRefused));
    }

    #[test]
    fn a_word_of_the_server_that_nobody_knows_is_still_the_servers() {
        for error in [ErrorKind::Extension, ErrorKind::Server(redis::ServerErrorKind::ResponseError)] {
            let outcome = of(&RedisError::from((error, "ERR no")));
            assert_eq!(outcome.cause, Some(Cause::ServerError));
        }
    }

    #[test]
    fn words_of_the_server_have_reasons() {
        for (code, detail, reason) in [
            ("WRONGPASS", "", Some(Reason::Auth)),
            ("NOPERM", "", Some(Reason::Denied)),
            ("ERR", "max number of clients reached", Some(Reason::PoolExhausted)),
            ("ERR", "invalid password", Some(Reason::Auth)),
            ("ERR", "DB index is out of range", Some(Reason::NotFound)),
            ("ERR", "unknown command", None),
            ("NEW", "", None),
        ] {
            assert_eq!(of_code(code, detail).map(|failure| failure.reason), reason, "{code} {detail}");
        }
    }
}

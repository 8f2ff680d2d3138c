//! Why PostgreSQL did not answer, from what went wrong on the way and the server's SQLSTATE codes.

use std::fmt;
use std::io;

use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::ErrorResponseBody;
use sqlx::postgres::PgDatabaseError;

use crate::checks::net::Unconnected;
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

/// What a pooler, PgBouncer above all, says in its own words, all under one code: how a text begins and what it stands
/// for.
const POOLER: [(&str, Cause); 14] = [
    ("password authentication failed", Cause::WrongPassword),
    ("SASL authentication failed", Cause::WrongPassword),
    ("auth failed", Cause::WrongPassword),
    ("no such user", Cause::WrongPassword),
    ("login rejected", Cause::PgHbaRefuses),
    ("no such database", Cause::NoSuchDatabase),
    ("no more connections allowed", Cause::NoFreeConnection),
    ("query_wait_timeout", Cause::PoolerFull),
    ("unsupported startup parameter", Cause::StartParameter),
    ("server login has been failing", Cause::PoolerAlone),
    ("pgbouncer cannot connect to server", Cause::PoolerAlone),
    ("client_login_timeout", Cause::PoolerAlone),
    ("SSL required", Cause::TlsRequired),
    ("TLS required", Cause::TlsRequired),
];

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Error {
    Unconnected(Unconnected),
    /// The socket of this machine.
    Socket(io::Error),
    /// The server went when it was asked for TLS.
    Request(io::Error),
    /// It has none.
    NoTls,
    /// It answered that with something else.
    NotPostgres,
    Tls(io::Error),
    /// The connection.
    Io(io::Error),
    /// Something came that should not come there, or that is nothing.
    Protocol(String),
    /// The server wants a password.
    NoPassword,
    /// It wants another proof than one of a password.
    NoPasswordWanted,
    Server(Said),
}

/// What a server says is wrong.
#[derive(Debug, Default)]
pub(super) struct Said {
    state: String,
    /// Where in the server's source.
    routine: String,
    /// Private, and of any language.
    message: String,
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Said {
    pub(super) fn read(body: &ErrorResponseBody) -> Result<Self, Error> {
        let mut said = Self::default();
        let mut fields = body.fields();
        while let Some(field) = fields.next().map_err(|error| Error::Protocol(error.to_string()))? {
            let into = match field.type_() {
                b'C' => &mut said.state,
                b'R' => &mut said.routine,
                b'M' => &mut said.message,
                _ => continue,
            };
            *into = String::from_utf8_lossy(field.value_bytes()).into_owned();
        }
        Ok(said)
    }
}

impl Error {
    /// Of what came while `what` was going on.
    pub(super) fn unexpected(what: &str) -> Self {
        Self::Protocol(format!("a message that does not belong to {what}"))
    }

    /// The outcome that it stands for.
    pub(super) fn outcome(&self) -> Outcome {
        reasons::failed(self.failure(), REASONS).because(self)
    }

    fn failure(&self) -> Failure {
        match self {
            Self::Unconnected(error) => error.failure,
            Self::Socket(error) if error.kind() == io::ErrorKind::NotFound => Cause::NoSocket.into(),
            Self::Request(error) => match reasons::of_io(error) {
                Failure { reason: Reason::ConnectionReset, .. } => Cause::TlsRequestClosed.into(),
                other => other,
            },
            Self::Socket(error) | Self::Io(error) => reasons::of_io(error),
            Self::NoTls => Cause::TlsNotOffered.into(),
            Self::NotPostgres => Cause::NotPostgres.into(),
            Self::Tls(error) => tls::of_handshake(error),
            Self::Protocol(_) => Reason::Protocol.into(),
            Self::NoPassword => Cause::NoPassword.into(),
            Self::NoPasswordWanted => Cause::PasswordNotAccepted.into(),
            Self::Server(Said { state, routine, message }) => of_server(state, routine, message),
        }
    }

    /// Whether it may be otherwise with TLS, or without: TLS failed, or the server lets nobody in as it is.
    pub(super) fn is_about_tls(&self) -> bool {
        let Failure { reason, cause } = self.failure();
        reason == Reason::Tls || matches!(cause, Some(Cause::PgHbaRefuses | Cause::TlsRequired))
    }

    /// Whether it says that the connection had ended before it was used.
    pub(super) fn is_lost(&self) -> bool {
        match self {
            Self::Io(error) => reasons::of_io(error).reason == Reason::ConnectionReset,
            // Told to us before we asked: shut down, crashed, database dropped, idle for too long.
            Self::Server(Said { state, .. }) => state.starts_with("57P") && state != "57P03",
            _ => false,
        }
    }
}

/// For the log.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unconnected(error) => error.fmt(f),
            Self::Socket(error) | Self::Request(error) | Self::Tls(error) | Self::Io(error) => error.fmt(f),
            Self::NoTls => f.write_str("the server offers no TLS"),
            Self::NotPostgres => f.write_str("an answer to SSLRequest that is neither S nor N"),
            Self::Protocol(text) => f.write_str(text),
            Self::NoPassword => f.write_str("the server asks for a password"),
            Self::NoPasswordWanted => f.write_str("no way of authentication that is known"),
            Self::Server(Said { state, message, .. }) => write!(f, "{state}: {message}"),
        }
    }
}

/// The outcome that an error of the driver stands for, which the application's own pools use.
pub(in crate::checks) fn of(error: &sqlx::Error) -> Outcome {
    let failure = match error {
        sqlx::Error::Database(said) => {
            let place = said.try_downcast_ref::<PgDatabaseError>().and_then(PgDatabaseError::routine);
            of_server(&said.code().unwrap_or_default(), place.unwrap_or_default(), said.message())
        }
        sqlx::Error::Io(error) => reasons::of_io(error),
        sqlx::Error::Tls(inner) if inner.to_string().contains("does not support TLS") => {
            Cause::TlsNotOffered.into()
        }
        sqlx::Error::Tls(_) => reasons::of_source(error).unwrap_or(Reason::Tls.into()),
        // The driver's words for the byte that it takes the end of the connection for, and for another.
        sqlx::Error::Protocol(text) if text.contains("SSLRequest: 0x00") => Cause::TlsRequestClosed.into(),
        sqlx::Error::Protocol(text) if text.contains("SSLRequest") => Cause::NotPostgres.into(),
        sqlx::Error::Protocol(_) => Reason::Protocol.into(),
        _ => reasons::of_source(error).unwrap_or(Reason::Other.into()),
    };
    reasons::failed(failure, REASONS).because(error)
}

/// What a server says. Its words, which may be of any language, are looked at only where code and place in its source
/// do not tell enough.
fn of_server(state: &str, place: &str, message: &str) -> Failure {
    match (state, place) {
        ("28000", "ClientAuthentication") => Cause::PgHbaRefuses.into(),
        ("28000", "InitializeSessionUserId") | ("28P01", _) => Cause::WrongPassword.into(),
        ("42501", "CheckMyDatabase") => Cause::DatabaseDenied.into(),
        // A query with a parameter, for which there is no value.
        ("08P01", "exec_bind_message") => Cause::InvalidQuery.into(),
        ("08P01", "") => {
            let known = POOLER.iter().find(|(text, _)| message.starts_with(text));
            known.map_or_else(|| of_state(state), |(_, cause)| (*cause).into())
        }
        (state, _) => of_state(state),
    }
}

/// What a SQLSTATE stands for.
///
/// A server without a free slot for us is `pool_exhausted`: what ran out is connections, only on the server's side, and
/// the cause says so. A server that is starting or stopping is reachable and answers, which none of the words for a
/// failed connection would say, so it is the rest with a cause.
fn of_state(state: &str) -> Failure {
    let coded = |reason: Reason| Failure { reason, cause: Cause::sql_state(state) };
    match state {
        "0A000" => Cause::QueryUnsupported.into(),
        "25006" => Cause::QueryWrites.into(),
        "3D000" | "57P04" => Cause::NoSuchDatabase.into(),
        "42P01" | "42703" | "42883" | "42704" | "3F000" => Cause::NoSuchObject.into(),
        "42601" => Cause::InvalidQuery.into(),
        "53100" => Cause::DiskFull.into(),
        "53200" => Cause::OutOfMemory.into(),
        "53300" => Cause::NoFreeConnection.into(),
        "55P03" => Cause::LockTimeout.into(),
        "57014" => Cause::QueryTimeout.into(),
        "57P01" | "57P02" => Cause::SessionEnded.into(),
        "57P03" => Cause::ServerStarting.into(),
        "XX001" | "XX002" => Cause::DamagedData.into(),
        "42501" => Cause::QueryDenied.into(),
        _ => match state.get(..2) {
            Some("28") => coded(Reason::Auth),
            Some("08") => coded(Reason::Protocol),
            Some("22") => Cause::QueryData.into(),
            Some("40") => Cause::QueryGivenUp.into(),
            Some("42") => Cause::InvalidQuery.into(),
            Some("58") => Cause::ServerFiles.into(),
            _ => coded(Reason::Other),
        },
    }
}

#[cfg(test)]
mod tests {
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
            assert_eq!(of_state(code).reason, reason, "{code}");
        }
    }

    #[test]
    fn only_a_connection_that_had_ended_is_lost() {
        let io = |kind: io::ErrorKind| Error::Io(kind.into());
        assert!(io(io::ErrorKind::UnexpectedEof).is_lost());
        assert!(io(io::ErrorKind::ConnectionReset).is_lost());
        assert!(!io(io::ErrorKind::TimedOut).is_lost());
        assert!(!Error::Protocol("odd".to_owned()).is_lost());
    }

    #[test]
    fn the_drivers_words_stay_private() {
        let message = || "db.internal said 0x15".to_owned();
        let said = Said { message: message(), ..Said::default() };
        for outcome in [
            of(&sqlx::Error::Protocol(message())),
            Error::Protocol(message()).outcome(),
            Error::Server(said).outcome(),
        ] {
            assert_eq!(outcome.message, None);
            assert!(outcome.driver.is_some_and(|words| words.contains("db.internal")));
        }
    }

    #[test]
    fn a_peer_that_does_not_like_the_question_for_tls_is_told() {
        for gone in [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe]
        {
            assert_eq!(Error::Request(gone.into()).outcome().cause, Some(Cause::TlsRequestClosed));
        }
        assert_eq!(Error::Request(io::ErrorKind::TimedOut.into()).outcome().cause, None);
        let of = |text: &str| of(&sqlx::Error::Protocol(format!("unexpected response from {text}"))).cause;
        assert_eq!(of("SSLRequest: 0x00"), Some(Cause::TlsRequestClosed));
        assert_eq!(of("SSLRequest: 0x48"), Some(Cause::NotPostgres));
    }
}

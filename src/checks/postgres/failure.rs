//! Why PostgreSQL did not answer, from the driver's errors and the server's SQLSTATE codes.

use sqlx::Error;
use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;

use crate::checks::reasons::{self, Failure};
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

/// The outcome that an error stands for.
pub(in crate::checks) fn of(error: &Error) -> Outcome {
    reasons::failed(failure(error), REASONS).because(error)
}

fn failure(error: &Error) -> Failure {
    match error {
        Error::Database(error) => of_server(error.as_ref()),
        Error::Io(error) => reasons::of_io(error),
        Error::Tls(_) if is_without_tls(error) => Cause::TlsNotOffered.into(),
        Error::Tls(_) => reasons::of_source(error).unwrap_or(Reason::Tls.into()),
        // The driver's words for the byte that it takes the end of the connection for, and for another.
        Error::Protocol(text) if text.contains("SSLRequest: 0x00") => Cause::TlsRequestClosed.into(),
        Error::Protocol(text) if text.contains("SSLRequest") => Cause::NotPostgres.into(),
        Error::Protocol(_) => Reason::Protocol.into(),
        _ => reasons::of_source(error).unwrap_or(Reason::Other.into()),
    }
}

/// Whether it may be otherwise with TLS, or without: TLS failed, or the server lets nobody in as it is.
pub(super) fn is_about_tls(error: &Error) -> bool {
    let Failure { reason, cause } = failure(error);
    reason == Reason::Tls || matches!(cause, Some(Cause::PgHbaRefuses | Cause::TlsRequired))
}

/// Whether the server was asked for TLS and said that it has none.
pub(super) fn is_without_tls(error: &Error) -> bool {
    matches!(error, Error::Tls(inner) if inner.to_string().contains("does not support TLS"))
}

/// What a server says. Its words, which may be of any language, are looked at only where code and place in its source
/// do not tell enough.
fn of_server(said: &dyn DatabaseError) -> Failure {
    let state = said.code().unwrap_or_default();
    let place =
        said.try_downcast_ref::<PgDatabaseError>().and_then(PgDatabaseError::routine).unwrap_or_default();
    match (&*state, place) {
        ("28000", "ClientAuthentication") => Cause::PgHbaRefuses.into(),
        ("28000", "InitializeSessionUserId") | ("28P01", _) => Cause::WrongPassword.into(),
        ("42501", "CheckMyDatabase") => Cause::DatabaseDenied.into(),
        // A query that writes in what it reads from.
        ("0A000", "analyzeCTE") => Cause::QueryWrites.into(),
        ("08P01", "") => {
            let known = POOLER.iter().find(|(text, _)| said.message().starts_with(text));
            known.map_or_else(|| of_state(&state), |(_, cause)| (*cause).into())
        }
        (state, _) => of_state(state),
    }
}

/// Whether the error says that the connection had ended before it was used.
pub(super) fn is_lost(error: &Error) -> bool {
    match error {
        Error::Io(error) => reasons::of_io(error).reason == Reason::ConnectionReset,
        // Told to us before we asked: shut down, crashed, database dropped, idle for too long.
        Error::Database(error) => error.code().is_some_and(|code| code.starts_with("57P") && code != "57P03"),
        _ => false,
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
    use std::io;

    use sqlx::ConnectOptions;
    use sqlx::postgres::PgConnectOptions;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

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
        assert!(is_lost(&io(io::ErrorKind::UnexpectedEof)));
        assert!(is_lost(&io(io::ErrorKind::ConnectionReset)));
        assert!(!is_lost(&io(io::ErrorKind::TimedOut)));
        assert!(!is_lost(&Error::Protocol("odd".to_owned())));
    }

    #[test]
    fn the_drivers_words_stay_private() {
        let outcome = of(&Error::Protocol("db.internal said 0x15".to_owned()));
        assert_eq!(outcome.message, None);
        assert!(outcome.driver.is_some_and(|words| words.contains("db.internal")));
    }

    /// What comes of a peer that answers to the question for TLS, or only closes.
    async fn peer_that_says(answer: &[u8]) -> Option<Cause> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let options = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(port);
        let peer = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_exact(&mut [0; 8]).await.unwrap();
            stream.write_all(answer).await.unwrap();
        };
        let (connected, ()) = tokio::join!(options.connect(), peer);
        of(&connected.err().unwrap()).cause
    }

    #[tokio::test]
    async fn a_peer_that_does_not_like_the_question_for_tls_is_told() {
        assert_eq!(peer_that_says(b"").await, Some(Cause::TlsRequestClosed));
        assert_eq!(peer_that_says(b"HTTP/1.1 400 Bad Request").await, Some(Cause::NotPostgres));
    }
}

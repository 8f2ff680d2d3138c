//! From errors of the operating system to the closed set of reasons, for all kinds and for what is pushed.

use std::error::Error;
use std::io;

use crate::model::Reason;

/// The reason that an I/O error stands for.
#[must_use]
pub(crate) fn of_io(error: &io::Error) -> Reason {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused => Reason::ConnectionRefused,
        Kind::ConnectionReset
        | Kind::ConnectionAborted
        | Kind::BrokenPipe
        | Kind::UnexpectedEof
        | Kind::NotConnected => Reason::ConnectionReset,
        Kind::TimedOut | Kind::WouldBlock => Reason::Timeout,
        Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown | Kind::AddrNotAvailable => {
            Reason::Unreachable
        }
        Kind::PermissionDenied => Reason::Denied,
        Kind::NotFound => Reason::NotFound,
        Kind::InvalidData => of_source(error).unwrap_or(Reason::Protocol),
        _ => of_source(error).unwrap_or(Reason::Other),
    }
}

/// `reason`, where it is among those that a kind declares or is the time limit, which is every kind's; else the rest.
#[must_use]
pub(crate) fn declared(reason: Reason, by_kind: &[Reason]) -> Reason {
    if reason == Reason::Timeout || by_kind.contains(&reason) { reason } else { Reason::Other }
}

/// The reason of the first I/O or TLS error in the chain of sources of `error`.
#[must_use]
pub(crate) fn of_source(error: &(dyn Error + 'static)) -> Option<Reason> {
    let mut next = error.source();
    // `io::Error` shows what it wraps only through `get_ref`, its `source` skips that level.
    if let Some(io) = error.downcast_ref::<io::Error>() {
        next = io.get_ref().map(|inner| -> &(dyn Error + 'static) { inner });
    }
    while let Some(cause) = next {
        if cause.is::<rustls::Error>() {
            return Some(Reason::Tls);
        }
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            return Some(of_io(io));
        }
        next = cause.source();
    }
    None
}

//! From errors of the operating system to the closed sets of reasons and causes, for all kinds and for what is pushed.

#[cfg(feature = "_tls")]
mod tls;

use std::error::Error;
use std::fmt;
use std::io;

use rustix::io::Errno;

use crate::model::{Cause, Outcome, Reason};

/// Why something failed, in public words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) reason: Reason,
    /// Where it is known.
    pub(crate) cause: Option<Cause>,
}

impl From<Reason> for Failure {
    fn from(reason: Reason) -> Self {
        Self { reason, cause: None }
    }
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        Self { reason: cause.reason(), cause: Some(cause) }
    }
}

impl From<(Reason, Cause)> for Failure {
    fn from((reason, cause): (Reason, Cause)) -> Self {
        Self { reason, cause: Some(cause) }
    }
}

/// A peer says more than so many bytes, which is where nobody listens any longer.
#[derive(Debug)]
pub(crate) struct AnswerTooLarge(pub(crate) usize);

impl fmt::Display for AnswerTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {} bytes", self.0)
    }
}

impl Error for AnswerTooLarge {}

/// What an I/O error stands for.
#[must_use]
pub(crate) fn of_io(error: &io::Error) -> Failure {
    use io::ErrorKind as Kind;
    if let Some(cause) = of_errno(error) {
        return cause.into();
    }
    let reason = match error.kind() {
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
        Kind::InvalidData => return of_source(error).unwrap_or(Reason::Protocol.into()),
        _ => return of_source(error).unwrap_or(Reason::Other.into()),
    };
    reason.into()
}

/// What this machine or process has run out of: no fault of what was asked.
fn of_errno(error: &io::Error) -> Option<Cause> {
    Some(match Errno::from_io_error(error)? {
        Errno::ADDRNOTAVAIL => Cause::NoLocalPort,
        Errno::MFILE | Errno::NFILE => Cause::NoFileDescriptor,
        _ => return None,
    })
}

/// The outcome of a failure: with its reason, where that is among those that a kind declares or is the time limit, which
/// is every kind's; else with the rest, which keeps the cause.
pub(super) fn failed(failure: impl Into<Failure>, by_kind: &[Reason]) -> Outcome {
    let Failure { reason, cause } = failure.into();
    let known = reason == Reason::Timeout || by_kind.contains(&reason);
    Outcome { cause, ..Outcome::failed(if known { reason } else { Reason::Other }) }
}

/// What the first I/O or TLS error in the chain of sources of `error` stands for.
#[must_use]
pub(crate) fn of_source(error: &(dyn Error + 'static)) -> Option<Failure> {
    let mut next = error.source();
    // `io::Error` shows what it wraps only through `get_ref`, its `source` skips that level.
    if let Some(io) = error.downcast_ref::<io::Error>() {
        next = io.get_ref().map(|inner| -> &(dyn Error + 'static) { inner });
    }
    while let Some(cause) = next {
        #[cfg(feature = "_tls")]
        if let Some(error) = cause.downcast_ref() {
            return Some(tls::of(error).into());
        }
        #[cfg(not(feature = "_tls"))]
        if cause.is::<rustls::Error>() {
            return Some(Reason::Tls.into());
        }
        if cause.is::<AnswerTooLarge>() {
            return Some(Cause::AnswerTooLarge.into());
        }
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            return Some(of_io(io));
        }
        next = cause.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_machine_lacks_is_told_apart_from_a_fault_of_the_other_side() {
        let of = |errno: Errno| of_io(&io::Error::from_raw_os_error(errno.raw_os_error()));
        assert_eq!(of(Errno::ADDRNOTAVAIL), Cause::NoLocalPort.into());
        assert_eq!(of(Errno::MFILE), Cause::NoFileDescriptor.into());
        assert_eq!(of(Errno::NFILE), Cause::NoFileDescriptor.into());
        assert_eq!(of(Errno::CONNREFUSED), Reason::ConnectionRefused.into());
    }
}

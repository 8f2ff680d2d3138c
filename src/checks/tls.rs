//! TLS for every kind that speaks it through rustls: the same settings, and one handshake.
//!
//! Costs nothing until the first handshake. Knows no protocol above TLS.

pub(super) mod client;
#[cfg(any(feature = "amqp", feature = "http", feature = "redis"))]
pub(super) mod settings;

use std::io;

use crate::model::{Cause, Reason};
use crate::reasons::{self, Failure};

/// What the end of a handshake means. A peer that just goes is a fault of TLS here, for it was there a moment ago.
#[must_use]
pub(super) fn of_handshake(error: &io::Error) -> Failure {
    let failure = reasons::of_io(error);
    match failure.reason {
        Reason::ConnectionReset if failure.cause.is_none() => Cause::HandshakeClosed.into(),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_goes_during_the_handshake_is_a_fault_of_tls() {
        let closed = of_handshake(&io::ErrorKind::UnexpectedEof.into());
        assert_eq!(closed, Cause::HandshakeClosed.into());
        let slow = of_handshake(&io::ErrorKind::TimedOut.into());
        assert_eq!(slow.reason, Reason::Timeout);
    }
}

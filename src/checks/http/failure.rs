//! From what goes wrong on the way to the closed sets of reasons and causes.

use std::error::Error;
use std::fmt::Display;
use std::io;

use crate::checks::net::Unconnected;
use crate::checks::reasons::{self, Failure};
use crate::checks::tls;
use crate::model::{Cause, Outcome, Reason};

/// What a run of the kind can fail for.
pub(super) const REASONS: &[Reason] = &[
    Reason::Dns,
    Reason::ConnectionRefused,
    Reason::ConnectionReset,
    Reason::Unreachable,
    Reason::Auth,
    Reason::Denied,
    Reason::Tls,
    Reason::Protocol,
    Reason::UnexpectedStatus,
    Reason::UnexpectedBody,
    Reason::Other,
];

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failed {
    /// The address cannot be asked.
    Address,
    /// No connection to the server.
    Unconnected(Unconnected),
    /// No connection to the proxy.
    ProxyUnconnected(Unconnected),
    /// The connection to the proxy broke off.
    ProxyBroke(io::Error),
    /// The proxy ended the connection without a word.
    ProxyClosed,
    /// The proxy opens no tunnel.
    Proxy(u16),
    /// The proxy says something else.
    ProxyAnswer,
    Tls(io::Error),
    Http(hyper::Error),
    /// The body is longer than so many bytes.
    TooLong(usize),
    /// The body is packed in a way that is not known.
    UnknownEncoding,
    /// The body cannot be unpacked.
    BrokenEncoding(io::Error),
}

impl Failed {
    /// Whether the peer had ended the connection before it had the request.
    pub(super) fn is_unsent(&self) -> bool {
        matches!(self, Self::Http(error) if error.is_canceled() || error.is_closed())
    }

    /// Whether the peer ended the connection.
    pub(super) fn is_reset(&self) -> bool {
        matches!(self, Self::Http(error) if of_http(error).reason == Reason::ConnectionReset)
    }

    /// The outcome that it stands for.
    pub(super) fn outcome(self) -> Outcome {
        match &self {
            Self::Address => Outcome::failed(Reason::Other).because("an address that cannot be asked"),
            Self::Unconnected(error) => failed(error.failure, error),
            Self::ProxyUnconnected(error) => failed((error.failure.reason, Cause::ProxyUnreachable), error),
            Self::ProxyBroke(error) => failed((reasons::of_io(error).reason, Cause::ProxyUnreachable), error),
            Self::ProxyClosed => failed(
                (Reason::ConnectionReset, Cause::ProxyUnreachable),
                "closed without an answer to CONNECT",
            ),
            Self::Proxy(status) => failed(of_proxy(*status), format!("status {status} to CONNECT")),
            Self::ProxyAnswer => failed(Cause::ProxyAnswer, "an answer to CONNECT that is not HTTP"),
            Self::Tls(error) => failed(tls::of_handshake(error), error),
            Self::Http(error) => failed(of_http(error), chain(error)),
            Self::TooLong(most) => Outcome::caused_by(Cause::BodyTooLong)
                .message(format!("the body is longer than {most} bytes")),
            Self::UnknownEncoding => Outcome::caused_by(Cause::UnknownEncoding),
            Self::BrokenEncoding(error) => Outcome::caused_by(Cause::BrokenEncoding).because(error),
        }
    }
}

fn failed(failure: impl Into<Failure>, words: impl Display) -> Outcome {
    reasons::failed(failure, REASONS).because(words)
}

/// What it means that a proxy answers with `status` to being asked for a tunnel.
pub(super) fn of_proxy(status: u16) -> Failure {
    match status {
        407 => Cause::ProxyAuthRequired.into(),
        401 | 403 | 405 | 451 => Cause::ProxyRefused.into(),
        500..=599 => Cause::ProxyCannotConnect.into(),
        _ => Cause::ProxyAnswer.into(),
    }
}

/// The first cause that says what it is; what only hyper complains of is a breach of the protocol.
fn of_http(error: &hyper::Error) -> Failure {
    if error.is_parse_too_large() {
        return Cause::HeadTooLarge.into();
    }
    let known = reasons::of_source(error).filter(|failure| failure.reason != Reason::Other);
    if let Some(failure) = known {
        return failure;
    }
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return Reason::ConnectionReset.into();
    }
    if error.is_parse() { Cause::NotHttp.into() } else { Reason::Protocol.into() }
}

fn chain(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

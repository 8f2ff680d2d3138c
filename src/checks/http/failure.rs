//! From what reqwest says to the closed set of reasons.

use std::error::Error;
use std::io;

use super::client::Unresolved;
use crate::checks::reasons::{self, Failure};
use crate::model::{Outcome, Reason};

/// What a run of the kind can fail for.
pub(super) const REASONS: &[Reason] = &[
    Reason::Dns,
    Reason::ConnectionRefused,
    Reason::ConnectionReset,
    Reason::Unreachable,
    Reason::Denied,
    Reason::Tls,
    Reason::Protocol,
    Reason::UnexpectedStatus,
    Reason::UnexpectedBody,
    Reason::Other,
];

/// The failure that `error` stands for. Its text goes without the address, which may hold credentials.
pub(super) fn of(error: reqwest::Error) -> Outcome {
    let failure = failure(&error);
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    reasons::failed(failure, REASONS).because(text)
}

/// The first cause that says what it is; what only hyper complains of is a breach of the protocol.
fn failure(error: &reqwest::Error) -> Failure {
    let mut spoken_http = error.is_decode();
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(cause) = next {
        if cause.is::<Unresolved>() {
            return Reason::Dns.into();
        }
        if cause.is::<rustls::Error>() {
            return Reason::Tls.into();
        }
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            return match reasons::of_io(io) {
                // How hyper reports a broken body.
                Failure { reason: Reason::Other, cause: None } if spoken_http => Reason::Protocol.into(),
                failure => failure,
            };
        }
        if let Some(http) = cause.downcast_ref::<hyper::Error>() {
            if http.is_incomplete_message() || http.is_canceled() || http.is_closed() {
                return Reason::ConnectionReset.into();
            }
            spoken_http = true;
        }
        next = cause.source();
    }
    if error.is_timeout() {
        Reason::Timeout.into()
    } else if spoken_http {
        Reason::Protocol.into()
    } else {
        Reason::Other.into()
    }
}

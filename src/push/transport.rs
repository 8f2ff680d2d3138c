//! How a compressed batch gets to a collector, and what its answer means: the same for every transport.
//!
//! Nothing is retried, redirected or sent through a proxy here: a request is one request. The environment's proxies are
//! not heeded, as nowhere in this program, since a collector is near and a proxy that is meant for something else would
//! get to see every metric.

mod client;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;
mod grpc;
mod http;
mod retry_after;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{StatusCode, Url};

use super::settings::{Exporter, Protocol};
use super::signal::Signal;
use crate::model::{Cause, Reason};
use crate::reasons;

/// A request on its way.
pub(super) type Sending = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// How often in a row what a collector finds too large is halved before it is given up: one that takes nothing for its
/// size is asked so often and once more about a batch, and then once about each until it takes one.
pub(super) const HALVINGS: u32 = 4;

/// Sends batches.
pub(super) trait Transport: Send + Sync {
    /// Sends one request, a protobuf message of OTLP that is compressed in any way. Ends within the time limit.
    fn send(&self, packed: Bytes) -> Sending;
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It was taken, but for so many points or spans.
    Taken { refused: u64 },
    /// It may be taken later, not sooner than after this time.
    Later { after: Option<Duration>, failure: Failure },
    /// It would be taken in parts.
    TooLarge,
    /// It will never be taken.
    Never(Failure),
}

/// Why a request failed: for metrics the class, for the log what may be said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) reason: Reason,
    /// Never the text of a collector or a driver.
    pub(super) said: String,
}

impl Failure {
    fn of(failure: impl Into<reasons::Failure>) -> Self {
        let reasons::Failure { reason, cause } = failure.into();
        let sentence = cause.and_then(Cause::sentence).unwrap_or_else(|| reason.sentence());
        Self { reason, said: sentence.to_owned() }
    }

    /// Another program compressed it, in a way that this one does not know.
    fn unreadable() -> Self {
        Self {
            reason: Reason::Other,
            said: "compressed in a way that this program was built without".to_owned(),
        }
    }

    /// Somebody says that all is well who does not speak OTLP, such as a page to log in at.
    fn not_otlp() -> Self {
        Self {
            reason: Reason::Protocol,
            said: "the answer is not that of an OTLP receiver: check the endpoint, and what stands before it"
                .to_owned(),
        }
    }

    /// The collector wants to be somewhere else. Of where that is, only the host is said.
    fn redirect(status: StatusCode, headers: &HeaderMap, from: &Url) -> Self {
        let to = headers.get(LOCATION).and_then(|to| from.join(to.to_str().ok()?).ok());
        let host = to.as_ref().and_then(Url::host_str).unwrap_or("nowhere");
        Self {
            reason: Reason::UnexpectedStatus,
            said: format!(
                "status {}, a redirect to {host}, which is not followed: set the endpoint",
                status.as_u16()
            ),
        }
    }

    /// The collector takes nothing of that size.
    pub(super) fn too_large() -> Self {
        Self { reason: Reason::UnexpectedStatus, said: "larger than what the collector takes".to_owned() }
    }
}

/// The transport that `exporter` asks for, for `signal`. Connects nowhere yet.
///
/// # Errors
/// Where TLS cannot be had as asked for.
pub(super) fn transport(exporter: &Exporter, signal: Signal) -> Result<Box<dyn Transport>, String> {
    let client = client::client(exporter)?;
    Ok(match exporter.protocol {
        Protocol::HttpProtobuf => Box::new(http::Http::new(client, exporter)),
        Protocol::Grpc => Box::new(grpc::Grpc::new(client, exporter, signal)),
    })
}

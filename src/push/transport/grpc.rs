//! OTLP over gRPC: one unary call.
//!
//! The call is written by hand, over the client that HTTP has too: the message is there compressed, and a gRPC library
//! would unpack and pack it again for every attempt. What a status means is read by tonic.

use std::future::ready;

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Limited};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TE};
use reqwest::{Client, Response, StatusCode, Url};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{Answer, Failure, Sending, Transport, client, http};
use crate::model::Reason;
use crate::push::packing::for_the_way;
use crate::push::settings::{Compression, Exporter};
use crate::push::signal::Signal;

/// Sends batches by gRPC.
pub(super) struct Grpc {
    client: Client,
    url: Url,
    headers: HeaderMap,
    compression: Compression,
}

impl Grpc {
    pub(super) fn new(client: Client, exporter: &Exporter, signal: Signal) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc+proto"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        let encoding = |name| HeaderName::from_static(name);
        headers.insert(encoding("grpc-accept-encoding"), HeaderValue::from_static("identity"));
        if let Some(name) = exporter.compression.encoding() {
            headers.insert(encoding("grpc-encoding"), HeaderValue::from_static(name));
        }
        if let Ok(timeout) =
            HeaderValue::from_str(&format!("{}m", exporter.timeout.as_millis().min(99_999_999)))
        {
            headers.insert(encoding("grpc-timeout"), timeout);
        }
        headers.extend(exporter.headers.clone());
        let mut url = exporter.endpoint.expose().clone();
        url.set_path(signal.method());
        Self { client, url, headers, compression: exporter.compression }
    }
}

impl Transport for Grpc {
    fn send(&self, packed: Bytes) -> Sending {
        let Some(message) = for_the_way(packed, self.compression) else {
            return Box::pin(ready(Answer::Never(Failure::unreadable())));
        };
        let mut body = BytesMut::with_capacity(message.len() + 5);
        body.put_u8(u8::from(self.compression != Compression::None));
        body.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
        body.put(message);
        let request = self.client.post(self.url.clone()).headers(self.headers.clone()).body(body.freeze());
        let url = self.url.clone();
        Box::pin(async move {
            match request.send().await {
                Ok(response) => answer(response, &url).await,
                Err(error) => client::later(&error),
            }
        })
    }
}

async fn answer(response: Response, url: &Url) -> Answer {
    let status = response.status();
    // An answer without a message has its status in the headers.
    if let Some(status) = Status::from_header_map(response.headers()) {
        return meaning(&status, &[]);
    }
    if status.is_redirection() {
        return Answer::Never(Failure::redirect(status, response.headers(), url));
    }
    if status.is_success() && !is_grpc(response.headers()) {
        return http::not_otlp();
    }
    if status != StatusCode::OK {
        return meaning(&Status::new(code_of(status), String::new()), &[]);
    }
    let reset = || Answer::Later { after: None, failure: Failure::of(Reason::ConnectionReset) };
    let Ok(body) = Limited::new(reqwest::Body::from(response), http::LONGEST_ANSWER).collect().await else {
        return reset();
    };
    match body.trailers().and_then(Status::from_header_map) {
        // Behind the mark and the length.
        Some(status) => meaning(&status, body.to_bytes().get(5..).unwrap_or_default()),
        None => reset(),
    }
}

/// Whether the answer is said to be of gRPC.
fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("application/grpc"))
}

/// What gRPC says that a status of HTTP stands for.
fn code_of(status: StatusCode) -> Code {
    match status.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}

pub(super) fn meaning(status: &Status, message: &[u8]) -> Answer {
    let code = status.code();
    if code == Code::Ok {
        return Answer::Taken { refused: http::refused_points(message) };
    }
    if is_too_large(status) {
        return Answer::TooLarge;
    }
    let after = status.get_details_retry_info().map(|info| info.retry_delay.unwrap_or_default());
    let reason = match code {
        Code::Unauthenticated => Reason::Auth,
        Code::PermissionDenied => Reason::Denied,
        Code::Unimplemented => Reason::NotFound,
        Code::DeadlineExceeded => Reason::Timeout,
        _ => Reason::UnexpectedStatus,
    };
    let failure = Failure { reason, said: format!("gRPC status {code:?}") };
    match code {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => Answer::Later { after, failure },
        // Only with the word when: without it, it is a limit that stays.
        Code::ResourceExhausted if after.is_some() => Answer::Later { after, failure },
        _ => Answer::Never(failure),
    }
}

/// Whether the message is larger than what the receiver takes, for which gRPC has no code of its own: the words are
/// those of the libraries for Go, Rust and Java.
fn is_too_large(status: &Status) -> bool {
    const WORDS: [&str; 3] = ["message larger than max", "message length too large", "exceeds maximum size"];
    let code = matches!(status.code(), Code::ResourceExhausted | Code::OutOfRange);
    code && WORDS.iter().any(|words| status.message().contains(words))
}

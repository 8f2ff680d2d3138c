//! OTLP over HTTP: a POST with protobuf in it, and an answer in protobuf, which may be empty.
//!
//! Between the agent and a collector may stand somebody who answers every request with a friendly page. So an answer of
//! success counts only where its body is one of OTLP; of other forms than protobuf, the JSON of OTLP counts too, because
//! what was taken must not be sent again and again.

use std::future::ready;
use std::time::SystemTime;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, StatusCode, Url};

use super::{Answer, Failure, Sending, Transport, client, retry_after};
use crate::model::Reason;
use crate::push::packing::for_the_way;
use crate::push::settings::{Compression, Exporter};

/// How much of an answer is read.
pub(super) const LONGEST_ANSWER: usize = 64 << 10;

/// Sends batches by HTTP.
pub(super) struct Http {
    client: Client,
    url: Url,
    headers: HeaderMap,
    compression: Compression,
}

impl Http {
    pub(super) fn new(client: Client, exporter: &Exporter) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        if let Some(encoding) = exporter.compression.encoding() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        headers.extend(exporter.headers.clone());
        Self { client, url: exporter.endpoint.expose().clone(), headers, compression: exporter.compression }
    }
}

impl Transport for Http {
    fn send(&self, packed: Bytes) -> Sending {
        let Some(body) = for_the_way(packed, self.compression) else {
            return Box::pin(ready(Answer::Never(Failure::unreadable())));
        };
        let url = self.url.clone();
        let request = self.client.post(url.clone()).headers(self.headers.clone()).body(body);
        Box::pin(async move {
            let response = match request.send().await {
                Ok(response) => response,
                Err(error) => return client::later(&error),
            };
            let (status, headers) = (response.status(), response.headers().clone());
            if status.is_redirection() {
                return Answer::Never(Failure::redirect(status, &headers, &url));
            }
            if !status.is_success() {
                return refused(status, &headers);
            }
            let body = Limited::new(reqwest::Body::from(response), LONGEST_ANSWER).collect().await;
            match body {
                Ok(body) => taken(&headers, &body.to_bytes()),
                Err(error) if error.is::<LengthLimitError>() => not_otlp(),
                // It was taken, whatever becomes of the rest of the answer.
                Err(_) if is_protobuf(&headers) => Answer::Taken { refused: 0 },
                Err(_) => not_otlp(),
            }
        })
    }
}

/// What a body of success says.
pub(super) fn taken(headers: &HeaderMap, body: &[u8]) -> Answer {
    let refused = if body.is_empty() {
        Some(0)
    } else if headers.get(CONTENT_TYPE).is_some_and(|kind| media(kind) == "application/json") {
        refused_in_json(body)
    } else if !is_protobuf(headers) {
        None
    } else if headers.contains_key(CONTENT_ENCODING) {
        // Nobody asked for it, so what was refused stays unknown.
        Some(0)
    } else {
        ExportMetricsServiceResponse::decode(body).ok().map(refused_of)
    };
    refused.map_or_else(not_otlp, |refused| Answer::Taken { refused })
}

/// Sent again later: whoever answers so may only stand before the collector for a while.
pub(super) fn not_otlp() -> Answer {
    Answer::Later { after: None, failure: Failure::not_otlp() }
}

/// Whether the body is said to be protobuf, or nothing is said of it.
fn is_protobuf(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_none_or(|kind| media(kind).ends_with("protobuf"))
}

/// The type of a medium without what follows, in lower case.
fn media(kind: &HeaderValue) -> String {
    let kind = kind.to_str().unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The same for an answer in the JSON of OTLP: empty, or with this one field.
fn refused_in_json(body: &[u8]) -> Option<u64> {
    let answer: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body).ok()?;
    if !answer.keys().all(|field| field == "partialSuccess") {
        return None;
    }
    let partial = answer.get("partialSuccess").and_then(serde_json::Value::as_object);
    let refused = partial.into_iter().flatten().find(|(field, _)| field.starts_with("rejected"));
    // Numbers of 64 bits are texts there.
    let number = |value: &serde_json::Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
    Some(refused.and_then(|(_, value)| number(value)).unwrap_or(0))
}

/// How many points were refused, as the answer to a request that was taken says. The answer about spans has the same
/// fields.
pub(super) fn refused_points(answer: &[u8]) -> u64 {
    ExportMetricsServiceResponse::decode(answer).map_or(0, refused_of)
}

fn refused_of(answer: ExportMetricsServiceResponse) -> u64 {
    answer.partial_success.map_or(0, |partial| u64::try_from(partial.rejected_data_points).unwrap_or(0))
}

fn refused(status: StatusCode, headers: &HeaderMap) -> Answer {
    let reason = match status {
        StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => Reason::Auth,
        StatusCode::FORBIDDEN => Reason::Denied,
        StatusCode::NOT_FOUND => Reason::NotFound,
        _ => Reason::UnexpectedStatus,
    };
    let failure = Failure { reason, said: format!("status {}", status.as_u16()) };
    match status.as_u16() {
        413 => Answer::TooLarge,
        429 | 502 | 503 | 504 => {
            let after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let after = after.and_then(|value| retry_after::of_header(value, SystemTime::now()));
            Answer::Later { after, failure }
        }
        _ => Answer::Never(failure),
    }
}

//! OTLP over HTTP: a POST with protobuf in it.

use std::future::ready;
use std::time::SystemTime;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
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
        let request = self.client.post(self.url.clone()).headers(self.headers.clone()).body(body);
        Box::pin(async move {
            let response = match request.send().await {
                Ok(response) => response,
                Err(error) => return client::later(&error),
            };
            let (status, headers) = (response.status(), response.headers().clone());
            if !status.is_success() {
                return refused(status, &headers);
            }
            // It was taken, whatever becomes of the rest of the answer.
            let body = Limited::new(reqwest::Body::from(response), LONGEST_ANSWER).collect().await;
            Answer::Taken { refused: body.map_or(0, |body| refused_points(&body.to_bytes())) }
        })
    }
}

/// How many points were refused, as the answer to a request that was taken says. The answer about spans has the same
/// fields.
pub(super) fn refused_points(answer: &[u8]) -> u64 {
    let partial = ExportMetricsServiceResponse::decode(answer).ok().and_then(|answer| answer.partial_success);
    partial.map_or(0, |partial| u64::try_from(partial.rejected_data_points).unwrap_or(0))
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

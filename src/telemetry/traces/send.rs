//! How spans reach the collector: the exporter of `opentelemetry-otlp` over one of two clients of ours.
//!
//! That exporter encodes, retries (three times within the time limit, as `Retry-After` says) and reads some variables
//! of the environment by itself. Where to and with which headers is therefore said by the clients, last: they know what
//! the configuration made of the environment.

use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Compression, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Url, redirect};
use tonic::metadata::MetadataMap;
use tonic::transport::Endpoint;
use tracing::debug;

/// The longest answer that is read, in bytes: it says how many spans were refused and why.
const ANSWER_SIZE: usize = 64 * 1024;

/// Where spans go.
#[derive(Clone)]
pub struct Destination {
    /// How they are carried.
    pub protocol: Protocol,
    /// The collector: of `http/protobuf` the whole address of its traces, of `grpc` scheme, host and port.
    pub endpoint: String,
    /// Headers of each request, such as credentials.
    pub headers: Vec<(String, String)>,
    /// How long one batch may take, its retries included.
    pub timeout: Duration,
    /// Whether batches are compressed.
    pub gzip: bool,
}

impl std::fmt::Debug for Destination {
    /// Without the headers, whose values are mostly credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} to {}", self.protocol, self.endpoint)
    }
}

/// How batches are carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Protobuf in HTTP requests.
    HttpProtobuf,
    /// gRPC.
    Grpc,
}

/// What sends spans to `destination`; within a runtime.
pub(super) fn exporter(destination: &Destination) -> Result<SpanExporter, String> {
    let headers = headers(&destination.headers)?;
    let compression = destination.gzip.then_some(Compression::Gzip);
    let exporter = match destination.protocol {
        Protocol::HttpProtobuf => {
            let builder = SpanExporter::builder().with_http().with_timeout(destination.timeout);
            let builder = builder.with_endpoint(&destination.endpoint);
            let builder = builder.with_http_client(Posts::new(destination, headers)?);
            compression.into_iter().fold(builder, |builder, gzip| builder.with_compression(gzip)).build()
        }
        Protocol::Grpc => {
            let endpoint = Endpoint::from_shared(destination.endpoint.clone());
            let endpoint = endpoint.map_err(|error| format!("the endpoint is no address: {error}"))?;
            let channel = endpoint.timeout(destination.timeout).connect_lazy();
            let builder = SpanExporter::builder().with_tonic().with_timeout(destination.timeout);
            let builder = builder.with_channel(channel).with_interceptor(
                move |mut request: tonic::Request<()>| {
                    *request.metadata_mut() = MetadataMap::from_headers(headers.clone());
                    Ok(request)
                },
            );
            compression.into_iter().fold(builder, |builder, gzip| builder.with_compression(gzip)).build()
        }
    };
    exporter.map_err(|error| error.to_string())
}

fn headers(pairs: &[(String, String)]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let parsed = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(value).ok());
        let (name, mut value) = parsed.ok_or_else(|| format!("the header {name:?} cannot be sent"))?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

/// Sends requests to one address.
#[derive(Debug)]
struct Posts {
    client: Client,
    url: Url,
    headers: HeaderMap,
}

impl Posts {
    fn new(destination: &Destination, headers: HeaderMap) -> Result<Self, String> {
        let url = Url::parse(&destination.endpoint).map_err(|error| format!("the endpoint is no address: {error}"))?;
        let client = Client::builder()
            .timeout(destination.timeout)
            .redirect(redirect::Policy::none())
            .user_agent(concat!("vitalsign/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { client, url, headers })
    }
}

#[async_trait]
impl HttpClient for Posts {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let mut headers = self.headers.clone();
        for name in ["content-type", "content-encoding"] {
            if let Some(value) = parts.headers.get(name) {
                headers.insert(name, value.clone());
            }
        }
        let sent = self.client.post(self.url.clone()).headers(headers).body(body).send().await;
        let mut answer = sent.map_err(reqwest::Error::without_url).inspect_err(|error| {
            // The exporter does not tell more than that there was an error.
            debug!(error = format!("{error:?}"), "a batch of traces was not delivered");
        })?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
            if body.len() + chunk.len() > ANSWER_SIZE {
                return Err("the answer is too long".into());
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = Response::builder().status(answer.status());
        if let Some(after) = answer.headers().get("retry-after") {
            response = response.header("retry-after", after);
        }
        Ok(response.body(body.into())?)
    }
}

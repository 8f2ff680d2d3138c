//! How spans reach the collector: the exporter of `opentelemetry-otlp` over one of two clients of ours.
//!
//! That exporter encodes, retries (three times within the time limit, as `Retry-After` says) and reads some variables
//! of the environment by itself. Where to and with which headers is therefore said by the clients, last: they know what
//! the configuration made of the environment.

use std::sync::Arc;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig};
use reqwest::header::HeaderMap;
use reqwest::{Client, Url, redirect};
use rustls::ClientConfig;
use rustls_platform_verifier::Verifier;
use tonic::metadata::MetadataMap;
use tonic::transport::Endpoint;
use tracing::debug;

use crate::push::settings::{Compression, Exporter, Protocol};
use crate::tls;

/// The longest answer that is read, in bytes: it says how many spans were refused and why.
const ANSWER_SIZE: usize = 64 * 1024;

/// What sends spans as `settings` say; within a runtime.
pub(super) fn exporter(settings: &Exporter) -> Result<SpanExporter, String> {
    let gzip = match settings.compression {
        Compression::Gzip => Some(opentelemetry_otlp::Compression::Gzip),
        Compression::None => None,
    };
    let exporter = match settings.protocol {
        Protocol::HttpProtobuf => {
            let builder = SpanExporter::builder().with_http().with_timeout(settings.timeout);
            let builder = builder.with_http_client(Posts::new(settings)?);
            gzip.into_iter().fold(builder, WithHttpConfig::with_compression).build()
        }
        Protocol::Grpc => {
            let endpoint = settings.endpoint.expose();
            if endpoint.scheme() == "https" {
                return Err("gRPC goes without TLS here: use http/protobuf for https".to_owned());
            }
            let endpoint = Endpoint::from_shared(endpoint.to_string());
            let endpoint = endpoint.map_err(|_| "the endpoint is no address".to_owned())?;
            let channel = endpoint.timeout(settings.timeout).connect_lazy();
            let headers = settings.headers.clone();
            let set = move |mut request: tonic::Request<()>| {
                *request.metadata_mut() = MetadataMap::from_headers(headers.clone());
                Ok(request)
            };
            let builder = SpanExporter::builder().with_tonic().with_timeout(settings.timeout);
            let builder = builder.with_channel(channel).with_interceptor(set);
            gzip.into_iter().fold(builder, WithTonicConfig::with_compression).build()
        }
    };
    exporter.map_err(|error| error.to_string())
}

/// Sends requests to one address.
#[derive(Debug)]
struct Posts {
    client: Client,
    url: Url,
    headers: HeaderMap,
}

impl Posts {
    fn new(settings: &Exporter) -> Result<Self, String> {
        let client = Client::builder()
            .tls_backend_preconfigured(client_config(settings)?)
            .timeout(settings.timeout)
            .redirect(redirect::Policy::none())
            .user_agent(concat!("vitalsign/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { client, url: settings.endpoint.expose().clone(), headers: settings.headers.clone() })
    }
}

/// Trusts the system's roots and those of `settings`, and shows who we are where these say so.
fn client_config(settings: &Exporter) -> Result<ClientConfig, String> {
    tls::install_provider();
    let builder = ClientConfig::builder();
    let provider = Arc::clone(builder.crypto_provider());
    let judge = Verifier::new_with_extra_roots(settings.roots.iter().cloned(), provider);
    let judge = judge.map_err(|error| format!("the certificates to trust cannot be used: {error}"))?;
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(judge));
    match &settings.identity {
        None => Ok(builder.with_no_client_auth()),
        Some(identity) => builder
            .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
            .map_err(|error| format!("the client certificate cannot be used: {error}")),
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

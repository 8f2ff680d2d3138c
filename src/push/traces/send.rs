//! How spans reach the collector: `opentelemetry-otlp` encodes and packs a batch and tries it several times, for a while;
//! each request takes the way that metrics take too, over HTTP or gRPC.
//!
//! Of that crate's own clients none is built: they would be a second way with TLS, names and time limits of their own. It
//! is told all of its settings, since what it is not told it reads from the environment; where the collector is, with
//! which headers, only the transport knows. It gets to see an answer as a status and nothing else, so no text of a
//! collector can reach its log, and what the answer meant is kept here: its errors hold no class, and how many spans were
//! refused it only logs. Unlike metrics spans are not worth a place on disk.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use opentelemetry::KeyValue;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{
    Compression, Protocol, RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use parking_lot::Mutex;
use reqwest::StatusCode;
use reqwest::header::RETRY_AFTER;
use tokio::sync::watch;

use crate::metrics::AttributeValue;
use crate::push::settings::Exporter;
use crate::push::transport::{Answer, Failure, Signal, Transport, transport};
use crate::resource::Resource;

/// How long the crate waits at most, whatever a collector asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What spans are of, as OpenTelemetry has it.
pub(super) fn source(resource: &Resource) -> opentelemetry_sdk::Resource {
    let attributes = resource.attributes().iter().map(|attribute| match &attribute.value {
        AttributeValue::Text(text) => KeyValue::new(attribute.name.clone(), text.clone()),
        AttributeValue::Integer(number) => KeyValue::new(attribute.name.clone(), *number),
    });
    opentelemetry_sdk::Resource::builder_empty().with_attributes(attributes).build()
}

/// What became of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// It was taken, but for so many spans.
    Taken { refused: u64 },
    /// It is lost.
    Lost(Failure),
}

/// Sends batches of spans.
pub(super) struct Sender {
    exporter: SpanExporter,
    /// What the spans are of; whoever starts them may learn it later.
    source: watch::Receiver<opentelemetry_sdk::Resource>,
    /// What the last request got.
    answer: Arc<Mutex<Option<Answer>>>,
}

impl Sender {
    /// As `settings` say; connects nowhere yet.
    pub(super) fn new(
        settings: &Exporter,
        mut source: watch::Receiver<opentelemetry_sdk::Resource>,
    ) -> Result<Self, String> {
        let answer = Arc::default();
        let client = Client { transport: transport(settings, Signal::Traces)?, answer: Arc::clone(&answer) };
        let retries = RetryPolicy::recommended()
            .with_initial_delay(Duration::from_secs(1))
            .with_max_jitter(Duration::from_secs(1))
            .with_max_delay(LONGEST_WAIT)
            // The time limit ends them: new spans wait meanwhile.
            .with_max_retries(usize::MAX);
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_endpoint("http://collector.invalid/v1/traces")
            .with_protocol(Protocol::HttpBinary)
            // What is not to be compressed the transport unpacks, as it does for metrics.
            .with_compression(Compression::Gzip)
            .with_timeout(settings.timeout)
            .with_retry_policy(retries)
            .build()
            .map_err(|_| "the exporter for OTLP cannot be made")?;
        source.mark_changed();
        Ok(Self { exporter, source, answer })
    }

    /// Sends one batch, and tries again where that helps. On a runtime of tokio, where it waits without a thread.
    pub(super) async fn send(&mut self, batch: Vec<SpanData>) -> Sent {
        {
            let source = self.source.borrow_and_update();
            if source.has_changed() {
                self.exporter.set_resource(&source);
            }
        }
        // Its error says no more than the last answer does.
        let _ = self.exporter.export(batch).await;
        match self.answer.lock().take() {
            Some(Answer::Taken { refused }) => Sent::Taken { refused },
            Some(Answer::Later { failure, .. } | Answer::Never(failure)) => Sent::Lost(failure),
            // Without any answer it is larger than what the crate sends, which is what most collectors take.
            Some(Answer::TooLarge) | None => Sent::Lost(Failure::too_large()),
        }
    }
}

/// What the crate takes for an HTTP client.
struct Client {
    transport: Box<dyn Transport>,
    answer: Arc<Mutex<Option<Answer>>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

#[tonic::async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = self.transport.send(request.into_body()).await;
        let response = response(&answer);
        *self.answer.lock() = Some(answer);
        Ok(response?)
    }
}

/// The answer as HTTP has it, so far as it says what to do next.
fn response(answer: &Answer) -> Result<Response<Bytes>, HttpError> {
    let (status, after) = match answer {
        Answer::Taken { .. } => (StatusCode::OK, None),
        Answer::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, None),
        Answer::Never(_) => (StatusCode::BAD_REQUEST, None),
        // It would be asked sooner than it said.
        Answer::Later { after: Some(after), .. } if *after > LONGEST_WAIT => (StatusCode::BAD_REQUEST, None),
        Answer::Later { after, .. } => (StatusCode::SERVICE_UNAVAILABLE, *after),
    };
    let response = Response::builder().status(status);
    let response = match after {
        // In whole seconds, and none too few.
        Some(after) => response.header(RETRY_AFTER, after.as_secs() + u64::from(after.subsec_nanos() > 0)),
        None => response,
    };
    Ok(response.body(Bytes::new())?)
}

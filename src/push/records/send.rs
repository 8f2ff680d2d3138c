//! How records reach the collector: `opentelemetry-otlp` encodes and packs a batch and tries it several times, for a while;
//! each request takes the way that metrics take too, over HTTP or gRPC.
//!
//! Of that crate's own clients none is built: they would be a second way with TLS, names and time limits of their own. It
//! is told all of its settings, since what it is not told it reads from the environment; where the collector is, with
//! which headers, only the transport knows. It gets to see an answer as a status and nothing else, so no text of a
//! collector can reach its log, and what the answer meant is kept here: its errors hold no class, and how many records
//! were refused it only logs. A batch that is too large it would drop; here it goes on in smaller parts, until halving has
//! not helped several times in a row.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use opentelemetry::KeyValue;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{
    Compression, ExporterBuildError, Protocol, RetryPolicy, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::error::OTelSdkResult;
use parking_lot::Mutex;
use reqwest::StatusCode;
use reqwest::header::RETRY_AFTER;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::metrics::AttributeValue;
use crate::model::{Reason, SCHEMA_URL};
use crate::push::metrics::Metrics;
use crate::push::settings::Exporter;
use crate::push::signal::Signal;
use crate::push::spool::{Loss, Lost};
use crate::push::standing::Standing;
use crate::push::transport::{Answer, Failure, HALVINGS, Transport, transport};
use crate::resource::Resource;

/// How long the crate waits at most, whatever a collector asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What records are of, as OpenTelemetry has it.
pub(super) fn source(resource: &Resource) -> opentelemetry_sdk::Resource {
    let attributes = resource.attributes().iter().map(|attribute| match &attribute.value {
        AttributeValue::Text(text) => KeyValue::new(attribute.name.clone(), text.clone()),
        AttributeValue::Integer(number) => KeyValue::new(attribute.name.clone(), *number),
    });
    opentelemetry_sdk::Resource::builder_empty().with_schema_url(attributes, SCHEMA_URL).build()
}

/// The exporter of `opentelemetry-otlp` for records of one signal.
pub(in crate::push) trait Export: Sized + Send + Sync + 'static {
    /// What it sends.
    type Record: Send + Sync + 'static;
    /// The signal that these are of.
    const SIGNAL: Signal;

    /// One that sends through `client`, and tries each batch for as long as `timeout`.
    fn new(client: Client, timeout: Duration) -> Result<Self, ExporterBuildError>;

    /// Says what the records are of from now on.
    fn of(&mut self, source: &opentelemetry_sdk::Resource);

    /// Sends a batch. What became of it the client knows.
    fn export(&self, records: &[Self::Record]) -> impl Future<Output = OTelSdkResult> + Send;
}

/// `builder` with all of its settings.
pub(in crate::push) fn over<B: WithExportConfig + WithHttpConfig>(
    builder: B,
    client: Client,
    timeout: Duration,
) -> B {
    let retries = RetryPolicy::recommended()
        .with_initial_delay(Duration::from_secs(1))
        .with_max_jitter(Duration::from_secs(1))
        .with_max_delay(LONGEST_WAIT)
        // The time limit ends them: new records wait meanwhile.
        .with_max_retries(usize::MAX);
    builder
        .with_http_client(client)
        .with_endpoint("http://collector.invalid/")
        .with_protocol(Protocol::HttpBinary)
        // What is not to be compressed so the transport packs anew, as it does for metrics.
        .with_compression(Compression::Gzip)
        .with_timeout(timeout)
        .with_retry_policy(retries)
}

/// Sends batches of records.
pub(super) struct Sender<E> {
    exporter: E,
    /// What the records are of; whoever starts them may learn it later.
    source: watch::Receiver<opentelemetry_sdk::Resource>,
    /// What the last request got.
    answer: Arc<Mutex<Option<Answer>>>,
    metrics: Arc<Metrics>,
    standing: Arc<Standing>,
    /// How many records a request may have, so far as a collector found one too large: half of that one, and one more
    /// for each that was taken since.
    most: usize,
    /// How many requests in a row were too large.
    too_large: u32,
    /// The log knows that a part is refused.
    partly_refused: bool,
}

impl<E: Export> Sender<E> {
    /// As `settings` say; connects nowhere yet.
    pub(super) fn new(
        settings: &Exporter,
        source: watch::Receiver<opentelemetry_sdk::Resource>,
        metrics: Arc<Metrics>,
        standing: Arc<Standing>,
    ) -> Result<Self, String> {
        Self::over(transport(settings, E::SIGNAL)?, settings.timeout, source, metrics, standing)
    }

    /// Tries each batch for as long as `timeout`.
    fn over(
        transport: Box<dyn Transport>,
        timeout: Duration,
        mut source: watch::Receiver<opentelemetry_sdk::Resource>,
        metrics: Arc<Metrics>,
        standing: Arc<Standing>,
    ) -> Result<Self, String> {
        let answer = Arc::default();
        let client = Client { transport, answer: Arc::clone(&answer), metrics: Arc::clone(&metrics) };
        let exporter = E::new(client, timeout).map_err(|_| "the exporter for OTLP cannot be made")?;
        source.mark_changed();
        let most = usize::MAX;
        Ok(Self { exporter, source, answer, metrics, standing, most, too_large: 0, partly_refused: false })
    }

    /// Sends one batch, and tries again where that helps. On a runtime of tokio, where it waits without a thread.
    pub(super) async fn send(&mut self, mut batch: Vec<E::Record>) {
        {
            let source = self.source.borrow_and_update();
            if source.has_changed() {
                self.exporter.of(&source);
            }
        }
        while !batch.is_empty() {
            let mut rest = batch.split_off(batch.len().min(self.most));
            // Its error says no more than the last answer does.
            let _ = self.exporter.export(&batch).await;
            let answer = self.answer.lock().take();
            // Without any it is larger than what the crate sends, which is more than most collectors take.
            match answer.unwrap_or(Answer::TooLarge) {
                Answer::TooLarge => {
                    self.too_large = self.too_large.saturating_add(1);
                    self.most = batch.len().div_ceil(2);
                    let gives_up = self.too_large > HALVINGS;
                    if batch.len() > 1 || gives_up {
                        batch.append(&mut rest);
                    }
                    if batch.len() > 1 && !gives_up {
                        continue;
                    }
                    self.rejected(&batch, &Failure::too_large());
                }
                Answer::Taken { refused } => {
                    self.too_large = 0;
                    self.most = self.most.saturating_add(1);
                    self.taken(&batch, refused);
                }
                // The rest of it would wait as long, and as little would become of it.
                Answer::Later { failure, .. } => {
                    batch.append(&mut rest);
                    let expired = Loss { batches: 1, points: batch.len() as u64 };
                    self.say_failed(&failure);
                    self.metrics.lost(Lost { expired, ..Lost::default() });
                }
                Answer::Never(failure) => self.rejected(&batch, &failure),
            }
            batch = rest;
        }
    }

    fn taken(&mut self, batch: &[E::Record], refused: u64) {
        let (now, word) = (SystemTime::now(), E::SIGNAL.word());
        if self.standing.works(now) {
            info!("{word} are taken again");
        }
        self.metrics.taken(batch.len() as u64, refused, now);
        if refused > 0 && !self.partly_refused {
            warn!(refused, records = batch.len(), "the collector refuses some of the {word}");
        }
        self.partly_refused = refused > 0;
    }

    fn rejected(&self, batch: &[E::Record], failure: &Failure) {
        self.say_failed(failure);
        self.metrics.rejected(batch.len() as u64);
    }

    fn say_failed(&self, failure: &Failure) {
        if self.standing.fails(SystemTime::now(), &failure.said) {
            let (reason, word) = (failure.reason.as_str(), E::SIGNAL.word());
            warn!(reason, error = failure.said, "{word} are not taken: what comes meanwhile is lost");
        }
    }
}

/// What the crate takes for an HTTP client.
pub(in crate::push) struct Client {
    transport: Box<dyn Transport>,
    answer: Arc<Mutex<Option<Answer>>>,
    metrics: Arc<Metrics>,
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
        self.metrics.exported();
        match &answer {
            Answer::Taken { .. } => {}
            Answer::Later { failure, .. } | Answer::Never(failure) => self.metrics.failed(failure.reason),
            Answer::TooLarge => self.metrics.failed(Reason::UnexpectedStatus),
        }
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

#[cfg(test)]
mod tests;

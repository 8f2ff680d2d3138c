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
        source: watch::Receiver<opentelemetry_sdk::Resource>,
    ) -> Result<Self, String> {
        Self::over(transport(settings, Signal::Traces)?, settings.timeout, source)
    }

    /// Tries each batch for as long as `timeout`.
    fn over(
        transport: Box<dyn Transport>,
        timeout: Duration,
        mut source: watch::Receiver<opentelemetry_sdk::Resource>,
    ) -> Result<Self, String> {
        let answer = Arc::default();
        let client = Client { transport, answer: Arc::clone(&answer) };
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
            .with_timeout(timeout)
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

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::future::ready;

    use opentelemetry::trace::{Tracer, TracerProvider};
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_sdk::error::OTelSdkResult;
    use opentelemetry_sdk::trace::{SdkTracerProvider, SimpleSpanProcessor};
    use prost::Message;
    use tokio::time::Instant;

    use super::*;
    use crate::metrics::gunzip;
    use crate::model::Reason;
    use crate::push::transport::Sending;

    /// Gives these answers, and keeps what came when.
    #[derive(Clone, Default)]
    struct Scripted {
        answers: Arc<Mutex<VecDeque<Answer>>>,
        came: Arc<Mutex<Vec<(Instant, Bytes)>>>,
    }

    impl Transport for Scripted {
        fn send(&self, packed: Bytes) -> Sending {
            self.came.lock().push((Instant::now(), packed));
            Box::pin(ready(self.answers.lock().pop_front().unwrap()))
        }
    }

    fn failure() -> Failure {
        Failure { reason: Reason::ConnectionRefused, said: "connection refused".to_owned() }
    }

    fn later(seconds: Option<f64>) -> Answer {
        Answer::Later { after: seconds.map(Duration::from_secs_f64), failure: failure() }
    }

    fn resource(name: &'static str) -> opentelemetry_sdk::Resource {
        let named = opentelemetry_sdk::Resource::builder_empty();
        named.with_attributes([KeyValue::new("service.name", name)]).build()
    }

    /// One span.
    fn batch() -> Vec<SpanData> {
        #[derive(Clone, Debug, Default)]
        struct Keep(Arc<Mutex<Vec<SpanData>>>);
        impl opentelemetry_sdk::trace::SpanExporter for Keep {
            async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
                self.0.lock().extend(batch);
                Ok(())
            }
        }
        let keep = Keep::default();
        let processor = SimpleSpanProcessor::new(keep.clone());
        let provider = SdkTracerProvider::builder().with_span_processor(processor).build();
        drop(provider.tracer("test").start("a span"));
        std::mem::take(&mut *keep.0.lock())
    }

    /// With time that stands still unless all wait by way of the runtime: a thread that sleeps would not move it.
    #[tokio::test(start_paused = true)]
    async fn a_batch_is_tried_again_and_not_sooner_than_asked_for() {
        let scripted = Scripted::default();
        let answers =
            [later(None), later(Some(6.5)), Answer::Taken { refused: 2 }, Answer::Taken { refused: 0 }];
        scripted.answers.lock().extend(answers);
        let (source, seen) = watch::channel(resource("at first"));
        let mut sender = Sender::over(Box::new(scripted.clone()), Duration::from_mins(1), seen).unwrap();
        assert_eq!(sender.send(batch()).await, Sent::Taken { refused: 2 });
        source.send_replace(resource("later"));
        assert_eq!(sender.send(batch()).await, Sent::Taken { refused: 0 });

        let came = scripted.came.lock();
        let [first, second, third, other] = &**came else { panic!("{} requests", came.len()) };
        assert!((1.0..=2.1).contains(&(second.0 - first.0).as_secs_f64()), "{:?}", second.0 - first.0);
        assert!((7.0..=8.1).contains(&(third.0 - second.0).as_secs_f64()), "{:?}", third.0 - second.0);
        assert!(first.1 == second.1 && first.1 == third.1, "the same each time");
        let of = |packed: &Bytes| {
            let request = ExportTraceServiceRequest::decode(&*gunzip(packed)).unwrap();
            let [group] = &*request.resource_spans else { panic!("{request:?}") };
            assert_eq!(group.scope_spans[0].spans[0].name, "a span");
            format!("{:?}", group.resource)
        };
        assert!(of(&first.1).contains("at first"));
        assert!(of(&other.1).contains("later"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_lost_says_why_and_is_not_tried_again() {
        let rejected = Failure { reason: Reason::Auth, said: "status 401".to_owned() };
        for (answer, why) in [
            (Answer::Never(rejected.clone()), rejected),
            (Answer::TooLarge, Failure::too_large()),
            // Longer than the crate would wait, and longer than the batch is tried for.
            (later(Some(31.0)), failure()),
            (later(Some(600.0)), failure()),
        ] {
            let scripted = Scripted::default();
            scripted.answers.lock().push_back(answer);
            let (_source, seen) = watch::channel(resource("any"));
            let mut sender = Sender::over(Box::new(scripted.clone()), Duration::from_mins(5), seen).unwrap();
            assert_eq!(sender.send(batch()).await, Sent::Lost(why));
        }
    }
}

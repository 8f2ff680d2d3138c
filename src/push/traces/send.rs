//! How spans reach the collector: by the transport that metrics have too.
//!
//! They are encoded by `opentelemetry-proto` and tried several times, for a while: unlike metrics they are not worth a
//! place on disk. `opentelemetry-otlp`, which would do the same, has transports of its own: without TLS for gRPC in this
//! build, with another reading of the environment, and with texts of the collector in its errors.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::trace::SpanData;
use parking_lot::Mutex;
use prost::Message;
use tokio::time::{Instant, sleep};

use crate::metrics::{AttributeValue, gzip};
use crate::push::backoff::Backoff;
use crate::push::settings::Exporter;
use crate::push::transport::{Answer, Failure, Signal, Transport, transport};
use crate::resource::Resource;

/// What the spans are of; whoever starts them may learn it later.
#[derive(Clone, Debug, Default)]
pub(super) struct Source(Arc<Mutex<ResourceAttributesWithSchema>>);

impl Source {
    pub(super) fn set(&self, resource: &Resource) {
        let attributes = resource.attributes().iter().map(|attribute| match &attribute.value {
            AttributeValue::Text(text) => KeyValue::new(attribute.name.clone(), text.clone()),
            AttributeValue::Integer(number) => KeyValue::new(attribute.name.clone(), *number),
        });
        let resource = opentelemetry_sdk::Resource::builder_empty().with_attributes(attributes).build();
        *self.0.lock() = (&resource).into();
    }
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
    transport: Box<dyn Transport>,
    source: Source,
    /// How long one batch is tried, as OpenTelemetry counts the time limit. New spans wait meanwhile.
    patience: Duration,
}

impl Sender {
    /// As `settings` say; connects nowhere yet.
    pub(super) fn new(settings: &Exporter, source: Source) -> Result<Self, String> {
        let patience = settings.timeout;
        Ok(Self { transport: transport(settings, Signal::Traces)?, source, patience })
    }

    /// Sends one batch, and tries again where that helps.
    pub(super) async fn send(&self, batch: Vec<SpanData>) -> Sent {
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.source.0.lock());
        let request = ExportTraceServiceRequest { resource_spans };
        let packed = bytes::Bytes::from(gzip(&request.encode_to_vec(), Vec::new()));
        let (until, mut backoff) = (Instant::now() + self.patience, Backoff::default());
        loop {
            match self.transport.send(packed.clone()).await {
                Answer::Taken { refused } => return Sent::Taken { refused },
                Answer::Never(failure) => return Sent::Lost(failure),
                Answer::TooLarge => return Sent::Lost(Failure::too_large()),
                Answer::Later { after, failure } => {
                    let wait = backoff.next(after);
                    if Instant::now() + wait >= until {
                        return Sent::Lost(failure);
                    }
                    sleep(wait).await;
                }
            }
        }
    }
}

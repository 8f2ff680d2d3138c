//! Spans on their way out: from `tracing` through OpenTelemetry's SDK into a bounded queue, from there in batches to a
//! collector over OTLP.
//!
//! A span that ends costs its sender one move into the queue and never a wait; where the queue is full it is dropped and
//! counted. Sending is one task on a runtime of the caller's: the SDK's own batches are sent from a thread of theirs,
//! which an asynchronous client cannot run on, and what that drops is counted nowhere. Nothing global is installed: a
//! program puts the layer into its own subscriber and says when to stop.

mod queue;
mod send;

use std::fmt;

use opentelemetry::InstrumentationScope;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::level_filters::LevelFilter;
use tracing::{Subscriber, debug};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use crate::metrics::Store;
use crate::resource::Resource;
use crate::{supervisor, trace};

use super::settings::{Exporter, Spans};
use send::Sender;

pub use queue::DEFINITIONS;

/// Why traces cannot be sent at all.
#[derive(Debug)]
pub struct Unusable(String);

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "traces cannot be sent: {}", self.0)
    }
}

impl std::error::Error for Unusable {}

/// Traces that are being sent. Dropped, what waits is lost: [`Traces::stop`] sends it first.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
    source: watch::Sender<opentelemetry_sdk::Resource>,
    sender: JoinHandle<()>,
    stop: CancellationToken,
}

impl Traces {
    /// Begins to send what [`Traces::layer`] records, on `runtime`, which must be driven for as long. `resource` says what
    /// the spans are of, until [`Traces::set_resource`] does.
    ///
    /// # Errors
    /// Where the destination cannot be one. Whether somebody is there shows later, in the log and the metrics.
    pub fn start(
        exporter: &Exporter,
        spans: &Spans,
        resource: &Resource,
        store: &Store,
        runtime: &Handle,
    ) -> Result<Self, Unusable> {
        let (source, seen) = watch::channel(send::source(resource));
        let mut sender = Sender::new(exporter, seen).map_err(Unusable)?;
        let (queue, waiting) = queue::queue(spans, store);
        let provider =
            SdkTracerProvider::builder().with_sampler(spans.sampler()).with_span_processor(queue).build();
        let stop = CancellationToken::new();
        let send = async move |batch| sender.send(batch).await;
        let sender = supervisor::task_on(runtime, waiting.empty(send, stop.clone()));
        Ok(Self { provider, source, sender, stop })
    }

    /// Says what the spans are of, where that was not known before.
    pub fn set_resource(&self, resource: &Resource) {
        self.source.send_replace(send::source(resource));
    }

    /// What records the spans of this crate, for the subscriber of the program.
    pub fn layer<S>(&self) -> Box<dyn Layer<S> + Send + Sync>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let ours = filter_fn(|metadata| metadata.is_span() && metadata.target() == trace::TARGET);
        tracing_opentelemetry::layer()
            .with_tracer(self.tracer())
            .with_location(false)
            .with_target(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(ours.with_max_level_hint(LevelFilter::INFO))
            .boxed()
    }

    /// For a program that puts its own spans beside ours, in a layer of its own.
    #[must_use]
    pub fn tracer(&self) -> SdkTracer {
        let scope = InstrumentationScope::builder(env!("CARGO_PKG_NAME"));
        self.provider.tracer_with_scope(scope.with_version(env!("CARGO_PKG_VERSION")).build())
    }

    /// Sends what waits, until `deadline` at most. Spans that end later are lost.
    pub async fn stop(mut self, deadline: Instant) {
        self.stop.cancel();
        if timeout_at(deadline, &mut self.sender).await.is_err() {
            self.sender.abort();
        }
        if let Err(error) = self.provider.shutdown() {
            debug!(%error, "traces had ended already");
        }
    }
}

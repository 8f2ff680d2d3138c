//! Spans on their way out: from `tracing` through OpenTelemetry's SDK to a collector.

use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    SdkTracer, SdkTracerProvider, Span, SpanData, SpanExporter as _, SpanProcessor,
};
use tokio::runtime::Handle;
use tokio::time::Instant;
use tracing::level_filters::LevelFilter;
use tracing::{Subscriber, debug};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use super::records::{Client, Export, Queue, Records, Unusable, over};
use super::settings::{Exporter, Spans};
use super::signal::Signal;
use crate::metrics::Store;
use crate::model::SCHEMA_URL;
use crate::resource::Resource;
use crate::trace;

/// Traces that are being sent. Dropped, what waits is lost: [`Traces::stop`] sends it first.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
    records: Records,
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
        let (records, queue) =
            Records::start::<SpanExporter>(exporter, spans.queue, resource, store, runtime)?;
        let provider = SdkTracerProvider::builder().with_sampler(spans.sampler());
        Ok(Self { provider: provider.with_span_processor(Ended(queue)).build(), records })
    }

    /// Says what the spans are of, where that was not known before.
    pub fn set_resource(&self, resource: &Resource) {
        self.records.set_resource(resource);
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
        let scope = scope.with_version(env!("CARGO_PKG_VERSION")).with_schema_url(SCHEMA_URL);
        self.provider.tracer_with_scope(scope.build())
    }

    /// How it stands at any moment, in one line.
    pub(crate) fn line(&self) -> impl Fn() -> String + Send + Sync + 'static {
        self.records.line()
    }

    /// Sends what waits, until `deadline` at most. Spans that end later are lost.
    pub async fn stop(mut self, deadline: Instant) {
        self.records.stop(deadline).await;
        if let Err(error) = self.provider.shutdown() {
            debug!(%error, "traces had ended already");
        }
    }
}

/// Where spans that ended come in.
#[derive(Debug)]
struct Ended(Queue<SpanData>);

impl SpanProcessor for Ended {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() {
            self.0.push(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl Export for SpanExporter {
    type Record = SpanData;
    const SIGNAL: Signal = Signal::Traces;

    fn new(client: Client, timeout: Duration) -> Result<Self, ExporterBuildError> {
        over(Self::builder().with_http(), client, timeout).build()
    }

    fn of(&mut self, source: &opentelemetry_sdk::Resource) {
        self.set_resource(source);
    }

    fn export(&self, records: &[SpanData]) -> impl Future<Output = OTelSdkResult> + Send {
        // It takes them for good, and a part that is too large is needed again.
        opentelemetry_sdk::trace::SpanExporter::export(self, records.to_vec())
    }
}

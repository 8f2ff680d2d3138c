//! Log lines on their way out: from `tracing` through OpenTelemetry's SDK to a collector, where that is asked for.
//!
//! What is sent is what the program's log shows: its subscriber filters the layer as it filters the lines. A record has
//! level, message and fields of the event, and the ids of the span that it was written in; its scope is called after the
//! part of the program. What sending itself has to say it says once when it breaks and once when it works again, so no
//! line follows from every line.

use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry::logs::LogRecord;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::{ExporterBuildError, LogExporter};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogBatch, LogExporter as _, LogProcessor, SdkLogRecord, SdkLoggerProvider};
use tokio::runtime::Handle;
use tokio::time::Instant;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use super::records::{Client, Export, Queue, Records, Unusable, over};
use super::settings::{self, Exporter};
use super::signal::Signal;
use crate::metrics::Store;
use crate::resource::Resource;

/// Logs that are being sent. Dropped, what waits is lost: [`Logs::stop`] sends it first.
#[derive(Debug)]
pub struct Logs {
    provider: SdkLoggerProvider,
    records: Records,
}

impl Logs {
    /// Begins to send what [`Logs::layer`] gets, on `runtime`, which must be driven for as long. `resource` says what the
    /// lines are of, until [`Logs::set_resource`] does.
    ///
    /// # Errors
    /// Where the destination cannot be one. Whether somebody is there shows later, in the log and the metrics.
    pub fn start(
        exporter: &Exporter,
        queue: settings::Queue,
        resource: &Resource,
        store: &Store,
        runtime: &Handle,
    ) -> Result<Self, Unusable> {
        let (records, queue) = Records::start::<LogExporter>(exporter, queue, resource, store, runtime)?;
        Ok(Self { provider: SdkLoggerProvider::builder().with_log_processor(Lines(queue)).build(), records })
    }

    /// Says what the lines are of, where that was not known before.
    pub fn set_resource(&self, resource: &Resource) {
        self.records.set_resource(resource);
    }

    /// What makes every event that it gets a record, for the subscriber of the program, which filters it.
    pub fn layer<S>(&self) -> Box<dyn Layer<S> + Send + Sync>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        OpenTelemetryTracingBridge::new(&self.provider).boxed()
    }

    /// How it stands at any moment, in one line.
    pub(crate) fn line(&self) -> impl Fn() -> String + Send + Sync + 'static {
        self.records.line()
    }

    /// Sends what waits, until `deadline` at most. Lines that are written later are lost.
    pub async fn stop(mut self, deadline: Instant) {
        self.records.stop(deadline).await;
        // It only fails where it had ended already, and nobody would get to read that.
        let _ = self.provider.shutdown();
    }
}

/// A line, and the scope that it is in.
type Line = (SdkLogRecord, InstrumentationScope);

/// Where lines come in.
#[derive(Debug)]
struct Lines(Queue<Line>);

impl LogProcessor for Lines {
    fn emit(&self, line: &mut SdkLogRecord, scope: &InstrumentationScope) {
        if let Some(now) = line.observed_timestamp() {
            line.set_timestamp(now);
        }
        // `tracing` names an event after its place in the source, which is no name of a sort of event.
        line.set_event_name("");
        self.0.push((line.clone(), scope.clone()));
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl Export for LogExporter {
    type Record = Line;
    const SIGNAL: Signal = Signal::Logs;

    fn new(client: Client, timeout: Duration) -> Result<Self, ExporterBuildError> {
        over(Self::builder().with_http(), client, timeout).build()
    }

    fn of(&mut self, source: &opentelemetry_sdk::Resource) {
        self.set_resource(source);
    }

    async fn export(&self, records: &[Line]) -> OTelSdkResult {
        let lines: Vec<_> = records.iter().map(|(line, scope)| (line, scope)).collect();
        opentelemetry_sdk::logs::LogExporter::export(self, LogBatch::new(&lines)).await
    }
}

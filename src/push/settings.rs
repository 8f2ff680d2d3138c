//! The section `otlp` of the configuration: where each signal goes, how, and what happens while it cannot.
//!
//! Every setting of the way to a collector may stand in `otlp`, for all signals, and in `otlp.metrics`, `otlp.traces` or
//! `otlp.logs`, for one of them. The variables of OpenTelemetry stand in for what the file does not say. A signal is
//! pushed when it has an endpoint. Connects nowhere, but reads the files of certificates.

mod endpoint;
mod exporter;
mod queue;
mod spans;
mod variables;

use std::path::PathBuf;
use std::time::Duration;

use crate::config::{Fields, Quantity, Word};
use crate::metrics::otlp::{BATCH_LIMIT, Temporality};

pub use exporter::{Compression, Exporter, Protocol};
pub use queue::Queue;
pub use spans::{Sampling, Spans};
pub(crate) use variables::VARIABLES;

use super::signal::Signal;
use exporter::Way;

/// How often metrics leave unless told otherwise: as often as Prometheus scrapes in most places, so that dashboards look
/// alike.
const INTERVAL: Duration = Duration::from_secs(15);
/// Shorter ones would be a load for nothing.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
/// How long one export may take unless told otherwise, as OpenTelemetry has it.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(30);
/// How much waits on disk, and in memory where there is no disk, unless told otherwise.
const SPOOL_ON_DISK: u32 = 64 << 20;
const SPOOL_IN_MEMORY: u32 = 16 << 20;
/// How long a batch waits unless told otherwise.
const SPOOL_AGE: Duration = Duration::from_hours(24);
/// What `OTEL_BLRP_SCHEDULE_DELAY` defaults to.
const LINES_DELAY: Duration = Duration::from_secs(1);

/// What leaves over OTLP. The default is nothing.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Metrics, where they are pushed.
    pub metrics: Option<Metrics>,
    /// Traces, where they are pushed.
    pub traces: Option<Exporter>,
    /// Which spans are recorded where traces are pushed, and how many wait.
    pub spans: Spans,
    /// Logs, where they are pushed: only where that is asked for.
    pub logs: Option<Exporter>,
    /// How many log lines wait where logs are pushed.
    pub lines: Queue,
}

impl Default for Settings {
    fn default() -> Self {
        let lines = Queue::of(LINES_DELAY);
        Self { metrics: None, traces: None, spans: Spans::default(), logs: None, lines }
    }
}

/// How metrics are pushed.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Where they go, and how.
    pub exporter: Exporter,
    /// How often.
    pub interval: Duration,
    /// Since when counters and histograms count.
    pub temporality: Temporality,
    /// How large a batch may get, in bytes before compression.
    pub batch_size: usize,
    /// What waits for the collector.
    pub spool: Spool,
}

/// The queue of batches that wait for the collector.
#[derive(Clone, Debug)]
pub struct Spool {
    /// Where it is on disk; without it, in memory, which ends with the process.
    pub directory: Option<PathBuf>,
    /// How many bytes may wait; beyond it the oldest batch is dropped.
    pub size: u64,
    /// How old a batch may get; an older one is dropped.
    pub age: Duration,
}

impl Word for Temporality {
    const MEANING: &'static str = "temporality";
    const ALL: &'static [Self] = &[Self::Cumulative, Self::Delta, Self::LowMemory];

    fn word(self) -> &'static str {
        match self {
            Self::Cumulative => "cumulative",
            Self::Delta => "delta",
            Self::LowMemory => "lowmemory",
        }
    }
}

impl Settings {
    /// Takes the section `otlp`.
    pub(crate) fn read(fields: &mut Fields<'_>) -> Self {
        fields.section("otlp", "what leaves over OTLP, where an endpoint is given", read)
    }
}

fn read(fields: &mut Fields<'_>) -> Settings {
    let enabled =
        fields.optional::<bool>("enabled", "whether anything leaves (default: where an endpoint is given)");
    let general = Way::read(fields);
    let spool = fields.section("spool", "the batches of metrics that wait for the collector", read_spool);
    let on = enabled != Some(false);
    let metrics = fields.section("metrics", "metrics, and what differs for them", |fields| {
        let (exporter, wanted) = read_signal(fields, &general, Signal::Metrics);
        let interval = fields.or("interval", INTERVAL, "how often they leave");
        if interval < SHORTEST_INTERVAL {
            fields.problem("interval", "must be at least 100ms");
        }
        let limit = fields.or(
            "export_timeout",
            EXPORT_TIMEOUT,
            "how long one attempt may take at most, beside `timeout`",
        );
        let temporality = fields.or(
            "temporality",
            Temporality::Cumulative,
            "since when counters count; Prometheus refuses anything but `cumulative`",
        );
        let batch_size = fields.or(
            "batch_size",
            Quantity(f64::from(u32::try_from(BATCH_LIMIT).unwrap_or(u32::MAX))),
            "how many bytes a request may have before compression; more is split",
        );
        let batch_size = bytes(fields, "batch_size", batch_size);
        let mut exporter = exporter.filter(|_| on && wanted.unwrap_or(true))?;
        exporter.timeout = exporter.timeout.min(limit);
        let batch_size = usize::try_from(batch_size).unwrap_or(usize::MAX);
        Some(Metrics { exporter, interval, temporality, batch_size, spool })
    });
    let (traces, spans) = fields.section("traces", "traces, and what differs for them", |fields| {
        let (exporter, wanted) = read_signal(fields, &general, Signal::Traces);
        (exporter.filter(|_| on && wanted.unwrap_or(true)), Spans::read(fields))
    });
    let doc = "logs, and what differs for them; they leave only when enabled";
    let (logs, lines) = fields.section("logs", doc, |fields| {
        let (exporter, wanted) = read_signal(fields, &general, Signal::Logs);
        (exporter.filter(|_| on && wanted.unwrap_or(false)), Queue::read(fields, LINES_DELAY))
    });
    if let Some(message) = general.wrong_endpoint.take() {
        fields.problem("endpoint", message);
    } else if enabled == Some(true) && metrics.is_none() && traces.is_none() && logs.is_none() {
        let help = "add `endpoint: http://collector:4318`, or set OTEL_EXPORTER_OTLP_ENDPOINT".to_owned();
        fields.problem_with_help("enabled", "there is no endpoint to push to", Some(help));
    }
    Settings { metrics, traces, spans, logs, lines }
}

/// One signal, where it has an endpoint, and whether it was said to leave.
fn read_signal(fields: &mut Fields<'_>, general: &Way, signal: Signal) -> (Option<Exporter>, Option<bool>) {
    let wanted = fields.optional::<bool>("enabled", "whether this signal leaves");
    let own = Way::read(fields);
    let exporter = own.exporter(general, signal, fields);
    (exporter, wanted)
}

fn read_spool(fields: &mut Fields<'_>) -> Spool {
    let directory = fields.optional::<PathBuf>(
        "directory",
        "where they wait on disk, through restarts; without it they wait in memory",
    );
    let size = fields.optional::<Quantity>(
        "size",
        "how many bytes may wait, compressed, before the oldest batch is dropped (default 64Mi on disk, 16Mi in memory)",
    );
    let size = size.map(|size| bytes(fields, "size", size));
    let default = if directory.is_some() { SPOOL_ON_DISK } else { SPOOL_IN_MEMORY };
    let age = fields.or("age", SPOOL_AGE, "how old a batch may get before it is dropped");
    Spool { directory, size: size.unwrap_or(default.into()), age }
}

/// `size` as whole bytes; a size that no batch fits into is noted.
fn bytes(fields: &mut Fields<'_>, name: &str, Quantity(size): Quantity) -> u64 {
    const LEAST: f64 = 65_536.0;
    const MOST: f64 = 1_099_511_627_776.0;
    if !(LEAST..=MOST).contains(&size) {
        fields.problem(name, "must be between 64Ki and 1Ti");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between the two limits")]
    let whole = size.clamp(LEAST, MOST) as u64;
    whole
}

#[cfg(test)]
mod tests;

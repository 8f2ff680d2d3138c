//! What it costs to encode all metrics as OTLP protobuf, against OpenTelemetry's own SDK in the same run: its collection,
//! its conversion to protobuf's messages and their encoding, with the same series and values.
//!
//! 10,000 lines of a page: 5,000 gauges with four labels in ten families and 333 histograms of fifteen lines in ten
//! families, all values random numbers of full precision. What both wrote is read and compared, so that neither leaves
//! anything out.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark"
)]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small numbers"
)]
#![allow(dead_code, missing_docs, unreachable_pub, reason = "shared by benchmarks that need different parts")]

mod support;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue as Pair, any_value};
use opentelemetry_proto::tonic::metrics::v1::{metric::Data, number_data_point};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use parking_lot::Mutex;
use prost::Message;
use vitalsign::metrics::Store;
use vitalsign::metrics::otlp::{self, BATCH_LIMIT, Encoder};
use vitalsign::model::{Definition, Instrument};

use support::figures::{Table, median, millis};

const LINES: usize = 10_000;
const FAMILIES: usize = 10;
const ROUNDS: usize = 1000;
/// The peer takes much longer.
const PEER_ROUNDS: usize = 60;
const OBSERVATIONS: usize = 50;

const LABELS: &[&str] = &["check", "instance_name", "kind", "state"];
const BOUNDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// The end of the SDK's pipeline: what it collected becomes bytes, as in its own exporter.
#[derive(Clone, Default)]
struct Exporter(Arc<Mutex<Vec<u8>>>);

impl PushMetricExporter for Exporter {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let bytes = ExportMetricsServiceRequest::from(metrics).encode_to_vec();
        *self.0.lock() = bytes;
        Ok(())
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}

/// The same series with the same values in our store and in the SDK.
fn fill(lines: usize) -> (Store, SdkMeterProvider, Exporter) {
    let exporter = Exporter::default();
    let reader = PeriodicReader::builder(exporter.clone()).with_interval(Duration::from_secs(86_400)).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    let (store, meter) = (Store::new(), provider.meter("bench"));
    let mut random = fastrand::Rng::with_seed(1);
    for definition in define("bench.gauge", Instrument::Gauge) {
        let theirs =
            meter.f64_gauge(definition.name).with_unit("s").with_description(definition.help).build();
        for index in 0..lines / 2 / FAMILIES {
            let (labels, value) = (labels(index), random.f64() * 1e3);
            store.gauge(definition, &labels.each_ref().map(String::as_str)).set(value);
            theirs.record(value, &pairs(labels));
        }
    }
    for (family, definition) in
        define("bench.histogram", Instrument::Histogram(BOUNDS)).into_iter().enumerate()
    {
        let theirs = meter.f64_histogram(definition.name).with_unit("s").with_description(definition.help);
        let theirs = theirs.with_boundaries(BOUNDS.to_vec()).build();
        for index in (family..lines / 30).step_by(FAMILIES) {
            let labels = labels(index);
            let ours = store.histogram(definition, &labels.each_ref().map(String::as_str));
            let pairs = pairs(labels);
            for _ in 0..OBSERVATIONS {
                let value = random.f64().powi(4) * 6.0;
                ours.observe(value);
                theirs.record(value, &pairs);
            }
        }
    }
    (store, provider, exporter)
}

fn define(name: &str, instrument: Instrument) -> Vec<&'static Definition> {
    let one = |index| -> &'static Definition {
        Box::leak(Box::new(Definition {
            name: Box::leak(format!("{name}.{index}").into_boxed_str()),
            instrument,
            unit: "s",
            attributes: LABELS,
            help: "What a series of the benchmark measures",
        }))
    };
    (0..FAMILIES).map(one).collect()
}

fn labels(index: usize) -> [String; 4] {
    [
        format!("orders-database-{index:05}"),
        format!("10.0.{}.{}:5432", index / 256, index % 256),
        "postgres".to_owned(),
        "healthy".to_owned(),
    ]
}

fn pairs(labels: [String; 4]) -> Vec<KeyValue> {
    LABELS.iter().zip(labels).map(|(name, value)| KeyValue::new(*name, value)).collect()
}

/// Series and values of a request; what the store says of itself is not the peer's.
fn values(bytes: &[u8]) -> BTreeMap<String, String> {
    let request = ExportMetricsServiceRequest::decode(bytes).unwrap();
    let scopes = request.resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics);
    let mut all = BTreeMap::new();
    for metric in
        scopes.flat_map(|scope| scope.metrics).filter(|metric| !metric.name.starts_with("vitalsign."))
    {
        let about = format!("{} {} {}", metric.name, metric.unit, metric.description);
        match metric.data.unwrap() {
            Data::Gauge(gauge) => all.extend(gauge.data_points.into_iter().map(|point| {
                let Some(number_data_point::Value::AsDouble(value)) = point.value else {
                    panic!("{point:?}")
                };
                (format!("{about} {}", attributes(&point.attributes)), format!("{value:?}"))
            })),
            Data::Histogram(histogram) => all.extend(histogram.data_points.into_iter().map(|point| {
                let value = format!("{:?} {:?} {:?}", point.sum, point.bucket_counts, point.explicit_bounds);
                (format!("{about} {}", attributes(&point.attributes)), value)
            })),
            other => panic!("{other:?}"),
        }
    }
    all
}

fn attributes(pairs: &[Pair]) -> String {
    let text = |pair: &Pair| match &pair.value.as_ref().unwrap().value {
        Some(any_value::Value::StringValue(text)) => format!("{}={text}", pair.key),
        other => panic!("{other:?}"),
    };
    let mut all: Vec<String> = pairs.iter().map(text).collect();
    all.sort();
    all.join(",")
}

fn main() {
    let (store, provider, exporter) = fill(LINES);
    let mut encoder = Encoder::new(&otlp::resource(&[]), otlp::Temporality::Cumulative);
    let mut encode = |look: &mut dyn FnMut(&[u8])| {
        encoder.encode(&store.snapshot(), SystemTime::now(), BATCH_LIMIT, &mut |batch| look(&batch.bytes));
    };
    let mut ours = Vec::new();
    encode(&mut |bytes| ours.extend_from_slice(bytes));
    provider.force_flush().unwrap();
    let theirs = exporter.0.lock().clone();
    assert!(values(&ours) == values(&theirs), "the two requests differ");

    let [mut own, mut sdk] = [const { Vec::new() }; 2];
    for round in 0..ROUNDS {
        own.push(millis(|| {
            encode(&mut |bytes| _ = black_box(bytes));
        }));
        // In between, so that whatever else the machine does meets both.
        if round % (ROUNDS / PEER_ROUNDS) == 0 {
            sdk.push(millis(|| provider.force_flush().unwrap()));
        }
    }
    let [own, sdk] = [&mut own, &mut sdk].map(|all| median(all));
    let points = values(&ours).len();
    let mut table = Table::default();
    table.tell("data points, and the lines that a page has for them", format!("{points} and {LINES}"));
    table.tell("bytes, ours and the SDK's", format!("{} and {}", ours.len(), theirs.len()));
    table.tell("encode, median", format!("{own:.3} ms"));
    table.tell("a data point", format!("{:.0} ns", own * 1e6 / points as f64));
    table.tell("the SDK's collection, conversion and encoding, median", format!("{sdk:.3} ms"));
    table.at_least("SDK / encode", 20.0, sdk / own, "×");
    table.print("Encoding all metrics as OTLP");
}

//! What the readers of a real `MeterProvider` get.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics, ScopeMetrics};
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use parking_lot::Mutex;

use super::*;

static UP: Definition = Definition {
    name: "healthcheck.up",
    instrument: Instrument::UpDownCounter,
    unit: "{check}",
    attributes: &["healthcheck.name"],
    help: "1 while the check stands",
};
static INTERVAL: Definition = Definition {
    name: "healthcheck.interval",
    instrument: Instrument::Gauge,
    unit: "s",
    attributes: &["healthcheck.name"],
    help: "Time between runs",
};
static RUNS: Definition = Definition {
    name: "healthcheck.runs",
    instrument: Instrument::Counter,
    unit: "{run}",
    attributes: &["healthcheck.name", "healthcheck.kind"],
    help: "Runs",
};
static TOOK: Definition = Definition {
    name: "healthcheck.duration",
    instrument: Instrument::Histogram(&[1.0]),
    unit: "s",
    attributes: &["healthcheck.name"],
    help: "How long runs took",
};

/// Keeps the lines of what was collected last.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl PushMetricExporter for Seen {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let mut lines = Vec::new();
        for metric in metrics.scope_metrics().flat_map(ScopeMetrics::metrics) {
            let AggregatedMetrics::F64(data) = metric.data() else { panic!("{metric:?}") };
            let about = format!("{} {:?} {}", metric.name(), metric.unit(), metric.description());
            let mut line = |kind: &str, attributes: &mut dyn Iterator<Item = &KeyValue>, value: f64| {
                let mut pairs: Vec<String> =
                    attributes.map(|pair| format!("{}={}", pair.key, pair.value.as_str())).collect();
                pairs.sort();
                lines.push(format!("{about} {kind} {} {value}", pairs.join(",")));
            };
            match data {
                MetricData::Gauge(gauge) => {
                    gauge
                        .data_points()
                        .for_each(|point| line("gauge", &mut point.attributes(), point.value()));
                }
                MetricData::Sum(sum) => {
                    let kind = if sum.is_monotonic() { "monotonic" } else { "sum" };
                    sum.data_points().for_each(|point| line(kind, &mut point.attributes(), point.value()));
                }
                other => panic!("{other:?}"),
            }
        }
        lines.sort();
        *self.0.lock() = lines;
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

/// A provider with two readers that read when they are told to.
fn provider() -> (SdkMeterProvider, [Seen; 2]) {
    let seen = [Seen::default(), Seen::default()];
    let reader = |seen: &Seen| {
        PeriodicReader::builder(seen.clone()).with_interval(Duration::from_secs(86_400)).build()
    };
    let [first, second] = seen.each_ref().map(reader);
    (SdkMeterProvider::builder().with_reader(first).with_reader(second).build(), seen)
}

/// What both readers get when both collect.
fn collect(provider: &SdkMeterProvider, seen: &[Seen; 2]) -> [Vec<String>; 2] {
    // Where there is nothing, nothing is exported.
    seen.iter().for_each(|seen| seen.0.lock().clear());
    provider.force_flush().unwrap();
    seen.each_ref().map(|seen| seen.0.lock().clone())
}

#[test]
fn everything_but_histograms_is_observed() {
    let store = Store::new();
    store.gauge(&UP, &["db"]).set(1.0);
    store.gauge(&INTERVAL, &["db"]).set(15.0);
    let _absent = store.gauge(&INTERVAL, &["cache"]);
    store.counter(&RUNS, &["d\"b", "tcp"]).add(3);
    store.counter(&RUNS, &["cache", ""]).add(4);
    store.histogram(&TOOK, &["db"]).observe(0.5);
    let mut scope = store.scope();
    scope.describe(&[]);
    let (provider, seen) = provider();
    store.offer(&provider.meter("vitalsign"), [&UP, &INTERVAL, &RUNS, &TOOK, &TARGET_INFO]);
    let expected = [
        "healthcheck.interval \"s\" Time between runs gauge healthcheck.name=db 15",
        "healthcheck.runs \"{run}\" Runs monotonic healthcheck.kind=tcp,healthcheck.name=d\"b 3",
        "healthcheck.runs \"{run}\" Runs monotonic healthcheck.name=cache 4",
        "healthcheck.up \"{check}\" 1 while the check stands sum healthcheck.name=db 1",
    ];
    assert_eq!(collect(&provider, &seen), [expected, expected]);
    drop((store, scope));
    collect(&provider, &seen);
    let nothing: [Vec<String>; 2] = Default::default();
    assert_eq!(collect(&provider, &seen), nothing, "they go with their store");
}

#[test]
fn a_removed_series_is_gone_for_two_readers_with_their_second_collection() {
    let store = Store::new();
    let (provider, seen) = provider();
    store.offer(&provider.meter("vitalsign"), [&UP, &INTERVAL, &RUNS]);
    store.gauge(&UP, &["stays"]).set(1.0);
    let mut scope = store.scope();
    scope.gauge(&UP, &["goes"]).set(1.0);
    scope.gauge(&INTERVAL, &["goes"]).set(15.0);
    scope.counter(&RUNS, &["goes", "tcp"]).increment();
    let stays = "healthcheck.up \"{check}\" 1 while the check stands sum healthcheck.name=stays 1";
    for reader in collect(&provider, &seen) {
        assert_eq!(reader.iter().filter(|line| line.contains("goes")).count(), 3, "{reader:?}");
    }
    drop(scope);
    collect(&provider, &seen);
    assert_eq!(collect(&provider, &seen), [[stays], [stays]]);
}

//! Every metric over OTLP: it arrives as its definition says, and a receiver that translates its name as Prometheus does
//! gets the one that stands on the page. The table of translations is that of Prometheus' own translator.

use std::{collections::BTreeMap, time::SystemTime};

use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{KeyValue, any_value},
    metrics::v1::{Metric, metric::Data},
};
use prost::Message;
use vitalsign::{
    metrics::{
        Store,
        otlp::{self, BATCH_LIMIT, Encoder, Temporality},
        prometheus_label, prometheus_name, render,
    },
    model::{Definition, Instrument, is_integer},
};

use crate::harness::scrape::Scrape;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/translations.txt");

/// What a receiver knows of a metric.
#[derive(Debug, PartialEq)]
struct Received {
    description: String,
    unit: String,
    instrument: Instrument,
    attributes: Vec<String>,
}

/// The metrics that are sent, which is all but what the resource says, and the age of a page.
fn definitions() -> Vec<&'static Definition> {
    let mut all = vitalsign::agent::definitions();
    all.retain(|definition| !["target.info", "vitalsign.page.age"].contains(&definition.name));
    all.sort_by_key(|definition| definition.name);
    all
}

/// A store with a series of every metric.
fn store() -> Store {
    let store = Store::new();
    for definition in definitions() {
        let value = |name: &&str| if is_integer(name) { "7".to_owned() } else { format!("of {name}") };
        let values: Vec<String> = definition.attributes.iter().map(value).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        match definition.instrument {
            Instrument::Counter => store.counter(definition, &values).increment(),
            Instrument::Gauge | Instrument::UpDownCounter => store.gauge(definition, &values).set(0.5),
            Instrument::Histogram(_) => store.histogram(definition, &values).observe(0.5),
        }
    }
    store
}

fn received(store: &Store) -> BTreeMap<String, Received> {
    let mut encoder = Encoder::new(&otlp::resource(&[]), Temporality::Cumulative);
    let mut all = BTreeMap::new();
    encoder.encode(&store.snapshot(), SystemTime::now(), BATCH_LIMIT, &mut |batch| {
        let request = ExportMetricsServiceRequest::decode(&*batch.bytes).expect("a request");
        let scopes = request.resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics);
        for metric in scopes.flat_map(|scope| scope.metrics) {
            let name = metric.name.clone();
            let known = all.insert(name, read(metric));
            assert!(known.is_none(), "{known:?} comes twice");
        }
    });
    all
}

/// The attributes of every point.
pub(crate) fn attributes(metric: &Metric) -> Vec<&[KeyValue]> {
    match metric.data.as_ref().expect("data") {
        Data::Gauge(gauge) => gauge.data_points.iter().map(|point| &*point.attributes).collect(),
        Data::Sum(sum) => sum.data_points.iter().map(|point| &*point.attributes).collect(),
        Data::Histogram(histogram) => histogram.data_points.iter().map(|point| &*point.attributes).collect(),
        other => panic!("{other:?}"),
    }
}

fn read(metric: Metric) -> Received {
    let attributes = attributes(&metric);
    // The store has series of its own, with a reason; any of them will do.
    let attributes = attributes.first().expect("a point").iter().map(|attribute| {
        let value = attribute.value.as_ref().and_then(|any| any.value.as_ref());
        let is_there = match value {
            Some(any_value::Value::IntValue(_)) => is_integer(&attribute.key),
            Some(any_value::Value::StringValue(text)) => !is_integer(&attribute.key) && !text.is_empty(),
            _ => false,
        };
        assert!(is_there, "{attribute:?}");
        attribute.key.clone()
    });
    let attributes = attributes.collect();
    let instrument = match metric.data.expect("data") {
        Data::Gauge(_) => Instrument::Gauge,
        Data::Sum(sum) if sum.is_monotonic => Instrument::Counter,
        Data::Sum(_) => Instrument::UpDownCounter,
        Data::Histogram(histogram) => {
            Instrument::Histogram(histogram.data_points[0].explicit_bounds.clone().leak())
        }
        other => panic!("{other:?}"),
    };
    Received { description: metric.description, unit: metric.unit, instrument, attributes }
}

/// Fails unless `metric` is one of ours and is as its definition says; attributes that are empty are absent.
#[track_caller]
pub(crate) fn is_as_defined(metric: &Metric) {
    let Received { description, unit, instrument, attributes } = read(metric.clone());
    let definition = definitions().into_iter().find(|definition| definition.name == metric.name);
    let definition = definition.unwrap_or_else(|| panic!("{} is defined nowhere", metric.name));
    assert_eq!((description.as_str(), unit.as_str()), (definition.help, definition.unit), "{}", metric.name);
    assert_eq!(instrument, definition.instrument, "{}", metric.name);
    let unknown: Vec<_> =
        attributes.iter().filter(|name| !definition.attributes.contains(&name.as_str())).collect();
    assert!(unknown.is_empty(), "{}: {unknown:?} beside {:?}", metric.name, definition.attributes);
}

#[test]
fn every_metric_arrives_as_its_definition_says() {
    let mut received = received(&store());
    for definition in definitions() {
        let expected = Received {
            description: definition.help.to_owned(),
            unit: definition.unit.to_owned(),
            instrument: definition.instrument,
            attributes: definition.attributes.iter().map(|name| (*name).to_owned()).collect(),
        };
        assert_eq!(received.remove(definition.name), Some(expected), "{}", definition.name);
    }
    assert!(received.is_empty(), "these are defined nowhere: {received:?}");
}

#[test]
fn both_ways_end_at_the_same_names() {
    let store = store();
    let mut page = Vec::new();
    render(&store.snapshot(), &mut page);
    let page = Scrape::parse(std::str::from_utf8(&page).unwrap());
    let received = received(&store);
    let mut table = String::new();
    for (name, metric) in &received {
        let Received { description, unit, instrument, attributes } = metric;
        // All that the rules get is what was received.
        let as_received = Definition {
            name: name.clone().leak(),
            instrument: *instrument,
            unit: unit.clone().leak(),
            attributes: &[],
            help: description.clone().leak(),
        };
        let translated = prometheus_name(&as_received);
        let kind = match instrument {
            Instrument::Counter => "monotonic sum",
            Instrument::UpDownCounter => "sum",
            Instrument::Gauge => "gauge",
            Instrument::Histogram(_) => "histogram",
        };
        let family = page.families().get(&translated);
        let family =
            family.unwrap_or_else(|| panic!("{name} becomes {translated}, which is not on the page"));
        assert_eq!(&family.help, description, "{name}");
        let suffix = if matches!(instrument, Instrument::Histogram(_)) { "_count" } else { "" };
        let series = page.values(&format!("{translated}{suffix}"));
        let labels: Vec<String> = attributes.iter().map(|attribute| prometheus_label(attribute)).collect();
        let same = |labels: &[String]| {
            let mut sorted = labels.to_vec();
            sorted.sort();
            series.iter().any(|series| series.labels.keys().eq(&sorted))
        };
        assert!(same(&labels), "{name} has {attributes:?} over OTLP and another set of labels on the page");
        let pairs: Vec<String> =
            attributes.iter().zip(&labels).map(|(name, label)| format!("{name} = {label}")).collect();
        let or_none = |text: String| if text.is_empty() { "none".to_owned() } else { text };
        let (unit, pairs) = (or_none(unit.clone()), or_none(pairs.join(", ")));
        table.push_str(&format!("{name} | {kind} | {unit} | {translated} | {pairs}\n"));
    }
    assert_eq!(page.families().len(), received.len(), "something on the page is not sent");
    #[expect(clippy::disallowed_methods, reason = "how to ask for a new golden file")]
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(GOLDEN, &table).expect("write the table");
    }
    let golden = std::fs::read_to_string(GOLDEN).expect("read the table");
    for (ours, theirs) in table.lines().zip(golden.lines()) {
        assert_eq!(
            ours, theirs,
            "names are for ever; where the change is meant, run this test with UPDATE_GOLDEN=1"
        );
    }
    assert_eq!(table.lines().count(), golden.lines().count(), "run this test with UPDATE_GOLDEN=1");
}

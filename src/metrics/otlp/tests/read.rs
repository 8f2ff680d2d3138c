//! Reads batches with the messages that `opentelemetry-proto` generates.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{Exemplar, metric::Data, number_data_point};
use prost::Message;

use crate::metrics::otlp::Batch;

/// What is in some batches, the points of each metric together.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Reading {
    pub(super) resource: Vec<String>,
    pub(super) scope: (String, String),
    /// The schema of the resource, and of the scope.
    pub(super) schemas: (String, String),
    pub(super) metrics: Vec<Metric>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Metric {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) unit: String,
    pub(super) kind: String,
    pub(super) points: Vec<Point>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) attributes: Vec<String>,
    pub(super) start: u64,
    pub(super) time: u64,
    pub(super) value: String,
    pub(super) exemplars: Vec<Exemplar>,
}

impl Reading {
    /// The metrics in the order in which they came.
    pub(super) fn names(&self) -> Vec<String> {
        self.metrics.iter().map(|metric| metric.name.clone()).collect()
    }

    pub(super) fn metric(&self, name: &str) -> &Metric {
        let found = self.metrics.iter().find(|metric| metric.name == name);
        found.unwrap_or_else(|| panic!("no {name} in {:?}", self.names()))
    }

    /// The one point of a metric.
    pub(super) fn only(&self, name: &str) -> &Point {
        let [point] = &*self.metric(name).points else { panic!("{:?}", self.metric(name)) };
        point
    }
}

pub(super) fn read(batches: &[Batch]) -> Reading {
    let mut reading = Reading::default();
    for batch in batches {
        let request = ExportMetricsServiceRequest::decode(&*batch.bytes).expect("a request");
        let [resource] = &*request.resource_metrics else { panic!("{request:?}") };
        reading.resource = pairs(&resource.resource.as_ref().expect("a resource").attributes);
        let [scope] = &*resource.scope_metrics else { panic!("{resource:?}") };
        let about = scope.scope.as_ref().expect("a scope");
        reading.scope = (about.name.clone(), about.version.clone());
        reading.schemas = (resource.schema_url.clone(), scope.schema_url.clone());
        let mut points = 0;
        for metric in &scope.metrics {
            let metric = read_metric(metric);
            assert!(!metric.points.is_empty(), "{} has no points", metric.name);
            points += metric.points.len();
            let same = |known: &&mut Metric| (&known.name, &known.kind) == (&metric.name, &metric.kind);
            match reading.metrics.iter_mut().find(same) {
                Some(known) => known.points.extend(metric.points),
                None => reading.metrics.push(metric),
            }
        }
        assert_eq!(points, batch.points);
    }
    reading
}

fn read_metric(metric: &opentelemetry_proto::tonic::metrics::v1::Metric) -> Metric {
    let temporality = |number| match number {
        1 => "delta",
        2 => "cumulative",
        other => panic!("temporality {other}"),
    };
    let (kind, points) = match metric.data.as_ref().expect("data") {
        Data::Gauge(gauge) => ("gauge".to_owned(), gauge.data_points.iter().map(read_number).collect()),
        Data::Sum(sum) => {
            let monotonic = if sum.is_monotonic { " monotonic" } else { "" };
            let kind = format!("sum {}{monotonic}", temporality(sum.aggregation_temporality));
            (kind, sum.data_points.iter().map(read_number).collect())
        }
        Data::Histogram(histogram) => {
            let kind = format!("histogram {}", temporality(histogram.aggregation_temporality));
            (kind, histogram.data_points.iter().map(read_histogram).collect())
        }
        other => panic!("{other:?}"),
    };
    let (name, description, unit) = (metric.name.clone(), metric.description.clone(), metric.unit.clone());
    Metric { name, description, unit, kind, points }
}

fn read_number(point: &opentelemetry_proto::tonic::metrics::v1::NumberDataPoint) -> Point {
    let value = match (point.value, point.flags) {
        (Some(number_data_point::Value::AsInt(count)), 0) => count.to_string(),
        (Some(number_data_point::Value::AsDouble(value)), 0) => format!("{value:?}"),
        (None, 1) => "no value".to_owned(),
        other => panic!("{other:?}"),
    };
    Point {
        attributes: pairs(&point.attributes),
        start: point.start_time_unix_nano,
        time: point.time_unix_nano,
        value,
        exemplars: Vec::new(),
    }
}

fn read_histogram(point: &opentelemetry_proto::tonic::metrics::v1::HistogramDataPoint) -> Point {
    let value = match (point.sum, point.flags) {
        (Some(sum), 0) => format!(
            "{} summing to {sum:?} in {:?} over {:?}",
            point.count, point.bucket_counts, point.explicit_bounds
        ),
        (None, 1) => "no value".to_owned(),
        other => panic!("{other:?}"),
    };
    Point {
        attributes: pairs(&point.attributes),
        start: point.start_time_unix_nano,
        time: point.time_unix_nano,
        value,
        exemplars: point.exemplars.clone(),
    }
}

fn pairs(attributes: &[KeyValue]) -> Vec<String> {
    let value = |attribute: &KeyValue| match attribute.value.as_ref().and_then(|any| any.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        other => panic!("{other:?}"),
    };
    attributes.iter().map(|attribute| format!("{}={}", attribute.key, value(attribute))).collect()
}

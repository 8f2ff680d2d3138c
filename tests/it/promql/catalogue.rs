//! The series that an expression may read: those of our definitions, those that Prometheus makes itself, and those of
//! recording rules.

use std::collections::{BTreeMap, BTreeSet};

use vitalsign::{
    metrics::{prometheus_label, prometheus_name},
    model::Instrument,
};

use super::Report;

/// What may be done with a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Only grows: to be read through `rate` or `increase`.
    Counter,
    /// The buckets of a histogram: a counter with the label `le`.
    Bucket,
    /// Goes up and down.
    Gauge,
}

/// What is known of the series of one name.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) kind: Kind,
    pub(crate) labels: BTreeSet<String>,
    /// Whether it may have labels that nobody here knows.
    pub(crate) any_label: bool,
    /// The upper bounds of the buckets.
    pub(crate) bounds: &'static [f64],
    /// Whether the name depends on who translates it.
    pub(crate) ambiguous: bool,
    /// The OpenTelemetry name, where it is one of ours.
    pub(crate) definition: Option<&'static str>,
}

/// Every series that an expression may read, by name.
#[derive(Clone, Debug)]
pub(crate) struct Catalogue(BTreeMap<String, Series>);

/// Labels that every series gets from whoever collects it.
pub(crate) const TARGET: [&str; 2] = ["job", "instance"];

/// What Prometheus itself adds for each target that it scrapes; there is none of it on the way of OTLP.
const SCRAPE: [&str; 5] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
];

impl Catalogue {
    /// What this program and a Prometheus that collects from it have.
    pub(crate) fn ours() -> Self {
        let mut all = BTreeMap::new();
        for definition in vitalsign::agent::definitions() {
            let name = prometheus_name(definition);
            let own = definition.attributes.iter().map(|attribute| prometheus_label(attribute));
            let series = Series {
                kind: Kind::Gauge,
                labels: own.chain(TARGET.map(str::to_owned)).collect(),
                any_label: false,
                bounds: &[],
                ambiguous: definition.unit == "1",
                definition: Some(definition.name),
            };
            match definition.instrument {
                Instrument::Gauge | Instrument::UpDownCounter => {
                    all.insert(name, series);
                }
                Instrument::Counter => {
                    all.insert(name, Series { kind: Kind::Counter, ..series });
                }
                Instrument::Histogram(bounds) => {
                    let part = Series { kind: Kind::Counter, ..series };
                    let mut bucket = Series { kind: Kind::Bucket, bounds, ..part.clone() };
                    bucket.labels.insert("le".to_owned());
                    all.insert(format!("{name}_bucket"), bucket);
                    all.insert(format!("{name}_sum"), part.clone());
                    all.insert(format!("{name}_count"), part);
                }
            }
        }
        let foreign = |labels: &[&str], any_label| Series {
            kind: Kind::Gauge,
            labels: labels.iter().chain(&TARGET).map(|label| (*label).to_owned()).collect(),
            any_label,
            bounds: &[],
            ambiguous: false,
            definition: None,
        };
        for name in SCRAPE {
            all.insert(name.to_owned(), foreign(&[], false));
        }
        all.insert("target_info".to_owned(), foreign(&[], true));
        all.insert("ALERTS".to_owned(), foreign(&["alertname", "alertstate", "severity"], true));
        all.insert("ALERTS_FOR_STATE".to_owned(), foreign(&["alertname", "severity"], true));
        Self(all)
    }

    /// Adds the result of the recording rule `name`, whose expression gave `report`.
    pub(crate) fn record(&mut self, name: &str, report: &Report) {
        let labels = report.labels.clone().unwrap_or_default();
        let series = Series {
            kind: Kind::Gauge,
            labels,
            any_label: false,
            bounds: &[],
            ambiguous: false,
            definition: None,
        };
        let before = self.0.insert(name.to_owned(), series);
        assert!(before.is_none(), "{name} is a metric already, or recorded twice");
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Series> {
        self.0.get(name)
    }

    /// The name that was probably meant.
    pub(super) fn nearest(&self, name: &str) -> Option<&str> {
        let distance = |known: &str| strsim::damerau_levenshtein(known, name);
        self.0.keys().map(String::as_str).min_by_key(|known| distance(known))
    }
}

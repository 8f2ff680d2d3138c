//! `target_info`: what the process is, for those who scrape it. Those whom it pushes to get the same as the resource.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::{Definition, Instrument};

use super::labels::Labels;
use super::names::prometheus_label;

pub(super) static TARGET_INFO: Definition = Definition {
    name: "target.info",
    instrument: Instrument::Gauge,
    unit: "",
    attributes: &[],
    help: "What this process is and where it runs, as OpenTelemetry's resource attributes; always 1",
};

/// Something that the process is or has, such as `service.name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its name, dotted.
    pub name: String,
    /// Its value.
    pub value: AttributeValue,
}

/// The value of an [`Attribute`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    /// A text.
    Text(String),
    /// A whole number.
    Integer(i64),
}

impl fmt::Display for AttributeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Integer(number) => number.fmt(f),
        }
    }
}

/// The labels of `target_info`. Where two names become one label, their values stand together, the one of the lesser
/// name first, as Prometheus does it with attributes that come over OTLP.
pub(super) fn labels(attributes: &[Attribute]) -> Labels {
    let mut sorted: Vec<&Attribute> = attributes.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    let mut by_label = BTreeMap::<String, String>::new();
    for attribute in sorted {
        if prometheus_label(&attribute.name).starts_with("__") {
            continue; // Prometheus' own
        }
        let value = attribute.value.to_string();
        let of_label = by_label.entry(prometheus_label(&attribute.name));
        of_label.and_modify(|known| *known = format!("{known};{value}")).or_insert(value);
    }
    let names: Vec<&str> = by_label.keys().map(String::as_str).collect();
    let values: Vec<&str> = by_label.values().map(String::as_str).collect();
    Labels::new(&names, &values)
}

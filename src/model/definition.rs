//! What a metric is, as data: written once, in the file that fills the metric.

/// A metric: everything that is known before a value exists.
///
/// The Prometheus name, the exposition, the OTLP form and every list of metrics are derived from it.
#[derive(Debug)]
pub struct Definition {
    /// The OpenTelemetry name, dotted, without unit and without `total`.
    pub name: &'static str,
    /// What kind of values it has.
    pub instrument: Instrument,
    /// The UCUM unit: `s`, `By`, an annotation such as `{run}`, or empty.
    pub unit: &'static str,
    /// The attribute names, dotted, in the order in which values are given.
    pub attributes: &'static [&'static str],
    /// One sentence that says what the value means.
    pub help: &'static str,
}

/// What kind of values a metric has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Instrument {
    /// Only grows, from zero at the start.
    Counter,
    /// A sum that may shrink: values of several series may be added.
    UpDownCounter,
    /// A value that stands for itself.
    Gauge,
    /// A distribution over the given upper bounds, ascending; the bound `+Inf` is implied.
    Histogram(&'static [f64]),
}

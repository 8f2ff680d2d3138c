//! Which series exist, frozen: what every encoder reads. Values are read while encoding, atomically, one by one.

use std::sync::Arc;

use crate::model::{Definition, Instrument};

use super::bound::Bounds;
use super::epoch::Epoch;
use super::names::prometheus_name;
use super::openmetrics;
use super::series::{Series, Value};

/// The families and series of a store at one moment. Taking it again costs nothing while no series comes or goes.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub(super) families: Vec<Arc<Family>>,
    /// What the births of series are counted from.
    #[cfg_attr(not(feature = "otlp"), expect(dead_code, reason = "only OTLP tells births"))]
    pub(super) epoch: Epoch,
}

/// One metric with its series, and the parts of its lines that never change.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) shape: Arc<Shape>,
    pub(super) series: Vec<Arc<Series>>,
    /// How the lines of all series begin, one after the other: name and labels up to the value, of a histogram only
    /// the labels. Series lie scattered in memory, and fetching each one's labels was most of what a page cost.
    text: Vec<u8>,
    /// Where the text of each series ends.
    ends: Vec<u32>,
}

impl Family {
    pub(super) fn new<'a>(shape: &Arc<Shape>, series: impl Iterator<Item = &'a Arc<Series>>) -> Self {
        let series: Vec<_> = series.cloned().collect();
        let (mut text, mut ends) = (Vec::new(), Vec::with_capacity(series.len()));
        for series in &series {
            let labels = series.labels.as_bytes();
            match shape.definition.instrument {
                Instrument::Histogram(_) => text.extend_from_slice(labels),
                _ => shape.plain.write(labels, &mut text),
            }
            ends.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
        }
        text.shrink_to_fit();
        Self { shape: Arc::clone(shape), series, text, ends }
    }

    /// The labels of each series, without braces; beside them the text from there on, which may be read beyond them.
    #[cfg(feature = "otlp")]
    pub(super) fn labels(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let beginning = match self.shape.definition.instrument {
            Instrument::Histogram(_) => 0,
            _ => self.shape.plain.0.len(),
        };
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let end = *end as usize;
            let from = (start + beginning).min(end);
            start = end;
            let tail = self.text.get(from..).unwrap_or_default();
            let labels = tail.get(..end - from).unwrap_or_default();
            (labels.strip_suffix(b"} ").unwrap_or(labels), tail)
        })
    }

    /// The text of each series.
    pub(super) fn texts(&self) -> impl Iterator<Item = &[u8]> {
        let (mut rest, mut start) = (&*self.text, 0);
        self.ends.iter().map(move |end| {
            let (text, others) = rest.split_at_checked((end - start) as usize).unwrap_or_default();
            (rest, start) = (others, *end);
            text
        })
    }
}

/// What is the same for all series of a metric.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) definition: &'static Definition,
    /// The HELP and TYPE lines of the text page.
    pub(super) header: Vec<u8>,
    /// The same and UNIT of the OpenMetrics page.
    pub(super) open_header: Vec<u8>,
    pub(super) plain: Beginning,
    /// For a histogram, the beginning of a bucket's line up to the brace before the labels.
    pub(super) bucket: Vec<u8>,
    pub(super) sum: Beginning,
    pub(super) count: Beginning,
    /// For a histogram, `le="…"} ` of each bucket.
    pub(super) bounds: Bounds,
}

/// How a line begins, up to the brace before the labels.
#[derive(Debug)]
pub(super) struct Beginning(Vec<u8>);

impl Beginning {
    /// Writes the line up to its value.
    pub(super) fn write(&self, labels: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
        if labels.is_empty() {
            out.pop();
            out.push(b' ');
        } else {
            out.extend_from_slice(labels);
            out.extend_from_slice(b"} ");
        }
    }
}

impl Shape {
    pub(super) fn new(definition: &'static Definition) -> Self {
        let name = prometheus_name(definition);
        let (kind, bounds): (_, &[f64]) = match definition.instrument {
            Instrument::Counter => ("counter", &[]),
            Instrument::UpDownCounter | Instrument::Gauge => ("gauge", &[]),
            Instrument::Histogram(bounds) => ("histogram", bounds),
        };
        let help = definition.help.replace('\\', "\\\\").replace('\n', "\\n");
        let header = format!("# HELP {name} {help}\n# TYPE {name} {kind}\n").into_bytes();
        let beginning = |suffix| format!("{name}{suffix}{{").into_bytes();
        Self {
            definition,
            header,
            open_header: openmetrics::header(definition, &name, kind),
            plain: Beginning(beginning("")),
            bucket: beginning("_bucket"),
            sum: Beginning(beginning("_sum")),
            count: Beginning(beginning("_count")),
            bounds: Bounds::new(bounds),
        }
    }
}

impl Snapshot {
    /// How many lines with values the text page has at most: absent series and gauges without a value count too.
    #[must_use]
    pub fn series(&self) -> usize {
        let lines = |series: &Arc<Series>| match &series.value {
            Value::Histogram(buckets) => buckets.lines(),
            Value::Integer(_) | Value::Float(_) => 1,
        };
        self.families.iter().flat_map(|family| &family.series).map(lines).sum()
    }

    /// The definitions that have series, in the order of the page.
    pub fn definitions(&self) -> impl Iterator<Item = &'static Definition> + '_ {
        self.families.iter().map(|family| family.shape.definition)
    }
}

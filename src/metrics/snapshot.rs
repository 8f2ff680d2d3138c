//! Which series exist, frozen: what every encoder reads. Values are read while encoding, atomically, one by one.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Definition, Instrument};

use super::bound::Bounds;
use super::epoch::Epoch;
use super::labels::Labels;
use super::names::prometheus_name;
use super::openmetrics;
use super::series::{Series, Value};

/// The families and series of a store at one moment. Taking it again costs nothing while no series comes or goes.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub(super) families: Vec<Arc<Family>>,
    /// What the births of series are counted from.
    pub(super) epoch: Epoch,
}

#[cfg(test)]
thread_local! {
    /// How many series this thread has put into families.
    pub(super) static MOVES: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// One metric with its series, in the order of their labels, and the parts of its lines that never change.
///
/// The labels of all series are one text, and nowhere else: series lie scattered in memory, and fetching each one's
/// labels was most of what a page cost.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) shape: Arc<Shape>,
    pub(super) series: Vec<Arc<Series>>,
    /// How the lines of all series begin, one after the other: name and labels up to the value, of a histogram only the
    /// labels. A line is so one copy and a number.
    text: Vec<u8>,
    /// Where the text of each series ends.
    ends: Vec<u32>,
}

impl Family {
    pub(super) fn empty(shape: &Arc<Shape>) -> Self {
        Self { shape: Arc::clone(shape), series: Vec::new(), text: Vec::new(), ends: Vec::new() }
    }

    /// The series of this family and those of `made`, without those that nobody owns any more.
    pub(super) fn with(&self, made: &BTreeMap<Labels, Arc<Series>>) -> Self {
        let mut old =
            self.labels().map(|(labels, _)| labels).zip(&self.series).filter(|(_, series)| series.is_owned());
        let new = made.iter().map(|(labels, series)| (labels.as_bytes(), series));
        let mut new = new.filter(|(_, series)| series.is_owned()).peekable();
        let mut all = Self::empty(&self.shape);
        let count = self.series.len() + made.len();
        let each = self.before_labels() + END.len();
        all.series.reserve_exact(count);
        all.ends.reserve_exact(count);
        all.text.reserve_exact(
            self.text.len() + made.keys().map(|labels| labels.as_bytes().len() + each).sum::<usize>(),
        );
        for (labels, series) in &mut old {
            while let Some((labels, series)) = new.next_if(|(made, _)| *made < labels) {
                all.push(labels, series);
            }
            all.push(labels, series);
        }
        new.for_each(|(labels, series)| all.push(labels, series));
        all.series.shrink_to_fit();
        all.ends.shrink_to_fit();
        all.text.shrink_to_fit();
        all
    }

    fn push(&mut self, labels: &[u8], series: &Arc<Series>) {
        #[cfg(test)]
        MOVES.with(|moves| moves.set(moves.get() + 1));
        match self.shape.definition.instrument {
            Instrument::Histogram(_) => self.text.extend_from_slice(labels),
            _ => self.shape.plain.write(labels, &mut self.text),
        }
        self.ends.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
        self.series.push(Arc::clone(series));
    }

    /// How much of a series' text comes before its labels.
    fn before_labels(&self) -> usize {
        match self.shape.definition.instrument {
            Instrument::Histogram(_) => 0,
            _ => self.shape.plain.0.len(),
        }
    }

    /// The series of these labels.
    pub(super) fn find(&self, labels: &Labels) -> Option<&Arc<Series>> {
        let labels = labels.as_bytes();
        let (mut from, mut to) = (0, self.series.len());
        while from < to {
            let middle = usize::midpoint(from, to);
            match self.labels_of(middle).cmp(labels) {
                Ordering::Less => from = middle + 1,
                Ordering::Equal => return self.series.get(middle),
                Ordering::Greater => to = middle,
            }
        }
        None
    }

    fn labels_of(&self, index: usize) -> &[u8] {
        let end = |index: usize| self.ends.get(index).map_or(0, |end| *end as usize);
        let start = index.checked_sub(1).map_or(0, end) + self.before_labels();
        let text = self.text.get(start..end(index)).unwrap_or_default();
        text.strip_suffix(END).unwrap_or(text)
    }

    /// The labels of each series, without braces; beside them the text from there on, which may be read beyond them.
    pub(super) fn labels(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let (mut start, before) = (0, self.before_labels());
        self.ends.iter().map(move |end| {
            let end = *end as usize;
            let from = (start + before).min(end);
            start = end;
            let tail = self.text.get(from..).unwrap_or_default();
            let labels = tail.get(..end - from).unwrap_or_default();
            (labels.strip_suffix(END).unwrap_or(labels), tail)
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
    /// For a counter, how the line begins that tells since when it counts.
    created: Beginning,
    /// For a histogram, the beginning of a bucket's line up to the brace before the labels.
    pub(super) bucket: Vec<u8>,
    pub(super) sum: Beginning,
    pub(super) count: Beginning,
    /// For a histogram, `le="…"} ` of each bucket.
    pub(super) bounds: Bounds,
}

/// What stands between the labels of a line and its value.
const END: &[u8] = b"} ";

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
            out.extend_from_slice(END);
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
            created: Beginning(format!("{}_created{{", openmetrics::counter_family(&name)).into_bytes()),
            bucket: beginning("_bucket"),
            sum: Beginning(beginning("_sum")),
            count: Beginning(beginning("_count")),
            bounds: Bounds::new(bounds),
        }
    }
}

impl Shape {
    /// Writes up to its value the line that tells since when a counter counts; `text` is how its own line begins.
    pub(super) fn write_created(&self, text: &[u8], out: &mut Vec<u8>) {
        let labels = text.get(self.plain.0.len()..).and_then(|rest| rest.strip_suffix(END));
        self.created.write(labels.unwrap_or_default(), out);
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

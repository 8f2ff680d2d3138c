//! The points of one metric: its series' values at one moment, and since when each counts.

use crate::metrics::epoch::Epoch;
use crate::metrics::histogram::Buckets;
use crate::metrics::series::{Number, Series, Value};
use crate::metrics::snapshot::Family;
use crate::model::Instrument;

use super::attributes::Looked;
use super::batch::Writer;
use super::head::Form;
use super::track::Gone;
use super::{Temporality, nanos, wire};

/// How many series are fetched from memory at once: the waits for them then overlap.
const AHEAD: usize = 32;

/// In place of a start: the series was sent and then made anew, so it may have to begin with its end.
pub(super) const REMADE: u64 = 1;

/// When points are written, and how.
pub(super) struct Moment {
    pub(super) now: u64,
    /// The time of the points before; 0 if there were none.
    pub(super) last: u64,
    pub(super) epoch: Epoch,
    pub(super) temporality: Temporality,
}

/// Writes the points of one metric.
pub(super) struct Points<'a, 'b, 'w> {
    pub(super) form: &'a Form,
    pub(super) moment: &'b Moment,
    pub(super) writer: &'b mut Writer<'a, 'w>,
    /// Room for the counts of one distribution.
    pub(super) counts: Vec<u64>,
}

/// The fields of a point of a number.
const START: u8 = wire::fixed(2);
const TIME: u8 = wire::fixed(3);
const DOUBLE: u8 = wire::fixed(4);
const INTEGER: u8 = wire::fixed(6);
const ATTRIBUTES: u8 = wire::message(7);
const NO_VALUE: &[u8] = &[wire::varint(8), 1];

/// The fields of a histogram's point that are not those of another.
const COUNT: u8 = wire::fixed(4);
const SUM: u8 = wire::fixed(5);
const BUCKETS: u8 = wire::message(6);
const BOUNDS: u8 = wire::message(7);
const EXEMPLARS: u8 = wire::message(8);
const HISTOGRAM_ATTRIBUTES: u8 = wire::message(9);
const HISTOGRAM_NO_VALUE: &[u8] = &[wire::varint(10), 1];

/// The fields of an exemplar.
const EXEMPLAR_TIME: u8 = wire::fixed(2);
const EXEMPLAR_DOUBLE: u8 = wire::fixed(3);
const EXEMPLAR_SPAN: u8 = wire::message(4);
const EXEMPLAR_TRACE: u8 = wire::message(5);

impl Points<'_, '_, '_> {
    /// Gauges, and sums that may shrink.
    pub(super) fn write_gauges(&mut self, family: &Family, lengths: &[u8], starts: &mut [u64]) {
        let is_sum = matches!(family.shape.definition.instrument, Instrument::UpDownCounter);
        each_number(self.form, family, lengths, starts, |series, number, labels, start| match number {
            Some(number) => {
                let begin = self.start(series, *start);
                *start = begin;
                self.write_number(labels, if is_sum { begin } else { 0 }, number);
            }
            None => self.end(labels, start, false),
        });
    }

    /// Counters, ours and those of others.
    pub(super) fn write_counters(
        &mut self,
        family: &Family,
        lengths: &[u8],
        starts: &mut [u64],
        lasts: &mut [u64],
    ) {
        let mut lasts = lasts.iter_mut();
        each_number(self.form, family, lengths, starts, |series, number, labels, start| {
            let Some(last) = lasts.next() else { return };
            match number {
                Some(Number::Integer(count)) => self.write_counted(series, labels, count, start, last),
                Some(Number::Float(count)) => self.write_observed(series, labels, count, start, last),
                None => self.end(labels, start, false),
            }
        });
    }

    /// What is counted here: `last` is what it was.
    fn write_counted(
        &mut self,
        series: &Series,
        labels: Looked<'_>,
        count: u64,
        start: &mut u64,
        last: &mut u64,
    ) {
        let begin = self.start(series, *start);
        let delta = self.deltas();
        let shown = if delta { count.wrapping_sub(*last) } else { count };
        (*start, *last) = (if delta { self.moment.now } else { begin }, count);
        self.write_point(labels, begin, Number::Integer(shown), delta);
    }

    /// What somebody else counts, since a known moment or not: `last` are the bits of what it was.
    fn write_observed(
        &mut self,
        series: &Series,
        labels: Looked<'_>,
        count: f64,
        start: &mut u64,
        last: &mut u64,
    ) {
        let since = self.moment.epoch.told(series.birth).map(nanos);
        let before = f64::from_bits(*last);
        let delta = self.moment.temporality == Temporality::Delta;
        let (begin, shown) = if *start <= REMADE {
            let seen = self.moment.last;
            match since {
                // It began between the two points, so all of it came since.
                Some(since) if delta && *start == 0 && seen != 0 && since >= seen => {
                    (since.min(self.moment.now), count)
                }
                // Nobody saw what came before, so it is part of no delta.
                _ if delta => (self.moment.now, 0.0),
                // Not before the last point of what had the same labels.
                Some(since) if *start == REMADE => (since.max(seen).min(self.moment.now), count),
                Some(since) => (since.min(self.moment.now), count),
                None => (self.moment.now, count),
            }
        } else if count < before {
            (self.moment.last.min(self.moment.now), count)
        } else {
            (*start, if delta { count - before } else { count })
        };
        (*start, *last) = (if delta { self.moment.now } else { begin }, count.to_bits());
        self.write_point(labels, begin, Number::Float(shown), delta);
    }

    /// Distributions; `lasts` is empty where none is a delta.
    pub(super) fn write_histograms(
        &mut self,
        family: &Family,
        lengths: &[u8],
        starts: &mut [u64],
        lasts: &mut [Box<[u64]>],
    ) {
        let mut lasts = lasts.iter_mut();
        let labels = looked(self.form, family, lengths);
        for ((series, labels), start) in family.series.iter().zip(labels).zip(starts) {
            let Value::Histogram(buckets) = &series.value else { continue };
            self.write_distribution(series, buckets, labels, start, lasts.next());
        }
    }

    /// One distribution: `last` are the counts and the sum that it had, where it is a delta.
    fn write_distribution(
        &mut self,
        series: &Series,
        buckets: &Buckets,
        labels: Looked<'_>,
        start: &mut u64,
        last: Option<&mut Box<[u64]>>,
    ) {
        let begin = self.start(series, *start);
        let mut counts = std::mem::take(&mut self.counts);
        counts.clear();
        counts.extend(buckets.counts());
        let mut sum = buckets.sum();
        *start = begin;
        let delta = last.is_some();
        if let Some(last) = last {
            let now: Box<[u64]> = counts.iter().copied().chain([sum.to_bits()]).collect();
            for (count, before) in counts.iter_mut().zip(&**last) {
                *count = count.wrapping_sub(*before);
            }
            sum -= last.last().map_or(0.0, |bits| f64::from_bits(*bits));
            (*start, *last) = (self.moment.now, now);
        }
        self.write_histogram(labels, begin, buckets, &counts, sum, delta);
        self.counts = counts;
    }

    /// The end of a series that is gone.
    pub(super) fn write_end(&mut self, gone: Gone, instrument: Instrument) {
        let Gone { labels, series, mut start, mut number, mut counts } = gone;
        let labels = Looked { labels: &labels, tail: &labels, lengths: &[] };
        let start = &mut start;
        match (&series.value, series.value.number()) {
            (Value::Integer(_), Some(Number::Integer(count))) if self.deltas() => {
                self.write_counted(&series, labels, count, start, &mut number);
            }
            (Value::Float(_), Some(Number::Float(count)))
                if instrument == Instrument::Counter && self.moment.temporality == Temporality::Delta =>
            {
                self.write_observed(&series, labels, count, start, &mut number);
            }
            (Value::Histogram(buckets), _) if self.deltas() => {
                self.write_distribution(&series, buckets, labels, start, Some(&mut counts));
            }
            (value, _) => self.end(labels, start, matches!(value, Value::Histogram(_))),
        }
    }

    /// Whether what we count is told as deltas.
    pub(super) fn deltas(&self) -> bool {
        self.moment.temporality != Temporality::Cumulative
    }

    /// Since when the points of `series` count, if they counted since `known` before.
    fn start(&self, series: &Series, known: u64) -> u64 {
        if known > REMADE {
            return known;
        }
        // Not before the last point of what had the same labels.
        nanos(self.moment.epoch.time(series.birth)).max(self.moment.last).min(self.moment.now)
    }

    /// Says that the series has no value any more, if it had one.
    fn end(&mut self, labels: Looked<'_>, start: &mut u64, is_histogram: bool) {
        if std::mem::take(start) == 0 {
            return;
        }
        let (now, keys) = (self.moment.now, &self.form.keys);
        self.writer.point(self.form.head(false), |out| {
            let (attributes, flag) = match is_histogram {
                true => (HISTOGRAM_ATTRIBUTES, HISTOGRAM_NO_VALUE),
                false => (ATTRIBUTES, NO_VALUE),
            };
            keys.write(attributes, labels, out);
            wire::write_fixed(TIME, now, out);
            out.extend_from_slice(flag);
        });
    }

    fn write_number(&mut self, labels: Looked<'_>, start: u64, number: Number) {
        self.write_point(labels, start, number, false);
    }

    /// A point of a number; without a start if that is 0.
    fn write_point(&mut self, labels: Looked<'_>, start: u64, number: Number, delta: bool) {
        let (now, keys) = (self.moment.now, &self.form.keys);
        self.writer.point(self.form.head(delta), |out| {
            keys.write(ATTRIBUTES, labels, out);
            if start != 0 {
                wire::write_fixed(START, start, out);
            }
            wire::write_fixed(TIME, now, out);
            match number {
                // OTLP has no number above.
                Number::Integer(count) => wire::write_fixed(INTEGER, count.min(i64::MAX.unsigned_abs()), out),
                Number::Float(value) => wire::write_fixed(DOUBLE, value.to_bits(), out),
            }
        });
    }

    /// A point of a distribution, with an example from each bucket of what was observed in a span; a delta has those of
    /// its own time.
    fn write_histogram(
        &mut self,
        labels: Looked<'_>,
        start: u64,
        buckets: &Buckets,
        counts: &[u64],
        sum: f64,
        delta: bool,
    ) {
        let (now, keys, bounds) = (self.moment.now, &self.form.keys, &self.form.bounds);
        self.writer.point(self.form.head(delta), |out| {
            keys.write(HISTOGRAM_ATTRIBUTES, labels, out);
            wire::write_fixed(START, start, out);
            wire::write_fixed(TIME, now, out);
            wire::write_fixed(COUNT, counts.iter().sum(), out);
            wire::write_fixed(SUM, sum.to_bits(), out);
            wire::write_packed(BUCKETS, counts.iter().copied(), out);
            match buckets.own_bounds() {
                Some(bounds) => write_bounds(bounds, out),
                None => out.extend_from_slice(bounds),
            }
            for exemplar in buckets.exemplars().iter().flat_map(|exemplars| exemplars.iter()) {
                let at = nanos(exemplar.at);
                if !delta || at >= start {
                    wire::write_message(EXEMPLARS, out, |out| {
                        wire::write_fixed(EXEMPLAR_TIME, at, out);
                        wire::write_fixed(EXEMPLAR_DOUBLE, exemplar.value.to_bits(), out);
                        wire::write_bytes(EXEMPLAR_SPAN, &exemplar.ids.span, out);
                        wire::write_bytes(EXEMPLAR_TRACE, &exemplar.ids.trace, out);
                    });
                }
            }
        });
    }
}

/// The field `explicit_bounds`.
pub(super) fn write_bounds(bounds: &[f64], out: &mut Vec<u8>) {
    wire::write_packed(BOUNDS, bounds.iter().map(|bound| bound.to_bits()), out);
}

/// The labels of each series.
fn looked<'a>(
    form: &Form,
    family: &'a Family,
    lengths: &'a [u8],
) -> impl Iterator<Item = Looked<'a>> + use<'a> {
    let of_each = lengths.chunks(form.keys.lengths());
    family.labels().zip(of_each).map(|((labels, tail), lengths)| Looked { labels, tail, lengths })
}

/// Gives `each` series, the number that it has now, its labels and its start.
fn each_number(
    form: &Form,
    family: &Family,
    lengths: &[u8],
    starts: &mut [u64],
    mut each: impl FnMut(&Series, Option<Number>, Looked<'_>, &mut u64),
) {
    let mut labels = looked(form, family, lengths);
    let mut numbers = [None; AHEAD];
    for (batch, starts) in family.series.chunks(AHEAD).zip(starts.chunks_mut(AHEAD)) {
        for (number, series) in numbers.iter_mut().zip(batch) {
            *number = series.value.number();
        }
        for (((series, number), start), labels) in batch.iter().zip(&numbers).zip(starts).zip(&mut labels) {
            each(series, *number, labels, start);
        }
    }
}

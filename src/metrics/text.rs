//! The Prometheus text format 0.0.4 (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
//!
//! Allocates nothing once the buffer is large enough: names, labels and bounds were rendered when the series was made,
//! so a line is one copy and one number.

use std::time::UNIX_EPOCH;

use crate::model::Instrument;

use super::alias::Alias;
use super::bound::{Bound, Bounds};
use super::epoch::Epoch;
use super::histogram::Buckets;
use super::series::{Number, Value};
use super::snapshot::{Family, Shape, Snapshot};

/// The content type of the page.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How many series are fetched from memory at once: the waits for them then overlap.
const AHEAD: usize = 32;

/// What the formats do not share. Chosen when compiling, so that one costs nothing for the other.
pub(super) trait Form {
    /// Whether it tells since when others count.
    const CREATED: bool;

    /// The lines before a family's first one.
    fn header(shape: &Shape) -> &[u8];

    /// How the buckets' lines go on after their labels.
    fn bounds(bounds: &Bounds) -> &[Bound];

    /// Adds to the line of one bucket, which has ended.
    fn end_bucket(buckets: &Buckets, index: usize, out: &mut Vec<u8>);
}

pub(super) struct Text;

impl Form for Text {
    const CREATED: bool = false;

    fn header(shape: &Shape) -> &[u8] {
        &shape.header
    }

    fn bounds(bounds: &Bounds) -> &[Bound] {
        &bounds.text
    }

    fn end_bucket(_buckets: &Buckets, _index: usize, _out: &mut Vec<u8>) {}
}

/// Writes the page of `snapshot` at the end of `out`.
pub fn render(snapshot: &Snapshot, out: &mut Vec<u8>) {
    families(snapshot, out, &mut |_| {});
}

/// The same; see [`write()`] for `full`.
pub(super) fn families(snapshot: &Snapshot, out: &mut Vec<u8>, full: &mut dyn FnMut(&mut Vec<u8>)) {
    write::<Text>(snapshot, out, full);
}

/// Writes all families. `full` is given what was written at every few lines, between two of them, and may take it away.
pub(super) fn write<F: Form>(snapshot: &Snapshot, out: &mut Vec<u8>, full: &mut dyn FnMut(&mut Vec<u8>)) {
    for family in &snapshot.families {
        let start = out.len();
        out.extend_from_slice(F::header(&family.shape));
        let empty = match family.shape.definition.instrument {
            Instrument::Histogram(_) => write_histograms::<F>(family, out, full),
            _ => write_numbers::<F>(family, &snapshot.epoch, out, full),
        };
        if empty {
            out.truncate(start);
        }
    }
}

/// Writes the families of `aliases`.
pub(super) fn write_aliases<F: Form>(aliases: &[Alias], out: &mut Vec<u8>) {
    for alias in aliases {
        if let Some(value) = alias.value() {
            write_gauge::<F>(&alias.shape, value, out);
        }
    }
}

/// Writes a gauge that is its family's only series and has no labels.
pub(super) fn write_gauge<F: Form>(shape: &Shape, value: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(F::header(shape));
    shape.plain.write(&[], out);
    write_float(value, out);
}

/// Writes the lines of all series, and where the format has it since when a counter counts that others count; says
/// whether there were none.
fn write_numbers<F: Form>(
    family: &Family,
    epoch: &Epoch,
    out: &mut Vec<u8>,
    full: &mut dyn FnMut(&mut Vec<u8>),
) -> bool {
    let created = F::CREATED && matches!(family.shape.definition.instrument, Instrument::Counter);
    let mut texts = family.texts();
    let mut numbers = [None; AHEAD];
    let mut empty = true;
    for batch in family.series.chunks(AHEAD) {
        for (number, series) in numbers.iter_mut().zip(batch) {
            *number = series.value.number();
        }
        let start = out.len();
        for ((number, series), text) in numbers.iter().zip(batch).zip(&mut texts) {
            match number {
                Some(Number::Integer(value)) => {
                    out.extend_from_slice(text);
                    write_integer(*value, out);
                }
                Some(Number::Float(value)) => {
                    out.extend_from_slice(text);
                    write_float(*value, out);
                    if created && let Some(since) = epoch.told(series.birth) {
                        family.shape.write_created(text, out);
                        write_float(since.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(), out);
                    }
                }
                None => {}
            }
        }
        if out.len() > start {
            empty = false;
            full(out);
        }
    }
    empty
}

/// Writes the lines of all series; says whether there were none.
fn write_histograms<F: Form>(family: &Family, out: &mut Vec<u8>, full: &mut dyn FnMut(&mut Vec<u8>)) -> bool {
    let shape = &*family.shape;
    for (series, labels) in family.series.iter().zip(family.texts()) {
        let Value::Histogram(buckets) = &series.value else { continue };
        // All buckets begin alike: put together once, then copied from the line before.
        let start = out.len();
        out.extend_from_slice(&shape.bucket);
        if !labels.is_empty() {
            out.extend_from_slice(labels);
            out.push(b',');
        }
        let beginning = start..out.len();
        let mut count = 0;
        let bounds = F::bounds(buckets.texts(&shape.bounds));
        for (index, (bound, in_bucket)) in bounds.iter().zip(buckets.counts()).enumerate() {
            if index > 0 {
                out.extend_from_within(beginning.clone());
            }
            count += in_bucket;
            bound.write(out);
            write_integer(count, out);
            F::end_bucket(buckets, index, out);
        }
        shape.sum.write(labels, out);
        write_float(buckets.sum(), out);
        shape.count.write(labels, out);
        write_integer(count, out);
        full(out);
    }
    family.series.is_empty()
}

/// Writes `value` and ends the line. Most are small, and those need no detour over a buffer.
fn write_integer(value: u64, out: &mut Vec<u8>) {
    match value {
        0..10 => out.extend_from_slice(&[digit(value), b'\n']),
        10..100 => out.extend_from_slice(&[digit(value / 10), digit(value % 10), b'\n']),
        _ => {
            out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
            out.push(b'\n');
        }
    }
}

/// The last decimal digit of `value`.
const fn digit(value: u64) -> u8 {
    b'0' + (value % 10) as u8
}

/// Writes `value` and ends the line.
pub(super) fn write_float(value: f64, out: &mut Vec<u8>) {
    /// Up to here every whole number has its own float, so it can be written as one.
    const WHOLE: u64 = 9_007_199_254_740_992;
    #[expect(clippy::cast_possible_truncation, reason = "what does not fit does not come back the same")]
    let whole = value as i64;
    #[expect(clippy::cast_precision_loss, reason = "what loses precision does not come back the same")]
    let same = whole as f64 == value;
    if same && whole.unsigned_abs() < WHOLE {
        if whole < 0 {
            out.push(b'-');
        }
        write_integer(whole.unsigned_abs(), out);
    } else {
        let mut buffer = zmij::Buffer::new();
        let text: &[u8] = if value.is_finite() {
            buffer.format_finite(value).as_bytes()
        } else if value.is_nan() {
            b"NaN"
        } else if value > 0.0 {
            b"+Inf"
        } else {
            b"-Inf"
        };
        out.extend_from_slice(text);
        out.push(b'\n');
    }
}

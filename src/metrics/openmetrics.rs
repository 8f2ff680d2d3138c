//! OpenMetrics 1.0 (<https://prometheus.io/docs/specs/om/open_metrics_spec/>): the text page's lines, with what that
//! format asks for besides: counters' families without `_total`, UNIT, one spelling of bounds, `# EOF`, and exemplars.
//!
//! Costs what the text page costs, and a lock for each histogram that has exemplars. There are no timestamps, as in the
//! text: a scrape is what happened now, and a stale series must be able to go. `_created` is told of what the kernel
//! counts, whose start is not that of the first scrape. Of everything else it is left out: there it adds a line to every
//! counter and histogram, and Prometheus takes each for one more series.

use std::io::Write;
use std::time::{Duration, UNIX_EPOCH};

use super::bound::{Bound, Bounds};
use super::histogram::Buckets;
use super::snapshot::{Shape, Snapshot};
use super::text::{self, Form};
use crate::model::{Definition, Instrument};

/// The content type of the page.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The last line: a page without it was cut short.
pub(super) const END: &[u8] = b"# EOF\n";

/// Writes the OpenMetrics page of `snapshot` at the end of `out`.
pub fn render_openmetrics(snapshot: &Snapshot, out: &mut Vec<u8>) {
    families(snapshot, out, &mut |_| {});
    out.extend_from_slice(END);
}

/// Writes the families alone, which those of others may follow; see [`text::write()`].
pub(super) fn families(snapshot: &Snapshot, out: &mut Vec<u8>, full: &mut dyn FnMut(&mut Vec<u8>)) {
    text::write::<OpenMetrics>(snapshot, out, full);
}

pub(super) struct OpenMetrics;

impl Form for OpenMetrics {
    const CREATED: bool = true;

    fn header(shape: &Shape) -> &[u8] {
        &shape.open_header
    }

    fn bounds(bounds: &Bounds) -> &[Bound] {
        &bounds.canonical
    }

    fn end_bucket(buckets: &Buckets, index: usize, out: &mut Vec<u8>) {
        let Some(exemplars) = buckets.exemplars() else { return };
        let Some(exemplar) = exemplars.iter().find(|exemplar| exemplar.bucket == index) else { return };
        // The line goes on.
        out.pop();
        let (trace, span) = (exemplar.ids.trace_hex(), exemplar.ids.span_hex());
        // Writing into memory cannot fail.
        let _ = write!(out, " # {{trace_id=\"{trace}\",span_id=\"{span}\"}} ");
        text::write_float(exemplar.value, out);
        out.pop();
        let at = exemplar.at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let _ = writeln!(out, " {}.{:03}", at.as_secs(), at.subsec_millis());
    }
}

/// The lines before the first of a metric whose samples are called `name`.
pub(super) fn header(definition: &Definition, name: &str, kind: &str) -> Vec<u8> {
    let family = match definition.instrument {
        Instrument::Counter => counter_family(name),
        _ => name,
    };
    let mut header = format!("# HELP {family} {}\n# TYPE {family} {kind}\n", escape_help(definition.help));
    if let Some(unit) = unit(definition).filter(|unit| ends_in_unit(family, unit)) {
        header.push_str(&format!("# UNIT {family} {unit}\n"));
    }
    header.into_bytes()
}

/// A counter's family is called like its samples, without their ending.
pub(super) fn counter_family(name: &str) -> &str {
    name.strip_suffix("_total").unwrap_or(name)
}

/// The help text as OpenMetrics quotes it, which knows one quoted character more than the text format.
pub(super) fn escape_help(help: &str) -> String {
    help.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"")
}

/// The unit in OpenMetrics' words; annotations have none there.
fn unit(definition: &Definition) -> Option<&'static str> {
    match (definition.unit, definition.instrument) {
        ("s", _) => Some("seconds"),
        ("By", _) => Some("bytes"),
        ("Hz", _) => Some("hertz"),
        ("1", Instrument::Gauge) => Some("ratio"),
        _ => None,
    }
}

/// A family must end in its unit, or a reader refuses the page.
fn ends_in_unit(family: &str, unit: &str) -> bool {
    family.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_'))
}

#[cfg(test)]
mod tests;

//! In two what a receiver finds too large: HTTP's 413, gRPC's `RESOURCE_EXHAUSTED` for a message above its limit.

use super::batch::{Batch, Envelope, Head, METRIC, POINT, RESOURCE_METRICS, SCOPE_METRICS, Writer};
use super::wire::{self, fields};

/// What a metric says beside its points, and the tag of its data.
struct Parts<'a> {
    metric: Vec<u8>,
    data: u8,
    traits: Vec<u8>,
    points: Vec<&'a [u8]>,
}

/// Two batches of about the same size with the points of one, in their order. `None` if there is only one point, or if
/// `bytes` are not those of a [`Batch`].
#[must_use]
pub fn split(bytes: &[u8]) -> Option<(Batch, Batch)> {
    let (around, resources) = apart(bytes, |tag| tag == RESOURCE_METRICS)?;
    let ([], &[(_, resource)]) = (&*around, &*resources) else { return None };
    let (resource, scopes) = apart(resource, |tag| tag == SCOPE_METRICS)?;
    let &[(_, scope)] = &*scopes else { return None };
    let (scope, metrics) = apart(scope, |tag| tag == METRIC)?;
    let metrics: Vec<_> = metrics.into_iter().map(|(_, metric)| parts(metric)).collect::<Option<_>>()?;

    let size = |points: &[&[u8]]| points.iter().map(|point| point.len()).sum::<usize>();
    let half = metrics.iter().map(|metric| size(&metric.points)).sum::<usize>() / 2;
    let envelope = Envelope { resource: &resource, scope: &scope };
    let (mut first, mut second) = (None, None);
    let mut take_first = |batch| first = Some(batch);
    let mut take_second = |batch| second = Some(batch);
    let mut writers = [
        Writer::new(envelope, wire::LONGEST, bytes.len() / 2, &mut take_first),
        Writer::new(envelope, wire::LONGEST, bytes.len() / 2, &mut take_second),
    ];
    let last = metrics.iter().map(|metric| metric.points.len()).sum::<usize>().checked_sub(1)?;
    let (mut index, mut written) = (0, 0);
    for metric in &metrics {
        let head = Head { metric: &metric.metric, data: metric.data, traits: &metric.traits };
        for point in &metric.points {
            // The first point is always in the first half, the last never.
            let [front, back] = &mut writers;
            let writer = if index == 0 || (written < half && index < last) { front } else { back };
            writer.point(head, |out| out.extend_from_slice(point));
            (index, written) = (index + 1, written + point.len());
        }
    }
    writers.into_iter().for_each(Writer::end);
    first.zip(second)
}

fn parts(metric: &[u8]) -> Option<Parts<'_>> {
    use super::batch::{GAUGE, HISTOGRAM, SUM};
    let (metric, data) = apart(metric, |tag| matches!(tag, GAUGE | SUM | HISTOGRAM))?;
    let &[(data, content)] = &*data else { return None };
    let (traits, points) = apart(content, |tag| tag == POINT)?;
    Some(Parts { metric, data, traits, points: points.into_iter().map(|(_, point)| point).collect() })
}

/// The fields of `message` that are wanted, and all others as they stand.
fn apart(message: &[u8], wanted: impl Fn(u8) -> bool) -> Option<(Vec<u8>, Vec<(u8, &[u8])>)> {
    let (mut others, mut found) = (Vec::new(), Vec::new());
    for field in fields(message) {
        let field = field?;
        if wanted(field.tag) {
            found.push((field.tag, field.content));
        } else {
            others.extend_from_slice(field.whole);
        }
    }
    Some((others, found))
}

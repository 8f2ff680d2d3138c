//! In two what a receiver finds too large: HTTP's 413, gRPC's `RESOURCE_EXHAUSTED` for a message above its limit.

use super::batch::{
    Batch, Envelope, GAUGE, HISTOGRAM, Head, METRIC, POINT, RESOURCE_METRICS, SCOPE_METRICS, SUM, Writer,
};
use super::wire::{self, Field, fields};

/// What a metric says beside its points, and the tag of its data.
struct Parts<'a> {
    metric: Vec<u8>,
    data: u8,
    traits: Vec<u8>,
    points: Vec<Field<'a>>,
}

/// Two batches of about the same size with the points of one, in their order. `None` if there is only one point, or if
/// `bytes` are not those of a [`Batch`].
#[must_use]
pub fn split(bytes: &[u8]) -> Option<(Batch, Batch)> {
    let request = apart(bytes, |tag| tag == RESOURCE_METRICS)?;
    let resource = apart(request.only()?, |tag| tag == SCOPE_METRICS)?;
    let scope = apart(resource.only()?, |tag| tag == METRIC)?;
    let metrics: Vec<_> = scope.found.iter().map(|metric| parts(metric.content)).collect::<Option<_>>()?;

    let size = |points: &[Field<'_>]| points.iter().map(|point| point.whole.len()).sum::<usize>();
    let half = metrics.iter().map(|metric| size(&metric.points)).sum::<usize>() / 2;
    let envelope = Envelope { resource: &resource.others, scope: &scope.others };
    let (mut first, mut second) = (None, None);
    let mut take_first = |batch: &mut Batch| first = Some(std::mem::take(batch));
    let mut take_second = |batch: &mut Batch| second = Some(std::mem::take(batch));
    let mut empty = [Batch::default(), Batch::default()];
    empty.iter_mut().for_each(|batch| batch.bytes.reserve(bytes.len() / 2));
    let [front, back] = &mut empty;
    let mut writers = [
        Writer::new(envelope, wire::LONGEST, front, &mut take_first),
        Writer::new(envelope, wire::LONGEST, back, &mut take_second),
    ];
    let last = metrics.iter().map(|metric| metric.points.len()).sum::<usize>().checked_sub(1)?;
    let (mut index, mut written) = (0, 0);
    for metric in &metrics {
        let head = Head { metric: &metric.metric, data: metric.data, traits: &metric.traits };
        for point in &metric.points {
            // The first point is always in the first half, the last never.
            let [front, back] = &mut writers;
            let writer = if index == 0 || (written < half && index < last) { front } else { back };
            writer.point(head, |out| out.extend_from_slice(point.content));
            (index, written) = (index + 1, written + point.whole.len());
        }
    }
    writers.into_iter().for_each(Writer::end);
    first.zip(second)
}

fn parts(metric: &[u8]) -> Option<Parts<'_>> {
    let Apart { others: metric, found } = apart(metric, |tag| matches!(tag, GAUGE | SUM | HISTOGRAM))?;
    let &[data] = &*found else { return None };
    let Apart { others: traits, found: points } = apart(data.content, |tag| tag == POINT)?;
    Some(Parts { metric, data: data.tag, traits, points })
}

/// The fields of a message that are wanted, and all others as they stand.
struct Apart<'a> {
    others: Vec<u8>,
    found: Vec<Field<'a>>,
}

impl<'a> Apart<'a> {
    /// The content of the one field that was wanted.
    fn only(&self) -> Option<&'a [u8]> {
        let [field] = &*self.found else { return None };
        Some(field.content)
    }
}

fn apart(message: &[u8], wanted: impl Fn(u8) -> bool) -> Option<Apart<'_>> {
    let (mut others, mut found) = (Vec::new(), Vec::new());
    for field in fields(message) {
        let field = field?;
        if wanted(field.tag) {
            found.push(field);
        } else {
            others.extend_from_slice(field.whole);
        }
    }
    Some(Apart { others, found })
}

//! Requests below a size: written point by point, closed and handed on when the next point would make one too large.

use super::wire::{self, Open};

/// Where things are in `ExportMetricsServiceRequest`, from the outside in.
pub(super) const RESOURCE_METRICS: u8 = wire::message(1);
pub(super) const SCOPE_METRICS: u8 = wire::message(2);
pub(super) const METRIC: u8 = wire::message(2);
pub(super) const GAUGE: u8 = wire::message(5);
pub(super) const SUM: u8 = wire::message(7);
pub(super) const HISTOGRAM: u8 = wire::message(9);
pub(super) const POINT: u8 = wire::message(1);

/// One complete `ExportMetricsServiceRequest`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The request as protobuf, not compressed.
    pub bytes: Vec<u8>,
    /// How many data points are in it.
    pub points: usize,
}

/// What a metric's message holds beside its points.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    /// Name, description and unit.
    pub(super) metric: &'a [u8],
    /// The tag of the kind of data.
    pub(super) data: u8,
    /// What stands in the data beside the points: temporality and monotonicity.
    pub(super) traits: &'a [u8],
}

impl Head<'_> {
    /// Whether both are of the same message.
    fn is(self, other: Self) -> bool {
        std::ptr::eq(self.metric, other.metric) && std::ptr::eq(self.traits, other.traits)
    }
}

/// What every request begins with: the fields of `ResourceMetrics` and `ScopeMetrics` that are not points.
#[derive(Clone, Copy, Debug)]
pub(super) struct Envelope<'a> {
    pub(super) resource: &'a [u8],
    pub(super) scope: &'a [u8],
}

/// Writes batches.
pub(super) struct Writer<'a, 'b> {
    envelope: Envelope<'a>,
    limit: usize,
    hand_on: &'b mut dyn FnMut(&mut Batch),
    batch: &'b mut Batch,
    /// The messages around the metrics of the batch, once it has begun.
    around: Option<[Open; 2]>,
    metric: Option<Metric<'a>>,
}

/// The metric that is being written.
struct Metric<'a> {
    head: Head<'a>,
    start: usize,
    around: [Open; 2],
    points: usize,
}

impl<'a, 'b> Writer<'a, 'b> {
    /// Writes into `batch`, which is empty, and hands it on as often as it is full: what is left in it then is written
    /// over.
    pub(super) fn new(
        envelope: Envelope<'a>,
        limit: usize,
        batch: &'b mut Batch,
        hand_on: &'b mut dyn FnMut(&mut Batch),
    ) -> Self {
        let limit = limit.min(wire::LONGEST);
        Self { envelope, limit, hand_on, batch, around: None, metric: None }
    }

    /// Writes a point of the metric `head`. Points of one metric that come one after the other share its head.
    pub(super) fn point(&mut self, head: Head<'a>, content: impl FnOnce(&mut Vec<u8>)) {
        self.begin_metric(head);
        let start = self.batch.bytes.len();
        wire::write_message(POINT, &mut self.batch.bytes, content);
        if self.batch.bytes.len() > self.limit && self.batch.points > 0 {
            let point = self.batch.bytes.split_off(start);
            self.end_batch();
            self.begin_metric(head);
            self.batch.bytes.extend_from_slice(&point);
        }
        self.batch.points += 1;
        if let Some(metric) = &mut self.metric {
            metric.points += 1;
        }
    }

    /// Hands on what has been written and not yet handed on, if anything.
    pub(super) fn end(mut self) {
        self.end_batch();
    }

    fn begin_metric(&mut self, head: Head<'a>) {
        if self.metric.as_ref().is_some_and(|metric| metric.head.is(head)) {
            return;
        }
        self.end_metric();
        let out = &mut self.batch.bytes;
        if self.around.is_none() {
            let resource = wire::open(RESOURCE_METRICS, out);
            out.extend_from_slice(self.envelope.resource);
            let scope = wire::open(SCOPE_METRICS, out);
            out.extend_from_slice(self.envelope.scope);
            self.around = Some([scope, resource]);
        }
        let start = out.len();
        let metric = wire::open(METRIC, out);
        out.extend_from_slice(head.metric);
        let data = wire::open(head.data, out);
        out.extend_from_slice(head.traits);
        self.metric = Some(Metric { head, start, around: [data, metric], points: 0 });
    }

    fn end_metric(&mut self) {
        match self.metric.take() {
            // Its first point went into the next batch.
            Some(metric) if metric.points == 0 => self.batch.bytes.truncate(metric.start),
            Some(metric) => {
                metric.around.into_iter().for_each(|message| wire::close(message, &mut self.batch.bytes));
            }
            None => {}
        }
    }

    fn end_batch(&mut self) {
        self.end_metric();
        let Some(around) = self.around.take() else { return };
        around.into_iter().for_each(|message| wire::close(message, &mut self.batch.bytes));
        (self.hand_on)(self.batch);
        self.batch.bytes.clear();
        self.batch.points = 0;
    }
}

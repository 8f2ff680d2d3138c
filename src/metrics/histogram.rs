//! The state of one histogram: a counter a bucket and a sum, all atomic.
//!
//! The count is the sum of the buckets, so buckets and count always agree; the sum may lag by the one observation
//! that is being recorded while a page is rendered.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use parking_lot::{Mutex, MutexGuard};

use super::bound::Bounds;
use crate::model::SpanIds;

#[derive(Debug)]
pub(super) struct Buckets {
    bounds: &'static [f64],
    /// One counter for each bound, not cumulative, then one for what is above the last.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
    /// How the buckets' lines go on after their labels, where the bounds are not those of the family.
    apart: Option<Box<Bounds>>,
    /// At most one a bucket, in no order. Takes memory and costs a reader a lock only once an observation came with a
    /// span.
    exemplars: OnceLock<Box<Mutex<Vec<Exemplar>>>>,
}

/// The last observation in a bucket that belonged to a recorded span.
#[derive(Clone, Debug)]
pub(super) struct Exemplar {
    /// The index of the bucket.
    pub(super) bucket: usize,
    pub(super) value: f64,
    pub(super) at: SystemTime,
    pub(super) ids: SpanIds,
}

impl Buckets {
    pub(super) fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
            apart: None,
            exemplars: OnceLock::new(),
        }
    }

    /// With bounds that are not those of the family.
    pub(super) fn apart(bounds: &'static [f64]) -> Self {
        Self { apart: Some(Box::new(Bounds::new(bounds))), ..Self::new(bounds) }
    }

    /// `le="…"} ` of each bucket, where `family` has those of other bounds.
    pub(super) fn texts<'a>(&'a self, family: &'a Bounds) -> &'a Bounds {
        self.apart.as_deref().unwrap_or(family)
    }

    /// How many lines it has on a page.
    pub(super) fn lines(&self) -> usize {
        self.counts.len() + 2
    }

    /// Takes `value` in; with the ids of a span it is the exemplar of its bucket from now on.
    pub(super) fn observe(&self, value: f64, ids: Option<SpanIds>) {
        let index = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(index) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let add = |bits| Some((f64::from_bits(bits) + value).to_bits());
        // The closure always gives a value, so this cannot fail.
        let _ = self.sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        if let Some(ids) = ids {
            self.remember(Exemplar { bucket: index, value, at: SystemTime::now(), ids });
        }
    }

    fn remember(&self, exemplar: Exemplar) {
        let mut exemplars = self.exemplars.get_or_init(Box::default).lock();
        match exemplars.iter_mut().find(|known| known.bucket == exemplar.bucket) {
            Some(known) => *known = exemplar,
            // One by one: most histograms fill few of their buckets.
            None => {
                exemplars.reserve_exact(1);
                exemplars.push(exemplar);
            }
        }
    }

    /// The exemplars, at most one for each bucket, in no order; `None` while there are none.
    pub(super) fn exemplars(&self) -> Option<MutexGuard<'_, Vec<Exemplar>>> {
        self.exemplars.get().map(|exemplars| exemplars.lock())
    }

    /// The bounds, where they are not those of the family.
    #[cfg(feature = "otlp")]
    pub(super) fn own_bounds(&self) -> Option<&'static [f64]> {
        self.apart.is_some().then_some(self.bounds)
    }

    /// The counts of the buckets, not cumulative, in the order of the bounds.
    pub(super) fn counts(&self) -> impl Iterator<Item = u64> + '_ {
        self.counts.iter().map(|count| count.load(Ordering::Relaxed))
    }

    pub(super) fn sum(&self) -> f64 {
        f64::from_bits(self.sum.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_own_bucket() {
        let buckets = Buckets::new(&[0.1, 1.0]);
        for value in [0.05, 0.1, 0.5, 1.0, 7.0] {
            buckets.observe(value, None);
        }
        assert_eq!(buckets.counts().collect::<Vec<_>>(), [2, 2, 1]);
        assert!((buckets.sum() - 8.65).abs() < 1e-9);
        assert!(buckets.exemplars().is_none(), "nothing is kept where there are no spans");
    }

    #[test]
    fn a_bucket_keeps_its_last_exemplar() {
        let buckets = Buckets::new(&[0.1, 1.0]);
        let ids = |last| SpanIds { trace: [last; 16], span: [last; 8] };
        for (value, span) in [(0.5, 1), (7.0, 2), (0.7, 3)] {
            buckets.observe(value, Some(ids(span)));
        }
        buckets.observe(0.9, None);
        let kept: Vec<_> =
            buckets.exemplars().unwrap().iter().map(|each| (each.bucket, each.value, each.ids)).collect();
        assert_eq!(kept, [(1, 0.7, ids(3)), (2, 7.0, ids(2))]);
    }
}

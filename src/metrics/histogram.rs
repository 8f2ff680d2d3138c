//! The state of one histogram: a counter a bucket and a sum, all atomic.
//!
//! The count is the sum of the buckets, so buckets and count always agree; the sum may lag by the one observation
//! that is being recorded while a page is rendered.

use std::sync::atomic::{AtomicU64, Ordering};

use super::bound::{Bound, bounds_text};

#[derive(Debug)]
pub(super) struct Buckets {
    bounds: &'static [f64],
    /// One counter for each bound, not cumulative, then one for what is above the last.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
    /// How the buckets' lines go on after their labels, where the bounds are not those of the family.
    apart: Option<Box<[Bound]>>,
}

impl Buckets {
    pub(super) fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
            apart: None,
        }
    }

    /// With bounds that are not those of the family.
    pub(super) fn apart(bounds: &'static [f64]) -> Self {
        Self { apart: Some(bounds_text(bounds).into()), ..Self::new(bounds) }
    }

    /// `le="…"} ` of each bucket, where `family` has those of other bounds.
    pub(super) fn texts<'a>(&'a self, family: &'a [Bound]) -> &'a [Bound] {
        self.apart.as_deref().unwrap_or(family)
    }

    /// How many lines it has on a page.
    pub(super) fn lines(&self) -> usize {
        self.counts.len() + 2
    }

    pub(super) fn observe(&self, value: f64) {
        let index = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(index) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let add = |bits| Some((f64::from_bits(bits) + value).to_bits());
        // The closure always gives a value, so this cannot fail.
        let _ = self.sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    #[cfg(feature = "otlp")]
    pub(super) fn bounds(&self) -> &'static [f64] {
        self.bounds
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
            buckets.observe(value);
        }
        assert_eq!(buckets.counts().collect::<Vec<_>>(), [2, 2, 1]);
        assert!((buckets.sum() - 8.65).abs() < 1e-9);
    }
}

//! Series and the handles through which they are filled. A handle is an `Arc` to its series: recording takes no lock
//! and looks nothing up. A handle outlives the removal of its series and then records into nothing.
//!
//! What a series is called its family knows, see [`Family`](super::snapshot::Family): there are many of them, so each is
//! as small as can be.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::epoch::Birth;
use super::histogram::Buckets;
use crate::model::SpanIds;

#[derive(Debug)]
pub(super) struct Series {
    pub(super) value: Value,
    /// How many scopes and permanent holders it has; changed only under the store's lock. None: the store does not have
    /// it, or not for much longer.
    pub(super) owners: AtomicU32,
    pub(super) birth: Birth,
}

impl Series {
    pub(super) fn new(value: Value, birth: Birth) -> Arc<Self> {
        Arc::new(Self { value, owners: AtomicU32::new(0), birth })
    }

    pub(super) fn is_owned(&self) -> bool {
        self.owners.load(Ordering::Relaxed) > 0
    }
}

#[derive(Debug)]
pub(super) enum Value {
    Integer(AtomicU64),
    /// The bits of a number, or [`ABSENT`].
    Float(AtomicU64),
    /// Apart, because most series are not one, and those are smaller so.
    Histogram(Box<Buckets>),
}

/// A NaN that arithmetic does not make: the series has no value now and is left out of the page.
const ABSENT: u64 = 0x7ff8_dead_0000_0000;

impl Value {
    pub(super) fn float() -> Self {
        Self::Float(AtomicU64::new(ABSENT))
    }

    /// The number of a series that is no histogram; none while it is absent.
    pub(super) fn number(&self) -> Option<Number> {
        match self {
            Self::Integer(count) => Some(Number::Integer(count.load(Ordering::Relaxed))),
            Self::Float(bits) => number(bits.load(Ordering::Relaxed)).map(Number::Float),
            Self::Histogram(_) => None,
        }
    }
}

/// A number as it is to be written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    /// What we count ourselves.
    Integer(u64),
    /// What goes up and down, and what others count.
    Float(f64),
}

/// The number behind the bits of a float series; `None` while it has none.
fn number(bits: u64) -> Option<f64> {
    (bits != ABSENT).then(|| f64::from_bits(bits))
}

/// Counts something.
#[derive(Clone, Debug)]
pub struct Counter(pub(super) Arc<Series>);

impl Counter {
    /// Adds one.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        if let Value::Integer(value) = &self.0.value {
            value.fetch_add(n, Ordering::Relaxed);
        }
    }

    /// Sets the value to one that was counted elsewhere; never below what it is.
    pub fn raise_to(&self, total: u64) {
        if let Value::Integer(value) = &self.0.value {
            value.fetch_max(total, Ordering::Relaxed);
        }
    }
}

/// Holds a value that may go up and down, or be absent: until the first [`Gauge::set`] the series is not on the page.
/// Also what shows a number that somebody else counts, such as the kernel, see [`Store::observed`](super::Store::observed).
#[derive(Clone, Debug)]
pub struct Gauge(pub(super) Arc<Series>);

impl Gauge {
    /// Sets the value.
    pub fn set(&self, value: f64) {
        if let Value::Float(bits) = &self.0.value {
            bits.store(value.to_bits(), Ordering::Relaxed);
        }
    }

    /// Sets 1 or 0.
    pub fn set_bool(&self, value: bool) {
        self.set(f64::from(u8::from(value)));
    }

    /// Sets the value, or takes it away.
    pub fn set_optional(&self, value: Option<f64>) {
        match value {
            Some(value) => self.set(value),
            None => self.clear(),
        }
    }

    /// Adds to the value; an absent one counts as 0.
    pub fn add(&self, delta: f64) {
        if let Value::Float(bits) = &self.0.value {
            let add = |bits| Some((number(bits).unwrap_or(0.0) + delta).to_bits());
            // The closure always gives a value, so this cannot fail.
            let _ = bits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        }
    }

    /// Takes the value away: the series is off the page until the next one.
    pub fn clear(&self) {
        if let Value::Float(bits) = &self.0.value {
            bits.store(ABSENT, Ordering::Relaxed);
        }
    }
}

/// Records a distribution.
#[derive(Clone, Debug)]
pub struct Histogram(pub(super) Arc<Series>);

impl Histogram {
    /// Records one observation; one that is not a number is left out, it would spoil the sum for ever.
    pub fn observe(&self, value: f64) {
        self.observe_in(value, None);
    }

    /// The same for something that happened in a span: it becomes the exemplar of its bucket, which leads from the
    /// distribution to a trace. Costs nothing more without a span; with one, a lock and the time of day.
    pub fn observe_in(&self, value: f64, span: Option<SpanIds>) {
        if let Value::Histogram(buckets) = &self.0.value
            && value.is_finite()
        {
            buckets.observe(value, span);
        }
    }
}

//! Metrics under a second name, for readers who know a number of ours by the name that others gave it.
//!
//! Costs one number to read and one line to write for each. On the page alone: what is pushed has one name.

use super::series::{Gauge, Number};
use super::snapshot::Shape;
use crate::model::Definition;

/// The second name of a number.
#[derive(Debug)]
pub(crate) struct Alias {
    pub(super) shape: Shape,
    number: Of,
}

#[derive(Debug)]
enum Of {
    Sum(Vec<Gauge>),
    Constant(f64),
}

impl Alias {
    /// Shows the sum of `gauges` as `definition`, which has no attributes and is no histogram.
    pub(crate) fn of(definition: &'static Definition, gauges: Vec<Gauge>) -> Self {
        Self { shape: Shape::new(definition), number: Of::Sum(gauges) }
    }

    /// Shows a number that never changes.
    pub(crate) fn constant(definition: &'static Definition, value: f64) -> Self {
        Self { shape: Shape::new(definition), number: Of::Constant(value) }
    }

    /// Its number now; none while one of those that it is the sum of has none.
    pub(super) fn value(&self) -> Option<f64> {
        match &self.number {
            Of::Sum(gauges) => gauges.iter().map(value).sum(),
            Of::Constant(value) => Some(*value),
        }
    }
}

fn value(gauge: &Gauge) -> Option<f64> {
    match gauge.0.value.number()? {
        Number::Float(value) => Some(value),
        Number::Integer(_) => None,
    }
}

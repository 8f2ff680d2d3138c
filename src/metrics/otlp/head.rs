//! What OTLP says of a metric beside its points, encoded once.

use crate::model::{Definition, Instrument};

use super::attributes::Keys;
use super::batch::{GAUGE, HISTOGRAM, Head, SUM};
use super::points::write_bounds;
use super::wire;

/// A metric, encoded as far as it can be before there are points.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) keys: Keys,
    /// Name, description and unit.
    metric: Vec<u8>,
    /// For a histogram, the field of the bounds that its series have unless they have their own.
    pub(super) bounds: Vec<u8>,
    data: u8,
    traits: &'static [u8],
    as_delta: &'static [u8],
}

/// The fields `aggregation_temporality` and `is_monotonic`.
const CUMULATIVE: &[u8] = &[wire::varint(2), 2];
const DELTA: &[u8] = &[wire::varint(2), 1];
const MONOTONIC_CUMULATIVE: &[u8] = &[wire::varint(2), 2, wire::varint(3), 1];
const MONOTONIC_DELTA: &[u8] = &[wire::varint(2), 1, wire::varint(3), 1];

impl Form {
    pub(super) fn new(definition: &Definition) -> Self {
        let mut metric = Vec::new();
        for (field, text) in [(1, definition.name), (2, definition.help), (3, definition.unit)] {
            wire::write_bytes(wire::message(field), text.as_bytes(), &mut metric);
        }
        let (data, traits, as_delta): (_, &[u8], &[u8]) = match definition.instrument {
            Instrument::Counter => (SUM, MONOTONIC_CUMULATIVE, MONOTONIC_DELTA),
            Instrument::UpDownCounter => (SUM, CUMULATIVE, CUMULATIVE),
            Instrument::Gauge => (GAUGE, &[], &[]),
            Instrument::Histogram(_) => (HISTOGRAM, CUMULATIVE, DELTA),
        };
        let mut bounds = Vec::new();
        if let Instrument::Histogram(of_all) = definition.instrument {
            write_bounds(of_all, &mut bounds);
        }
        Self { keys: Keys::new(definition), metric, bounds, data, traits, as_delta }
    }

    /// What stands around points, which are deltas or not.
    pub(super) fn head(&self, delta: bool) -> Head<'_> {
        let traits = if delta { self.as_delta } else { self.traits };
        Head { metric: &self.metric, data: self.data, traits }
    }
}

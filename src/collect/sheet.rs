//! What a collector fills: its series, found again without a look-up as long as it sets them in the same order, and the
//! errors of one reading.

use std::fmt::Display;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::debug;

use crate::metrics::{Gauge, Scope, Store};
use crate::model::{Definition, Reason};

/// The series of one collector.
#[derive(Debug)]
pub(crate) struct Sheet {
    collector: &'static str,
    scope: Scope,
    slots: Shown,
    round: u64,
    cursor: usize,
    errors: Vec<Reason>,
}

/// The series of a collector as those see them who may have to take them off the page while it hangs.
pub(super) type Shown = Arc<Mutex<Vec<Slot>>>;

#[derive(Debug)]
pub(super) struct Slot {
    definition: &'static Definition,
    values: Vec<Box<str>>,
    gauge: Gauge,
    /// The last round that set it.
    round: u64,
}

impl Slot {
    fn is(&self, definition: &'static Definition, values: &[&str]) -> bool {
        std::ptr::eq(self.definition, definition)
            && self.values.iter().map(|value| &**value).eq(values.iter().copied())
    }
}

impl Sheet {
    pub(super) fn new(store: &Store, collector: &'static str) -> Self {
        Self {
            collector,
            scope: store.scope(),
            slots: Shown::default(),
            round: 0,
            cursor: 0,
            errors: Vec::new(),
        }
    }

    pub(super) fn shown(&self) -> Shown {
        Arc::clone(&self.slots)
    }

    /// Shows `value`, with these attribute values. Numbers that count up are given as they are, never as a difference.
    pub(crate) fn set(&mut self, definition: &'static Definition, values: &[&str], value: f64) {
        let mut slots = self.slots.lock();
        let index = match slots.get(self.cursor) {
            Some(slot) if slot.is(definition, values) => Some(self.cursor),
            _ => slots.iter().position(|slot| slot.is(definition, values)),
        };
        let index = index.unwrap_or_else(|| {
            let gauge = self.scope.observed(definition, values);
            let values = values.iter().map(|value| Box::from(*value)).collect();
            slots.push(Slot { definition, values, gauge, round: 0 });
            slots.len() - 1
        });
        if let Some(slot) = slots.get_mut(index) {
            slot.gauge.set(value);
            slot.round = self.round;
        }
        self.cursor = index + 1;
    }

    /// Notes that something could not be read, and goes on; `what` is for the debug log.
    pub(crate) fn fail(&mut self, reason: Reason, what: impl Display) {
        debug!(collector = self.collector, reason = reason.as_str(), %what, "not read");
        self.errors.push(reason);
    }

    pub(super) fn begin(&mut self) {
        self.round += 1;
        self.cursor = 0;
        self.errors.clear();
    }

    /// Ends a round: what it did not set goes. Gives the errors.
    pub(super) fn end(&mut self) -> &[Reason] {
        let round = self.round;
        let mut slots = self.slots.lock();
        if slots.iter().any(|slot| slot.round != round) {
            // Something was unplugged: its series end here, and what stays is in order again.
            slots.retain(|slot| {
                let stays = slot.round == round;
                if !stays {
                    slot.gauge.clear();
                }
                stays
            });
        }
        &self.errors
    }
}

/// Takes everything off the page, until the collector sets it again.
pub(super) fn withhold(shown: &Shown) {
    for slot in shown.lock().iter() {
        slot.gauge.clear();
    }
}

//! What a collector fills: its series, found again without a look-up as long as it sets them in the same order, and the
//! errors of one reading.
//!
//! A reading is shown as a whole when it has ended: a page that is made meanwhile has the one before. What comes out of
//! order is found by its labels, in an index that is made when it is first needed and forgotten with the reading, after
//! which the order is that of the reading: so neither a thousand new interfaces nor one in the middle cost a search for
//! each.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::debug;

use crate::metrics::{Birth, Labels, Owned, Since, Store};
use crate::model::{Definition, Reason};

/// The series of one collector.
#[derive(Debug)]
pub(crate) struct Sheet {
    collector: &'static str,
    store: Store,
    counts: Counts,
    slots: Shown,
    /// Where each slot is by its labels; only in a reading in which something came out of order.
    index: Option<HashMap<(&'static str, Labels), usize>>,
    round: u64,
    /// Where the next one is expected, and how many were set.
    cursor: usize,
    set: usize,
    errors: Vec<Reason>,
    /// When the reading began, and when the last one did that found everything.
    began: Birth,
    found_all: Option<Birth>,
}

/// Since when the numbers of a collector count that only grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counts {
    /// Since the machine started, or since whatever it is was made; nobody can tell.
    SinceBoot,
    /// The same for things that come and go: what was not there at the last reading is new.
    OfThings,
    /// Since this process started.
    SinceProcess,
}

/// The series of a collector as those see them who may have to take them off the page while it hangs.
pub(super) type Shown = Arc<Mutex<Vec<Slot>>>;

#[derive(Debug)]
pub(super) struct Slot {
    definition: &'static Definition,
    values: Vec<Box<str>>,
    /// Made when the first reading that has it ends.
    series: Option<Owned>,
    value: f64,
    /// The last round that set it, and as which one.
    round: u64,
    order: usize,
}

impl Slot {
    fn is(&self, definition: &'static Definition, values: &[&str]) -> bool {
        #[cfg(test)]
        tests::LOOKS.with(|looks| looks.set(looks.get() + 1));
        std::ptr::eq(self.definition, definition)
            && self.values.iter().map(|value| &**value).eq(values.iter().copied())
    }

    fn key(&self) -> (&'static str, Labels) {
        (self.definition.name, Labels::new(self.definition.attributes, &as_strs(&self.values)))
    }

    fn clear(&self) {
        if let Some(series) = &self.series {
            series.clear();
        }
    }
}

impl Sheet {
    pub(super) fn new(store: &Store, collector: &'static str, counts: Counts) -> Self {
        Self {
            collector,
            store: store.clone(),
            counts,
            slots: Shown::default(),
            index: None,
            round: 0,
            cursor: 0,
            set: 0,
            errors: Vec::new(),
            began: store.moment(),
            found_all: None,
        }
    }

    pub(super) fn shown(&self) -> Shown {
        Arc::clone(&self.slots)
    }

    /// Shows `value`, with these attribute values, once the reading has ended. Numbers that count up are given as they
    /// are, never as a difference.
    pub(crate) fn set(&mut self, definition: &'static Definition, values: &[&str], value: f64) {
        let mut slots = self.slots.lock();
        let order = self.set;
        self.set += 1;
        let place = match slots.get(self.cursor) {
            Some(slot) if slot.is(definition, values) => self.cursor,
            Some(_) | None => {
                let index = self.index.get_or_insert_with(|| {
                    slots.iter().enumerate().map(|(place, slot)| (slot.key(), place)).collect()
                });
                let key = (definition.name, Labels::new(definition.attributes, values));
                *index.entry(key).or_insert_with(|| {
                    let values = values.iter().map(|value| Box::from(*value)).collect();
                    slots.push(Slot { definition, values, series: None, value, round: 0, order });
                    slots.len() - 1
                })
            }
        };
        if let Some(slot) = slots.get_mut(place) {
            (slot.value, slot.round, slot.order) = (value, self.round, order);
        }
        self.cursor = place + 1;
    }

    /// Notes that something could not be read, and goes on; `what` is for the debug log.
    pub(crate) fn fail(&mut self, reason: Reason, what: impl Display) {
        debug!(collector = self.collector, reason = reason.as_str(), %what, "not read");
        self.errors.push(reason);
    }

    pub(super) fn begin(&mut self) {
        self.round += 1;
        (self.cursor, self.set) = (0, 0);
        self.errors.clear();
        self.began = self.store.moment();
    }

    /// Ends a round: what it set is shown, what it did not set goes. Gives the errors.
    pub(super) fn end(&mut self) -> &[Reason] {
        let failed = !self.errors.is_empty();
        let since = match (self.counts, self.found_all) {
            (Counts::OfThings, Some(before)) => Since::Moment(before),
            (Counts::OfThings | Counts::SinceBoot, _) => Since::Boot,
            (Counts::SinceProcess, _) => Since::Process,
        };
        // Things that an error hides are there still, and keep what is known of them.
        let keep = failed && self.counts == Counts::OfThings;
        let round = self.round;
        self.store.change(|| {
            let mut slots = self.slots.lock();
            if self.index.take().is_some() {
                slots.sort_by_key(|slot| slot.order);
            }
            for slot in slots.iter_mut().filter(|slot| slot.round == round) {
                let make = || self.store.owned(slot.definition, &as_strs(&slot.values), since);
                slot.series.get_or_insert_with(make).set(slot.value);
            }
            if slots.iter().any(|slot| slot.round != round) {
                slots.retain(|slot| {
                    let stays = slot.round == round || keep;
                    if slot.round != round {
                        slot.clear();
                    }
                    stays
                });
            }
        });
        if !failed {
            self.found_all = Some(self.began);
        }
        &self.errors
    }
}

fn as_strs(values: &[Box<str>]) -> Vec<&str> {
    values.iter().map(|value| &**value).collect()
}

/// Takes everything off the page, until the collector sets it again.
pub(super) fn withhold(shown: &Shown) {
    shown.lock().iter().for_each(Slot::clear);
}

#[cfg(test)]
pub(super) mod tests;

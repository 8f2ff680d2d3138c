//! Who owns series that go: those of a check, of a runtime, of a device. What goes takes its series off the page.

use std::ops::Deref;
use std::sync::Arc;

use crate::metrics::histogram::Buckets;
use crate::metrics::labels::Labels;
use crate::metrics::series::{Counter, Gauge, Histogram, Series, Value};
use crate::metrics::target::{self, Attribute, TARGET_INFO};
use crate::model::Definition;

use super::{Empty, Store, empty};

/// One series of what somebody else counts, which goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Owned {
    pub(super) store: Store,
    pub(super) definition: &'static Definition,
    pub(super) gauge: Gauge,
}

impl Deref for Owned {
    type Target = Gauge;

    fn deref(&self) -> &Gauge {
        &self.gauge
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.store.release(&[(self.definition, Arc::clone(&self.gauge.0))]);
    }
}

/// Makes series that belong together and removes them when it is dropped: a check that goes takes its series along.
/// A series that two scopes made goes with the second.
#[derive(Debug)]
pub struct Scope {
    pub(super) store: Store,
    pub(super) made: Vec<(&'static Definition, Arc<Series>)>,
}

impl Scope {
    /// As [`Store::counter`].
    #[must_use]
    pub fn counter(&mut self, definition: &'static Definition, values: &[&str]) -> Counter {
        Counter(self.series(definition, values, &empty))
    }

    /// As [`Store::gauge`].
    #[must_use]
    pub fn gauge(&mut self, definition: &'static Definition, values: &[&str]) -> Gauge {
        Gauge(self.series(definition, values, &empty))
    }

    /// As [`Store::observed`].
    #[must_use]
    pub fn observed(&mut self, definition: &'static Definition, values: &[&str]) -> Gauge {
        Gauge(self.series(definition, values, &|_| Value::float()))
    }

    /// As [`Store::histogram`].
    #[must_use]
    pub fn histogram(&mut self, definition: &'static Definition, values: &[&str]) -> Histogram {
        Histogram(self.series(definition, values, &empty))
    }

    /// As [`Scope::histogram`], with upper bounds of this series' own, ascending, in place of the definition's. Series
    /// with different bounds cannot be added up, so this is for metrics whose series stand each for themselves.
    #[must_use]
    pub fn histogram_over(
        &mut self,
        definition: &'static Definition,
        values: &[&str],
        bounds: &'static [f64],
    ) -> Histogram {
        Histogram(self.series(definition, values, &|_| Value::Histogram(Box::new(Buckets::apart(bounds)))))
    }

    /// Shows what the process is, as `target_info`.
    pub fn describe(&mut self, attributes: &[Attribute]) {
        Gauge(self.labelled(&TARGET_INFO, target::labels(attributes), &empty)).set(1.0);
    }

    /// The store that the series are in.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    fn series(&mut self, definition: &'static Definition, values: &[&str], empty: Empty<'_>) -> Arc<Series> {
        self.labelled(definition, Labels::new(definition.attributes, values), empty)
    }

    fn labelled(&mut self, definition: &'static Definition, labels: Labels, empty: Empty<'_>) -> Arc<Series> {
        let series = self.store.series(definition, labels, empty);
        self.made.push((definition, Arc::clone(&series)));
        series
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        self.store.release(&self.made);
    }
}

//! The metric store: every series of the process, made once and filled through handles.
//!
//! Making or removing a series takes a lock and marks its family; the next snapshot rebuilds only the marked ones.
//! Filling a series takes no lock. Whoever fills many that belong together may [change](Store::change) them all at once,
//! which waits for the readers that are at it. A guard bounds the number of series, because one bad label can fill a
//! Prometheus.

mod scope;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};
use tokio::time::Instant;

use crate::model::{Definition, Instrument};

use super::alias::Alias;
use super::epoch::{Birth, Epoch, Since, Starts};
use super::histogram::Buckets;
use super::labels::Labels;
use super::observers::{Observe, Observers};
use super::series::{Counter, Gauge, Histogram, Series, Value};
use super::snapshot::{Family, Shape, Snapshot};

pub(crate) use scope::Owned;
pub use scope::Scope;

/// How many series may have come to a family or gone from it, besides an eighth of it, before it is put in order.
const FEW: usize = 16;
/// How many series a store holds unless told otherwise; a histogram counts for one.
const DEFAULT_LIMIT: usize = 1_000_000;

pub(super) static SERIES: Definition = Definition {
    name: "vitalsign.series",
    instrument: Instrument::Gauge,
    unit: "{series}",
    attributes: &[],
    help: "Number of series that this process holds, each line of a histogram counted",
};

pub(super) static SERIES_DROPPED: Definition = Definition {
    name: "vitalsign.series.dropped",
    instrument: Instrument::Counter,
    unit: "{series}",
    attributes: &["reason"],
    help: "Number of series that were refused, by reason",
};

/// All series of the process. Cheap to clone; every clone is the same store.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    families: Mutex<Families>,
    snapshot: ArcSwap<Snapshot>,
    /// Set when series came or went since the snapshot was made.
    stale: AtomicBool,
    generation: AtomicU64,
    /// Held by readers, and alone by whoever changes many series at once.
    changing: RwLock<()>,
    limit: usize,
    size: Gauge,
    dropped: Counter,
    invalid: Counter,
    observers: Observers,
    aliases: OnceLock<Vec<Alias>>,
    #[cfg(feature = "prometheus-interop")]
    foreign: super::foreign::Foreign,
}

#[derive(Debug, Default)]
struct Families {
    by_name: BTreeMap<&'static str, Master>,
    count: usize,
    epoch: Epoch,
}

/// A family as readers get it, and what has happened to it since.
#[derive(Debug)]
struct Master {
    family: Arc<Family>,
    /// Series that are to join it.
    made: BTreeMap<Labels, Arc<Series>>,
    /// How many series nobody owns any more.
    gone: usize,
}

impl Default for Store {
    fn default() -> Self {
        Self::new()
    }
}

impl Store {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limit(DEFAULT_LIMIT)
    }

    /// An empty store that refuses series beyond `limit`.
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        let mut families = Families::default();
        let size = Gauge(families.make(&SERIES, Labels::new(&[], &[]), &empty, Since::Unknown));
        let mut dropped = |reason| {
            let labels = Labels::new(&["reason"], &[reason]);
            Counter(families.make(&SERIES_DROPPED, labels, &empty, Since::Unknown))
        };
        let (over, invalid) = (dropped("cardinality_limit"), dropped("invalid_name"));
        Self(Arc::new(Inner {
            families: Mutex::new(families),
            snapshot: ArcSwap::default(),
            stale: AtomicBool::new(true),
            generation: AtomicU64::new(0),
            changing: RwLock::new(()),
            limit,
            size,
            dropped: over,
            invalid,
            observers: Observers::default(),
            aliases: OnceLock::new(),
            #[cfg(feature = "prometheus-interop")]
            foreign: super::foreign::Foreign::default(),
        }))
    }

    /// The counter of `definition` with these attribute values; made at zero if it does not exist.
    #[must_use]
    pub fn counter(&self, definition: &'static Definition, values: &[&str]) -> Counter {
        debug_assert_eq!(definition.instrument, Instrument::Counter, "{}", definition.name);
        Counter(self.series(definition, Labels::new(definition.attributes, values), &empty))
    }

    /// The gauge of `definition` with these attribute values; made without a value if it does not exist.
    #[must_use]
    pub fn gauge(&self, definition: &'static Definition, values: &[&str]) -> Gauge {
        debug_assert!(
            matches!(definition.instrument, Instrument::Gauge | Instrument::UpDownCounter),
            "{}",
            definition.name
        );
        Gauge(self.series(definition, Labels::new(definition.attributes, values), &empty))
    }

    /// The histogram of `definition` with these attribute values; made empty if it does not exist.
    #[must_use]
    pub fn histogram(&self, definition: &'static Definition, values: &[&str]) -> Histogram {
        debug_assert!(matches!(definition.instrument, Instrument::Histogram(_)), "{}", definition.name);
        Histogram(self.series(definition, Labels::new(definition.attributes, values), &empty))
    }

    /// The series of `definition` with these attribute values, for a number that somebody else counts or keeps and that
    /// is shown as it was read. Any metric but a histogram can be observed; made without a value if it does not exist.
    #[must_use]
    pub fn observed(&self, definition: &'static Definition, values: &[&str]) -> Gauge {
        self.observed_since(definition, values, Since::Unknown)
    }

    /// The same where it is known since when somebody else counts.
    pub(crate) fn observed_since(
        &self,
        definition: &'static Definition,
        values: &[&str],
        since: Since,
    ) -> Gauge {
        debug_assert!(!matches!(definition.instrument, Instrument::Histogram(_)), "{}", definition.name);
        let labels = Labels::new(definition.attributes, values);
        Gauge(self.series_since(definition, labels, &|_| Value::float(), since))
    }

    /// As [`observed_since`](Self::observed_since); the series goes when what is given back goes.
    pub(crate) fn owned(&self, definition: &'static Definition, values: &[&str], since: Since) -> Owned {
        Owned { store: self.clone(), definition, gauge: self.observed_since(definition, values, since) }
    }

    /// Series that go when the scope goes.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope { store: self.clone(), made: Vec::new() }
    }

    /// Counts a series that was refused because its name cannot be one.
    pub fn refuse_name(&self) {
        self.0.invalid.increment();
    }

    /// Asks `observer` for its numbers whenever somebody is about to read, as long as it lives.
    pub(crate) fn observe(&self, observer: &Arc<dyn Observe>) {
        self.0.observers.add(observer);
    }

    /// Brings the numbers up to date that are read rather than recorded, such as those of runtimes and pools. For
    /// whoever is about to read a snapshot; a page does it.
    pub fn refresh(&self, now: Instant) {
        self.0.observers.ask(now);
    }

    /// Shows `aliases` on every page too; those that were given first stay.
    pub(crate) fn show_aliases(&self, aliases: Vec<Alias>) {
        let _ = self.0.aliases.set(aliases);
    }

    pub(super) fn aliases(&self) -> &[Alias] {
        self.0.aliases.get().map_or(&[], Vec::as_slice)
    }

    /// Lets the metrics of `registry` join every page that is made of this store, after its own.
    ///
    /// They are gathered whenever a page is made, on a thread apart: collectors that panic or hang cost the page only
    /// their own metrics. A family whose name is also one of ours is left out and counted in `vitalsign.series.dropped`.
    ///
    /// ```
    /// let registry = prometheus::Registry::new();
    /// let placed = prometheus::IntCounter::new("orders_placed_total", "Orders accepted").unwrap();
    /// registry.register(Box::new(placed.clone())).unwrap();
    /// let store = vitalsign::metrics::Store::new();
    /// store.join(&registry).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the system gives no thread.
    #[cfg(feature = "prometheus-interop")]
    pub fn join(&self, registry: &prometheus::Registry) -> std::io::Result<()> {
        self.0.foreign.join(self, registry)
    }

    /// What joined the store.
    #[cfg(feature = "prometheus-interop")]
    pub(super) fn foreign(&self) -> &super::foreign::Foreign {
        &self.0.foreign
    }

    /// Says when the machine and this process started, since when their numbers count.
    pub(crate) fn tell_starts(&self, starts: Starts) {
        self.0.families.lock().epoch.tell(starts);
        self.0.stale.store(true, Ordering::Release);
    }

    /// This moment, for [`Since::Moment`].
    pub(crate) fn moment(&self) -> Birth {
        self.0.families.lock().epoch.birth()
    }

    /// Changes many series; whoever reads [whole](Self::whole) sees all of it or nothing.
    pub(crate) fn change<T>(&self, change: impl FnOnce() -> T) -> T {
        let _alone = self.0.changing.write();
        change()
    }

    /// Reads what exists, values and all, while nobody [changes](Self::change) it. Not from within itself.
    pub(crate) fn whole<T>(&self, read: impl FnOnce(&Arc<Snapshot>) -> T) -> T {
        let _together = self.0.changing.read();
        read(&self.snapshot())
    }

    /// Says that values changed, so that a page made before is no longer the newest.
    pub fn touch(&self) {
        self.0.generation.fetch_add(1, Ordering::Release);
    }

    /// Counts up with every [`Store::touch`].
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::Acquire)
    }

    /// What exists now. Without change since the last call this is one atomic read.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        if self.0.stale.load(Ordering::Acquire) {
            let mut families = self.0.families.lock();
            // Cleared before building and under the lock: whoever changes something after us sets it again.
            self.0.stale.store(false, Ordering::Release);
            let snapshot = Arc::new(Snapshot { families: families.freeze(), epoch: families.epoch });
            #[expect(clippy::cast_precision_loss, reason = "far below 2^53 series")]
            self.0.size.set(snapshot.series() as f64);
            self.0.snapshot.store(snapshot);
        }
        self.0.snapshot.load_full()
    }

    /// Gives the store for as long as somebody else holds it.
    #[cfg(feature = "otlp")]
    pub(super) fn weak(&self) -> impl Fn() -> Option<Self> + use<> {
        let weak = Arc::downgrade(&self.0);
        move || weak.upgrade().map(Self)
    }

    fn series(&self, definition: &'static Definition, labels: Labels, empty: Empty<'_>) -> Arc<Series> {
        self.series_since(definition, labels, empty, Since::Unknown)
    }

    fn series_since(
        &self,
        definition: &'static Definition,
        labels: Labels,
        empty: Empty<'_>,
        since: Since,
    ) -> Arc<Series> {
        let mut families = self.0.families.lock();
        if families.count >= self.0.limit && !families.has(definition, &labels) {
            self.0.dropped.increment();
            return Series::new(empty(definition), families.epoch.birth());
        }
        let series = families.make(definition, labels, empty, since);
        self.0.stale.store(true, Ordering::Release);
        series
    }

    fn release(&self, made: &[(&'static Definition, Arc<Series>)]) {
        let mut families = self.0.families.lock();
        for (definition, series) in made {
            families.release(definition, series);
        }
        self.0.stale.store(true, Ordering::Release);
        self.touch();
    }
}

impl Families {
    fn has(&self, definition: &'static Definition, labels: &Labels) -> bool {
        self.by_name.get(definition.name).is_some_and(|master| master.find(labels).is_some())
    }

    fn make(
        &mut self,
        definition: &'static Definition,
        labels: Labels,
        empty: Empty<'_>,
        since: Since,
    ) -> Arc<Series> {
        let master = self.by_name.entry(definition.name).or_insert_with(|| Master {
            family: Arc::new(Family::empty(&Arc::new(Shape::new(definition)))),
            made: BTreeMap::new(),
            gone: 0,
        });
        let series = match master.find(&labels) {
            Some(known) => Arc::clone(known),
            None => {
                let new = Series::new(empty(definition), self.epoch.birth_since(since));
                self.count += 1;
                master.made.insert(labels, Arc::clone(&new));
                new
            }
        };
        series.owners.fetch_add(1, Ordering::Relaxed);
        master.settle_what_is_much();
        series
    }

    /// Gives up one ownership of `series`; the last one takes it off the page.
    fn release(&mut self, definition: &'static Definition, series: &Arc<Series>) {
        let Some(master) = self.by_name.get_mut(definition.name) else { return };
        // One that was refused never had an owner.
        if series.is_owned() && series.owners.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.count -= 1;
            master.gone += 1;
            master.settle_what_is_much();
        }
    }

    fn freeze(&mut self) -> Vec<Arc<Family>> {
        let mut frozen = Vec::with_capacity(self.by_name.len());
        for master in self.by_name.values_mut() {
            master.settle();
            if !master.family.series.is_empty() {
                frozen.push(Arc::clone(&master.family));
            }
        }
        frozen
    }
}

impl Master {
    /// The series of these labels, if somebody owns it.
    fn find(&self, labels: &Labels) -> Option<&Arc<Series>> {
        let known = self.made.get(labels).or_else(|| self.family.find(labels));
        known.filter(|series| series.is_owned())
    }

    /// Takes what came and went into the family.
    fn settle(&mut self) {
        if !self.made.is_empty() || self.gone > 0 {
            self.family = Arc::new(self.family.with(&self.made));
            self.made.clear();
            self.gone = 0;
        }
    }

    /// Does it before somebody reads: in the family a series takes a third of the memory that it takes beside it.
    fn settle_what_is_much(&mut self) {
        if self.made.len() + self.gone > FEW + self.family.series.len() / 8 {
            self.settle();
        }
    }
}

/// How a series begins.
type Empty<'a> = &'a dyn Fn(&Definition) -> Value;

fn empty(definition: &Definition) -> Value {
    match definition.instrument {
        Instrument::Counter => Value::Integer(AtomicU64::new(0)),
        Instrument::Gauge | Instrument::UpDownCounter => Value::float(),
        Instrument::Histogram(bounds) => Value::Histogram(Box::new(Buckets::new(bounds))),
    }
}

#[cfg(test)]
mod tests;

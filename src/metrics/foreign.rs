//! Registries of the crate `prometheus` whose metrics join the page: those of a program that has such metrics already.
//!
//! Their collectors are code of others. Each registry is gathered on a thread of its own, while our own part of the page
//! is made, and a page waits for it a little: one that panics or hangs costs the page only its own metrics. A family is
//! left out where one of its sample names is on the page already, because a page with a series twice is refused as a
//! whole, and where it is not a valid name at all. Writing is left to that crate's own encoder, which costs twenty times
//! what ours does; what it writes is rewritten line by line for OpenMetrics.

mod openmetrics;

#[cfg(any(test, fuzzing))]
pub(super) use openmetrics::rewrite;

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use prometheus::proto::{MetricFamily, MetricType};
use prometheus::{Encoder, Registry, TextEncoder};
use tracing::warn;

use super::alias::Alias;
use super::format::Format;
use super::names::prometheus_name;
use super::openmetrics::counter_family;
use super::page::PAGE_AGE;
use super::series::Counter;
use super::snapshot::Snapshot;
use super::store::{SERIES_DROPPED, Store};
use crate::model::Instrument;
use crate::supervisor;

/// How long a page waits for all registries together; without theirs, a page is there soon.
const PATIENCE: Duration = Duration::from_millis(100);

/// What joined one store.
#[derive(Default)]
pub(super) struct Foreign(Mutex<Inner>);

struct Inner {
    joined: Vec<Joined>,
    /// When they were asked for the next page.
    asked: Option<Instant>,
    patience: Duration,
    /// Our own names, and the snapshot that they are of.
    ours: (Arc<Snapshot>, HashSet<String>),
}

/// One registry.
struct Joined {
    gatherer: Gatherer,
    /// It panicked or hung the last time, which was told.
    failing: bool,
    /// What was told and counted before: names of families that are left out.
    refused: HashSet<String>,
    /// How many series it had when it last answered.
    series: u64,
    dropped: Dropped,
}

/// The thread that gathers a registry.
struct Gatherer {
    orders: Sender<()>,
    /// `None` where a collector panicked.
    answers: Receiver<Option<Vec<MetricFamily>>>,
    /// An order was not answered yet.
    busy: bool,
}

struct Dropped {
    invalid_name: Counter,
    name_clash: Counter,
    panic: Counter,
    timeout: Counter,
}

impl Default for Inner {
    fn default() -> Self {
        Self { joined: Vec::new(), asked: None, patience: PATIENCE, ours: Default::default() }
    }
}

impl Foreign {
    pub(super) fn join(&self, store: &Store, registry: &Registry) -> io::Result<()> {
        let ((orders, inbox), (outbox, answers)) = (channel::<()>(), channel());
        let registry = registry.clone();
        supervisor::thread("vitalsign-join", move || {
            while inbox.recv().is_ok() {
                // A collector that panicked is asked again: whether it is fit for that is its author's decision.
                let gathered = catch_unwind(AssertUnwindSafe(|| registry.gather())).ok();
                if outbox.send(gathered).is_err() {
                    return;
                }
            }
        })?;
        let gatherer = Gatherer { orders, answers, busy: false };
        let dropped = |reason| store.counter(&SERIES_DROPPED, &[reason]);
        let dropped = Dropped {
            invalid_name: dropped("invalid_name"),
            name_clash: dropped("name_clash"),
            panic: dropped("panic"),
            timeout: dropped("timeout"),
        };
        let (failing, refused, series) = (false, HashSet::new(), 0);
        self.0.lock().joined.push(Joined { gatherer, failing, refused, series, dropped });
        Ok(())
    }

    /// Has the registries gathered for the page that comes next.
    pub(super) fn ask(&self) {
        let mut inner = self.0.lock();
        if inner.joined.is_empty() {
            return;
        }
        inner.asked = Some(Instant::now());
        for joined in &mut inner.joined {
            joined.gatherer.order();
        }
    }

    /// Writes what joined at the end of `out`, which holds our own page.
    pub(super) fn render(
        &self,
        snapshot: &Arc<Snapshot>,
        aliases: &[Alias],
        format: Format,
        out: &mut Vec<u8>,
    ) {
        let mut inner = self.0.lock();
        let Inner { joined, asked, patience, ours } = &mut *inner;
        if joined.is_empty() {
            return;
        }
        if !Arc::ptr_eq(&ours.0, snapshot) {
            *ours = (Arc::clone(snapshot), own_names(snapshot, aliases));
        }
        let until = asked.unwrap_or_else(Instant::now) + *patience;
        let mut page = Page { format, ours: &ours.1, theirs: HashSet::new(), out };
        for joined in joined {
            let families = joined.answer(until);
            if !joined.failing {
                joined.series = 0;
            }
            for family in families {
                joined.write(&family, &mut page);
            }
        }
    }
}

impl Gatherer {
    fn order(&mut self) {
        // What was gathered for an earlier page is old by now.
        if self.busy && self.answers.try_recv().is_ok() {
            self.busy = false;
        }
        if !self.busy {
            self.busy = self.orders.send(()).is_ok();
        }
    }

    /// What was gathered; `None` within where a collector panicked.
    fn answer(&mut self, until: Instant) -> Result<Option<Vec<MetricFamily>>, RecvTimeoutError> {
        let answer = self.answers.recv_timeout(until.saturating_duration_since(Instant::now()));
        self.busy = answer.is_err();
        answer
    }
}

impl Joined {
    fn answer(&mut self, until: Instant) -> Vec<MetricFamily> {
        let (counter, what) = match self.gatherer.answer(until) {
            Ok(Some(families)) => {
                self.failing = false;
                return families;
            }
            Ok(None) => (&self.dropped.panic, "panicked"),
            Err(_) => (&self.dropped.timeout, "does not answer in time"),
        };
        counter.add(self.series.max(1));
        if !self.failing {
            warn!("a registry that joined the page {what}: its metrics are left out until it is back");
        }
        self.failing = true;
        Vec::new()
    }

    fn write(&mut self, family: &MetricFamily, page: &mut Page<'_>) {
        self.series += family.get_metric().len() as u64;
        let names = sample_names(family.name(), parts(family.get_field_type()));
        if !is_valid(family) {
            self.refuse(family, "its name or one of its labels is not one", |dropped| &dropped.invalid_name);
        } else if names.iter().any(|name| page.has(name)) {
            self.refuse(family, "another metric has its name", |dropped| &dropped.name_clash);
        } else {
            page.theirs.extend(names);
            page.write(family);
            self.refused.remove(family.name());
        }
    }

    /// Tells once, and counts once, that a family is left out from now on.
    fn refuse(&mut self, family: &MetricFamily, why: &str, counter: impl Fn(&Dropped) -> &Counter) {
        if self.refused.insert(family.name().to_owned()) {
            warn!(metric = family.name(), "a metric of a registry that joined is left out: {why}");
            counter(&self.dropped).add(family.get_metric().len() as u64);
        }
    }
}

/// A page while families join it.
struct Page<'a> {
    format: Format,
    /// The names that our own part of it has.
    ours: &'a HashSet<String>,
    /// The names that joined.
    theirs: HashSet<String>,
    out: &'a mut Vec<u8>,
}

impl Page<'_> {
    fn has(&self, name: &str) -> bool {
        self.ours.contains(name) || self.theirs.contains(name)
    }

    fn write(&mut self, family: &MetricFamily) {
        let name = family.name();
        // In OpenMetrics a counter's family has a name of its own. Where that is taken, or where the counter's name has
        // not the ending that it must have there, it is shown as a number of unknown type, and called as in the text.
        let stem = counter_family(name);
        let counter = family.get_field_type() == MetricType::COUNTER && stem != name && !self.has(stem);
        if counter {
            self.theirs.insert(stem.to_owned());
        }
        let start = self.out.len();
        if TextEncoder::new().encode(std::slice::from_ref(family), self.out).is_err() {
            self.out.truncate(start);
        } else if self.format == Format::OpenMetrics {
            let text = self.out.split_off(start);
            openmetrics::rewrite(&String::from_utf8_lossy(&text), name, counter, self.out);
        }
    }
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} registries", self.0.lock().joined.len())
    }
}

/// The name of every sample that our own page can have, and of every family.
fn own_names(snapshot: &Snapshot, aliases: &[Alias]) -> HashSet<String> {
    let names = |definition: &crate::model::Definition| {
        let parts = match definition.instrument {
            Instrument::Histogram(_) => parts(MetricType::HISTOGRAM),
            _ => &[],
        };
        let name = prometheus_name(definition);
        let mut names = sample_names(&name, parts);
        if definition.instrument == Instrument::Counter {
            names.push(counter_family(&name).to_owned());
        }
        names
    };
    let aliases = aliases.iter().map(|alias| alias.shape.definition);
    let others = aliases.chain([&PAGE_AGE]);
    snapshot.definitions().chain(others).flat_map(names).collect()
}

/// What the samples of a type have behind the name.
fn parts(kind: MetricType) -> &'static [&'static str] {
    match kind {
        MetricType::HISTOGRAM => &["_bucket", "_sum", "_count"],
        MetricType::SUMMARY => &["_sum", "_count"],
        _ => &[],
    }
}

fn sample_names(name: &str, parts: &[&str]) -> Vec<String> {
    let whole = [name.to_owned()].into_iter();
    whole.chain(parts.iter().map(|part| format!("{name}{part}"))).collect()
}

fn is_valid(family: &MetricFamily) -> bool {
    let valid = |name: &str, colon: bool| {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colon && c == ':');
        name.chars().all(fits) && !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())
    };
    let mut labels = family.get_metric().iter().flat_map(prometheus::proto::Metric::get_label);
    valid(family.name(), true) && labels.all(|label| valid(label.name(), false))
}

#[cfg(test)]
mod tests;

//! The board: every check with its verdict, every group, and where the process is in its life.
//!
//! The list of checks is replaced whole when it changes; readers load it and never wait.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::metrics::{Gauge, Store};
use crate::model::{Name, State};

use super::entry::{Entry, Judged, Registration};
use super::group::{self, GROUP_HEALTH, GROUP_LIVE, GROUP_READY, GROUP_STARTUP, GroupView};
use super::lines::Lines;
use super::metrics::{CHECKS, CheckMetrics, GroupMetrics};
use super::pulse::Pulse;
use super::tracker::Tracker;

/// Everything that readers may know. Cheap to clone; every clone is the same board.
#[derive(Clone, Debug)]
pub struct Board(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    roster: ArcSwap<Roster>,
    /// Taken by whoever changes the roster.
    changing: Mutex<()>,
    answered: AtomicBool,
    draining: AtomicBool,
    started_up: AtomicBool,
    /// Whether it is a fault that there are no checks.
    checks_required: AtomicBool,
    /// How many checks there are.
    count: Gauge,
    pulse: Pulse,
    /// Told of what [`Board::log_changes`] may have something to say about.
    changed: Notify,
    lines: Lines,
    started: Instant,
    started_at: SystemTime,
}

#[derive(Debug, Default)]
struct Roster {
    entries: BTreeMap<Name, Arc<Entry>>,
    groups: BTreeMap<Name, Group>,
}

#[derive(Clone, Debug)]
struct Group {
    members: Vec<Arc<Entry>>,
    metrics: Arc<GroupMetrics>,
    /// The state that the log knows of.
    logged: Arc<AtomicU8>,
}

impl Group {
    /// Its members and how they stand at `now`.
    fn states(&self, now: Instant) -> impl Iterator<Item = (&Entry, State)> {
        self.members.iter().map(move |entry| (&**entry, entry.state(now)))
    }
}

/// Beyond every state: the log knows of none.
const UNLOGGED: u8 = u8::MAX;

/// A check of this name is on the board already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuplicateName(pub Name);

impl std::fmt::Display for DuplicateName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a check called {:?} exists already: give each check a name of its own", self.0.as_str())
    }
}

impl std::error::Error for DuplicateName {}

impl Board {
    /// An empty board that fills its metrics into `store`.
    #[must_use]
    pub fn new(store: Store) -> Self {
        let roster = Roster::default().with_groups(&store, &Roster::default());
        let count = store.gauge(&CHECKS, &[]);
        count.set(0.0);
        Self(Arc::new(Inner {
            store,
            roster: ArcSwap::from_pointee(roster),
            changing: Mutex::new(()),
            answered: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            started_up: AtomicBool::new(false),
            checks_required: AtomicBool::new(false),
            count,
            pulse: Pulse::default(),
            changed: Notify::new(),
            lines: Lines::default(),
            started: Instant::now(),
            started_at: SystemTime::now(),
        }))
    }

    /// Puts checks on the board; each gets the one tracker that may write its verdicts, in the same order.
    ///
    /// # Errors
    /// [`DuplicateName`] where a name is taken; nothing is added then.
    pub fn add(&self, registrations: Vec<Registration>) -> Result<Vec<Tracker>, DuplicateName> {
        let _changing = self.0.changing.lock();
        let mut entries = self.0.roster.load().entries.clone();
        let mut added = Vec::with_capacity(registrations.len());
        for registration in registrations {
            if entries.contains_key(&registration.name) {
                return Err(DuplicateName(registration.name));
            }
            let metrics = CheckMetrics::new(&self.0.store, &registration);
            let entry = Arc::new(Entry::new(registration, metrics));
            entries.insert(entry.name.clone(), Arc::clone(&entry));
            added.push(entry);
        }
        self.replace(entries);
        Ok(added.into_iter().map(|entry| Tracker::new(self.clone(), entry)).collect())
    }

    /// Takes checks off the board, with their series.
    pub fn remove(&self, names: &[Name]) {
        let _changing = self.0.changing.lock();
        let mut entries = self.0.roster.load().entries.clone();
        entries.retain(|name, _| !names.contains(name));
        self.replace(entries);
    }

    fn replace(&self, entries: BTreeMap<Name, Arc<Entry>>) {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53 checks")]
        self.0.count.set(entries.len() as f64);
        let before = self.0.roster.load();
        let roster = Roster { entries, groups: BTreeMap::new() }.with_groups(&self.0.store, &before);
        self.0.roster.store(Arc::new(roster));
        self.0.store.touch();
        self.0.changed.notify_one();
    }

    /// From now on the process is going down: `ready` says so and nothing turns that back.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
        self.0.store.touch();
        self.0.changed.notify_one();
    }

    /// From now on it is a fault that there are no checks: a process that watches nothing would look well whatever
    /// happens. Otherwise groups only say so.
    pub fn require_checks(&self) {
        self.0.checks_required.store(true, Ordering::Relaxed);
        self.0.store.touch();
        self.0.changed.notify_one();
    }

    /// The sign of life that the runner's runtime gives and `live` reads.
    #[must_use]
    pub fn pulse(&self) -> &Pulse {
        &self.0.pulse
    }

    /// How long the process has been up, in seconds.
    #[must_use]
    pub fn uptime(&self, now: Instant) -> f64 {
        now.saturating_duration_since(self.0.started).as_secs_f64()
    }

    /// When the process started.
    #[must_use]
    pub fn started_at(&self) -> SystemTime {
        self.0.started_at
    }

    /// Lets `who` say one line of itself beside the checks of `health`, to operators; no state follows from it.
    pub fn tell(&self, who: &'static str, line: impl Fn() -> String + Send + Sync + 'static) {
        self.0.lines.add(who, line);
    }

    /// The names of all groups.
    #[must_use]
    pub fn groups(&self) -> Vec<Name> {
        self.0.roster.load().groups.keys().cloned().collect()
    }

    /// The check called `name`, as of `now`.
    #[must_use]
    pub fn check(&self, name: &str, now: Instant) -> Option<Judged> {
        self.0.roster.load().entries.get(name).map(|entry| entry.judge(now))
    }

    /// The group called `name`, as of `now`; none where there is no such group.
    #[must_use]
    pub fn group(&self, name: &str, now: Instant) -> Option<GroupView> {
        let roster = self.0.roster.load();
        let members = &roster.groups.get(name)?.members;
        // Judged once: the group and its checks must tell of the same moment, whatever is recorded meanwhile.
        let checks: Vec<Judged> = members.iter().map(|entry| entry.judge(now)).collect();
        let states = checks.iter().map(|judged| (&*judged.entry, judged.state));
        let (state, because) = self.group_state(&roster, name, states, now);
        let message = because.map(str::to_owned).or_else(|| group::explain(name, state, &checks));
        let details = if name == GROUP_HEALTH { self.0.lines.all() } else { Vec::new() };
        Some(GroupView { group: name.to_owned(), state, message, checks, details })
    }

    /// The state of a group, with the reason where that lies in the life of the process and not in a check.
    fn group_state<'e>(
        &self,
        roster: &Roster,
        name: &str,
        states: impl Iterator<Item = (&'e Entry, State)>,
        now: Instant,
    ) -> (State, Option<&'static str>) {
        let inner = &self.0;
        match name {
            GROUP_LIVE if inner.pulse.is_stalled(now) => return (State::Unhealthy, Some("runtime stalled")),
            GROUP_LIVE => return (group::aggregate(name, states), None),
            GROUP_READY if inner.draining.load(Ordering::Relaxed) => {
                return (State::Unhealthy, Some("draining"));
            }
            GROUP_STARTUP if inner.started_up.load(Ordering::Relaxed) => return (State::Healthy, None),
            _ => {}
        }
        if roster.entries.is_empty() {
            // Nothing has passed: whoever adds checks later has them counted from the start.
            return group::without_checks(name, inner.checks_required.load(Ordering::Relaxed));
        }
        if !inner.answered.load(Ordering::Relaxed) {
            return (State::Unhealthy, Some("no check has answered yet"));
        }
        let state = group::aggregate(name, states);
        if name == GROUP_STARTUP && state == State::Healthy {
            inner.started_up.store(true, Ordering::Relaxed);
        }
        (state, None)
    }

    /// Brings the metrics that depend on the time of reading up to date; says when a verdict will next be too old.
    pub fn refresh_metrics(&self, now: Instant) -> Option<Instant> {
        let roster = self.0.roster.load();
        for entry in roster.entries.values() {
            entry.metrics.publish_state(entry.state(now), entry.has_verdict());
        }
        for (name, group) in &roster.groups {
            let (state, _) = self.group_state(&roster, name.as_str(), group.states(now), now);
            group.metrics.publish(state);
        }
        roster.next_expiry(now)
    }

    /// Waits until there may be something to log; at once where there was since the last time.
    pub(crate) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// Logs what changed since the last look and no outcome told of: verdicts that grew too old, and groups. Says when a
    /// verdict will next be too old: of that nobody tells.
    pub fn log_changes(&self, now: Instant) -> Option<Instant> {
        let roster = self.0.roster.load();
        for entry in roster.entries.values() {
            let stale = entry.has_verdict() && entry.state(now) == State::Unknown;
            if entry.was_stale.swap(stale, Ordering::Relaxed) != stale {
                let check = entry.name.as_str();
                if stale {
                    warn!(check, kind = entry.kind, to = "unknown", reason = "stale", "check state changed");
                } else {
                    info!(check, kind = entry.kind, from = "unknown", "check answers again");
                }
            }
        }
        if !roster.entries.is_empty() && !self.0.answered.load(Ordering::Relaxed) {
            // That nothing has answered yet is how every start looks.
            return None;
        }
        for (name, group) in &roster.groups {
            let (state, _) = self.group_state(&roster, name.as_str(), group.states(now), now);
            let before = group.logged.swap(state as u8, Ordering::Relaxed);
            if before == state as u8 {
                continue;
            }
            let from = State::ALL.get(usize::from(before)).map_or("starting", |state| state.as_str());
            let (group, to) = (name.as_str(), state.as_str());
            let message = self.group(group, now).and_then(|view| view.message);
            match message.filter(|_| to != State::Healthy.as_str()) {
                Some(error) => warn!(group, from, to, error, "group state changed"),
                None => info!(group, from, to, "group state changed"),
            }
        }
        roster.next_expiry(now)
    }

    /// Takes in that a check has a new verdict; `changed` says whether that may move a group.
    pub(super) fn answered(&self, changed: bool) {
        let first = !self.0.answered.swap(true, Ordering::Relaxed);
        self.0.store.touch();
        if first || changed {
            self.0.changed.notify_one();
        }
    }
}

impl Roster {
    /// When the next verdict will be too old.
    fn next_expiry(&self, now: Instant) -> Option<Instant> {
        self.entries.values().filter_map(|entry| entry.expires(now)).min()
    }

    /// Derives the groups from what the entries say; the groups that always exist may be empty. A group that was there
    /// before keeps its series and what the log knows of it.
    fn with_groups(mut self, store: &Store, before: &Self) -> Self {
        let make = |name: &Name| {
            let known = before.groups.get(name);
            Group {
                members: Vec::new(),
                metrics: known.map_or_else(
                    || Arc::new(GroupMetrics::new(store, name)),
                    |known| Arc::clone(&known.metrics),
                ),
                logged: known
                    .map_or_else(|| Arc::new(AtomicU8::new(UNLOGGED)), |known| Arc::clone(&known.logged)),
            }
        };
        for name in group::RESERVED_GROUPS.into_iter().filter_map(|name| Name::new(name).ok()) {
            let group = make(&name);
            self.groups.insert(name, group);
        }
        for entry in self.entries.values() {
            for name in &entry.groups {
                self.groups.entry(name.clone()).or_insert_with(|| make(name)).members.push(Arc::clone(entry));
            }
        }
        self
    }
}

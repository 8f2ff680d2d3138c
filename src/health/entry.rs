//! One check on the board: what is fixed about it, and its latest verdict as an immutable value.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use tokio::time::Instant;

use crate::model::{Cause, Criticality, Detail, Name, Phase, Policy, Reason, State};

use super::group::{GROUP_HEALTH, GROUP_READY, GROUP_STARTUP};
use super::metrics::CheckMetrics;

/// What the board needs to know of a check that is to be watched.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The name.
    pub name: Name,
    /// The kind, as in the configuration.
    pub kind: &'static str,
    /// What sort of thing it looks at.
    pub component: Component,
    /// How it is judged.
    pub policy: Policy,
    /// What it looks at, for `healthcheck.info`: address, port, database system, messaging system.
    pub target: [Option<String>; 4],
}

/// What sort of thing a check looks at, in the words of the health+json draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    /// Something that keeps data.
    Datastore,
    /// This machine or process.
    System,
    /// Anything else.
    Component,
}

impl Component {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Datastore => "datastore",
            Self::System => "system",
            Self::Component => "component",
        }
    }
}

/// One check on the board.
#[derive(Debug)]
pub struct Entry {
    /// The name.
    pub name: Name,
    /// The kind, as in the configuration.
    pub kind: &'static str,
    /// What sort of thing it looks at.
    pub component: Component,
    /// How it is judged.
    pub policy: Policy,
    /// What it looks at: host and port, for those who may see it.
    pub target: Option<String>,
    pub(super) groups: Vec<Name>,
    pub(super) metrics: CheckMetrics,
    /// Whether the log says that the verdict is too old.
    pub(super) was_stale: AtomicBool,
    standing: ArcSwapOption<Standing>,
    passed_once: AtomicBool,
}

/// The latest verdict on a check. Immutable: the next one replaces it whole.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The state, after thresholds and hysteresis.
    pub state: State,
    /// Whether the last run was worse than the state says.
    pub suspect: bool,
    /// Failed runs in a row.
    pub consecutive_failures: u32,
    /// Why the last bad run was bad; kept until the check is healthy again.
    pub failing: Option<Failing>,
    /// How long the last run took.
    pub latency: Duration,
    /// The phases of the last run.
    pub phases: Vec<(Phase, Duration)>,
    /// What the last run measured.
    pub measurements: Vec<(Name, f64)>,
    /// Further facts of the last run.
    pub details: Vec<(Cow<'static, str>, Detail)>,
    /// When this verdict was made, for people.
    pub checked_at: SystemTime,
    /// When this verdict was made, for judging its age.
    pub judged_at: Instant,
    /// Since when the state holds.
    pub since: SystemTime,
    /// Until when the circuit breaker lets no run through, where it is open.
    pub open_until: Option<Instant>,
}

/// Why a run was bad.
#[derive(Clone, Debug)]
pub struct Failing {
    /// The class.
    pub reason: Reason,
    /// What went wrong within the class, where that is known.
    pub cause: Option<Cause>,
    /// The phase of the run in which it went wrong; none for a limit on a measurement.
    pub phase: Option<Phase>,
    /// The sentence: the check's own, or that of the cause or the reason.
    pub message: Cow<'static, str>,
}

/// What of a bad run is out of closed sets: two runs with the same one failed alike.
pub(super) type FailureKey = (Reason, Option<Cause>, Option<Phase>);

impl Failing {
    pub(super) fn key(&self) -> FailureKey {
        (self.reason, self.cause, self.phase)
    }
}

/// A check as a reader sees it at one moment.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The check.
    pub entry: Arc<Entry>,
    /// Its latest verdict; none before the first.
    pub standing: Option<Arc<Standing>>,
    /// The state now: unknown without a verdict or with one that is too old.
    pub state: State,
    /// How old the verdict is.
    pub age: Option<Duration>,
}

impl Entry {
    pub(super) fn new(registration: Registration, metrics: CheckMetrics) -> Self {
        let Registration { name, kind, component, policy, target } = registration;
        let mut groups = policy.groups.clone();
        let critical = policy.criticality == Criticality::Critical;
        let implied = [(GROUP_HEALTH, true), (GROUP_READY, critical), (GROUP_STARTUP, critical)];
        for group in
            implied.into_iter().filter_map(|(group, holds)| holds.then(|| Name::new(group).ok()).flatten())
        {
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        let target = match target {
            [Some(address), Some(port), ..] => Some(format!("{address}:{port}")),
            [address, ..] => address,
        };
        Self {
            name,
            kind,
            component,
            policy,
            target,
            groups,
            metrics,
            was_stale: AtomicBool::new(false),
            standing: ArcSwapOption::empty(),
            passed_once: AtomicBool::new(false),
        }
    }

    /// Whether the check has passed at least once in the life of this process.
    #[must_use]
    pub fn passed_once(&self) -> bool {
        self.passed_once.load(Ordering::Relaxed)
    }

    /// Takes in a verdict. Says whether it is the first good one, or comes after one that was too old.
    pub(super) fn stand(&self, standing: Standing, passed: bool) -> bool {
        let first = passed && !self.passed_once.swap(true, Ordering::Relaxed);
        self.standing.store(Some(Arc::new(standing)));
        first || self.was_stale.load(Ordering::Relaxed)
    }

    pub(super) fn standing(&self) -> Option<Arc<Standing>> {
        self.standing.load_full()
    }

    pub(super) fn has_verdict(&self) -> bool {
        self.standing.load().is_some()
    }

    /// The state at `now` without taking the whole view: unknown without a verdict or with one that is too old.
    pub(super) fn state(&self, now: Instant) -> State {
        self.standing.load().as_ref().map_or(State::Unknown, |standing| {
            if now.saturating_duration_since(standing.judged_at) > self.policy.max_age() {
                State::Unknown
            } else {
                standing.state
            }
        })
    }

    /// When the present verdict will be too old; none without one or where it already is.
    pub(super) fn expires(&self, now: Instant) -> Option<Instant> {
        let expiry = self.standing.load().as_ref()?.judged_at + self.policy.max_age();
        (expiry >= now).then_some(expiry)
    }

    pub(super) fn judge(self: &Arc<Self>, now: Instant) -> Judged {
        let standing = self.standing();
        let age = standing.as_ref().map(|standing| now.saturating_duration_since(standing.judged_at));
        let state = match (&standing, age) {
            (Some(standing), Some(age)) if age <= self.policy.max_age() => standing.state,
            _ => State::Unknown,
        };
        Judged { entry: Arc::clone(self), standing, state, age }
    }
}

impl Judged {
    /// Whether there is a verdict that is too old to stand.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.state == State::Unknown && self.standing.is_some()
    }
}

//! How a check is run and judged, apart from what it asks.

use std::time::Duration;

use super::{Criticality, LONGEST, Name, Reason};

/// What checks that were registered in code have for a kind.
pub const FUNCTION: &str = "function";
/// How often a check runs unless it says otherwise.
pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(15);
/// How long a run may take unless the check says otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// How a check is run and judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Time from one planned run to the next.
    pub interval: Duration,
    /// How long one run may take; below `interval`.
    pub timeout: Duration,
    /// How many worse runs in a row move the state.
    pub fail_after: u32,
    /// How many better runs in a row move it back.
    pub recover_after: u32,
    /// How far the check may pull down its groups.
    pub criticality: Criticality,
    /// Groups named in the configuration, beside the ones that follow from the criticality.
    pub groups: Vec<Name>,
    /// Whether a circuit breaker spares a dependency that is down.
    pub breaker: bool,
    /// A run that took longer than this is a warning.
    pub warn_slower_than: Option<Duration>,
    /// Limits on measurements.
    pub thresholds: Vec<Threshold>,
    /// The availability objective, as a ratio.
    pub objective: f64,
    /// What suffers when this check fails, for people: endpoints, features.
    pub affects: Vec<String>,
    /// Where the instructions for a failure are.
    pub runbook: Option<String>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            interval: DEFAULT_INTERVAL,
            timeout: DEFAULT_TIMEOUT,
            fail_after: 3,
            recover_after: 2,
            criticality: Criticality::default(),
            groups: Vec::new(),
            breaker: true,
            warn_slower_than: None,
            thresholds: Vec::new(),
            objective: 0.99,
            affects: Vec::new(),
            runbook: None,
        }
    }
}

impl Policy {
    /// How old a verdict may be before it is `unknown`: the larger of three intervals and interval + timeout + 1 s.
    #[must_use]
    pub fn max_age(&self) -> Duration {
        const SLACK: Duration = Duration::from_secs(1);
        let (interval, timeout) = (self.interval.min(LONGEST), self.timeout.min(LONGEST));
        (interval * 3).max(interval + timeout + SLACK)
    }

    /// The reasons for which a run that its check lets pass can fail by this policy.
    pub fn reasons(&self) -> impl Iterator<Item = Reason> + use<> {
        let limits = !self.thresholds.is_empty();
        let fails = self.thresholds.iter().any(|threshold| threshold.fail.is_some());
        // A limit on a number that the answer does not have fails as content that is not the expected one.
        let reasons = [(fails, Reason::Threshold), (limits, Reason::UnexpectedBody)];
        reasons.into_iter().filter_map(|(can, reason)| can.then_some(reason))
    }
}

/// Limits on one measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// The measurement.
    pub measurement: Name,
    /// On which side trouble lies.
    pub bound: Bound,
    /// Beyond this the check is degraded.
    pub warn: Option<Limit>,
    /// Beyond this the run fails.
    pub fail: Option<Limit>,
    /// How long the value must stay beyond a limit before it counts.
    pub lasting: Duration,
}

/// On which side of a limit trouble lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Trouble is at or above the limit.
    Upper,
    /// Trouble is at or below the limit.
    Lower,
}

impl Bound {
    /// The label value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upper => "upper",
            Self::Lower => "lower",
        }
    }

    /// Whether `a` is further on the side of trouble than `b`.
    #[must_use]
    pub fn is_worse(self, a: f64, b: f64) -> bool {
        match self {
            Self::Upper => a > b,
            Self::Lower => a < b,
        }
    }

    /// Where trouble lies from a limit, for sentences: above or below it.
    #[must_use]
    pub const fn beyond(self) -> &'static str {
        match self {
            Self::Upper => "above",
            Self::Lower => "below",
        }
    }
}

/// Where trouble begins and where it ends, so that a value that hovers around one limit does not flap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// Reaching this is trouble.
    pub enter: f64,
    /// Trouble ends on the good side of this.
    pub leave: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_policy_overflows() {
        let endless = Policy { interval: Duration::MAX, timeout: Duration::MAX, ..Policy::default() };
        assert_eq!(endless.max_age(), LONGEST * 3);
    }
}

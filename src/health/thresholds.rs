//! Limits on measurements: when a value counts as too much, with a gap between entering and leaving trouble and, where
//! asked for, only after it lasted. A state machine a threshold; time comes in from outside.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::{Bound, Limit, State, Threshold};

/// What a threshold says of one value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Finding {
    /// Healthy, degraded (warn) or unhealthy (fail).
    pub(super) level: State,
    /// The public sentence, where the level is not healthy.
    pub(super) message: Option<String>,
    /// The value over the warn limit (or the limit over the value, for a lower bound).
    pub(super) warn_ratio: Option<f64>,
    /// The same for the fail limit.
    pub(super) fail_ratio: Option<f64>,
}

/// A threshold and whether its limits are breached.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    pub(super) threshold: Threshold,
    warn: Breach,
    fail: Breach,
}

#[derive(Clone, Copy, Debug, Default)]
struct Breach {
    /// Since when the value has been beyond the limit.
    since: Option<Instant>,
}

impl Breach {
    /// Takes in a value; says whether the limit counts as breached.
    fn holds(&mut self, value: f64, limit: Limit, bound: Bound, lasting: Duration, now: Instant) -> bool {
        let beyond = |edge: f64| match bound {
            Bound::Upper => value >= edge,
            Bound::Lower => value <= edge,
        };
        // Inside the gap between leave and enter a breach goes on but none begins.
        let goes_on = self.since.is_some() && beyond(limit.leave) && value != limit.leave;
        if beyond(limit.enter) || goes_on {
            now.duration_since(*self.since.get_or_insert(now)) >= lasting
        } else {
            self.since = None;
            false
        }
    }
}

impl Watched {
    pub(super) fn new(threshold: Threshold) -> Self {
        Self { threshold, warn: Breach::default(), fail: Breach::default() }
    }

    /// Takes in the value of one run.
    pub(super) fn judge(&mut self, value: f64, now: Instant) -> Finding {
        let Threshold { measurement, bound, warn, fail, lasting } = &self.threshold;
        let warned = warn.is_some_and(|limit| self.warn.holds(value, limit, *bound, *lasting, now));
        let failed = fail.is_some_and(|limit| self.fail.holds(value, limit, *bound, *lasting, now));
        let (level, breached) = match (failed, warned) {
            (true, _) => (State::Unhealthy, fail.map(|limit| ("fail", limit))),
            (false, true) => (State::Degraded, warn.map(|limit| ("warn", limit))),
            (false, false) => (State::Healthy, None),
        };
        Finding {
            level,
            message: breached
                .map(|(which, limit)| format!("{measurement} {}", breach(value, which, limit, *bound))),
            warn_ratio: warn.and_then(|limit| ratio(value, limit, *bound)),
            fail_ratio: fail.and_then(|limit| ratio(value, limit, *bound)),
        }
    }
}

/// Which limit a value breaches, and whether it does so now or has only not come far enough back.
fn breach(value: f64, which: &str, limit: Limit, bound: Bound) -> String {
    let (now, back, beyond) = match bound {
        Bound::Upper => ("over", "under", value >= limit.enter),
        Bound::Lower => ("under", "over", value <= limit.enter),
    };
    let (value, enter, leave) = (Short(value), Short(limit.enter), Short(limit.leave));
    if beyond {
        format!("{value} is {now} its {which} limit {enter}")
    } else {
        format!("{value} was {now} its {which} limit {enter} and is not back {back} {leave}")
    }
}

/// How near a value is to its limit: 1 and above is a breach. None where that is no number.
fn ratio(value: f64, limit: Limit, bound: Bound) -> Option<f64> {
    let ratio = match bound {
        Bound::Upper => value / limit.enter,
        Bound::Lower => limit.enter / value,
    };
    ratio.is_finite().then_some(ratio)
}

/// A number for people: four decimals at most.
struct Short(f64);

impl std::fmt::Display for Short {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", (self.0 * 10_000.0).round() / 10_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Name;

    fn watched(bound: Bound, warn: Limit, fail: Option<Limit>, lasting: u64) -> Watched {
        let measurement = Name::new("usage").unwrap();
        Watched::new(Threshold {
            measurement,
            bound,
            warn: Some(warn),
            fail,
            lasting: Duration::from_secs(lasting),
        })
    }

    #[test]
    fn trouble_begins_at_enter_and_ends_below_leave() {
        let fail = Limit { enter: 0.95, leave: 0.9 };
        let mut usage = watched(Bound::Upper, Limit { enter: 0.85, leave: 0.8 }, Some(fail), 0);
        let now = Instant::now();
        let levels: Vec<State> = [0.84, 0.85, 0.81, 0.8, 0.84, 0.96, 0.91, 0.89, 0.7]
            .iter()
            .map(|v| usage.judge(*v, now).level)
            .collect();
        use State::{Degraded as D, Healthy as H, Unhealthy as U};
        assert_eq!(levels, [H, D, D, H, H, U, U, D, H]);
    }

    #[test]
    fn a_lower_bound_is_the_mirror_image() {
        let mut free = watched(Bound::Lower, Limit { enter: 10.0, leave: 12.0 }, None, 0);
        let now = Instant::now();
        let finding = free.judge(10.0, now);
        assert_eq!(finding.level, State::Degraded);
        assert_eq!(finding.message.as_deref(), Some("usage 10 is under its warn limit 10"));
        let finding = free.judge(11.0, now);
        assert_eq!(finding.level, State::Degraded);
        let message = "usage 11 was under its warn limit 10 and is not back over 12";
        assert_eq!(finding.message.as_deref(), Some(message));
        assert_eq!(free.judge(12.0, now).level, State::Healthy);
        assert_eq!(free.judge(5.0, now).warn_ratio, Some(2.0));
        assert_eq!(free.judge(0.0, now).warn_ratio, None);
    }

    #[test]
    fn lasting_waits_and_starts_again_after_a_dip() {
        let mut usage = watched(Bound::Upper, Limit { enter: 2.0, leave: 1.0 }, None, 60);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(usage.judge(3.0, at(0)).level, State::Healthy);
        assert_eq!(usage.judge(3.0, at(59)).level, State::Healthy);
        assert_eq!(usage.judge(3.0, at(60)).level, State::Degraded);
        assert_eq!(usage.judge(0.5, at(61)).level, State::Healthy);
        assert_eq!(usage.judge(3.0, at(62)).level, State::Healthy);
    }
}

//! What a policy cannot be: the one place that says so, for checks out of a file and for checks made in code.
//!
//! Pure: who has a file adds the place, who has a check its name. The texts go with the name of the setting.

use std::fmt;
use std::time::Duration;

use super::{Bound, Limit, Name, Policy, Threshold};

/// The shortest interval.
pub const LEAST_INTERVAL: Duration = Duration::from_millis(100);
/// The longest duration: long enough for any certificate, short enough that adding a few never overflows.
pub const LONGEST: Duration = Duration::from_hours(100 * 366 * 24);

/// Something in a policy that a schedule cannot keep or a verdict cannot be made from.
#[derive(Clone, Debug, PartialEq)]
pub enum Flaw {
    /// Runs would follow each other too fast.
    IntervalTooShort,
    /// A duration is longer than [`LONGEST`]; with the name of the setting.
    TooLong(&'static str),
    /// A duration is zero; with the name of the setting.
    Zero(&'static str),
    /// The time limit is not below the interval.
    TimeoutNotBelowInterval,
    /// A number of runs is zero; with the name of the setting.
    NoRuns(&'static str),
    /// The objective is not between 0 and 1.
    Objective,
    /// A limit cannot be judged by.
    Limit(Name, LimitFlaw),
}

/// Something in the limits on one measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitFlaw {
    /// There is neither `warn` nor `fail`.
    None,
    /// A limit is not a finite number; with its level.
    NotANumber(&'static str),
    /// `leave` is on the bad side of `enter`; with the level.
    Leave(&'static str, Bound),
    /// `fail` is not beyond `warn`.
    Order(Bound),
}

impl Flaw {
    /// The setting that it is in: `interval`, `thresholds`.
    #[must_use]
    pub const fn setting(&self) -> &'static str {
        match self {
            Self::IntervalTooShort => "interval",
            Self::TimeoutNotBelowInterval => "timeout",
            Self::TooLong(setting) | Self::Zero(setting) | Self::NoRuns(setting) => setting,
            Self::Objective => "objective",
            Self::Limit(..) => "thresholds",
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IntervalTooShort => write!(f, "must be at least {}ms", LEAST_INTERVAL.as_millis()),
            Self::TooLong(_) => f.write_str("must be at most 100 years"),
            Self::Zero(_) => f.write_str("must be longer than zero"),
            Self::TimeoutNotBelowInterval => f.write_str("must be below the interval"),
            Self::NoRuns(_) => f.write_str("must be at least 1"),
            Self::Objective => f.write_str("must be a ratio between 0 and 1, such as 0.999 or 99.9%"),
            Self::Limit(measurement, flaw) => write!(f, "the limit on {measurement} {flaw}"),
        }
    }
}

impl fmt::Display for LimitFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("has no limit; give `warn`, `fail` or both"),
            Self::NotANumber(level) => write!(f, "needs a finite number for `{level}`"),
            Self::Leave(level, bound) => write!(
                f,
                "needs a `leave` of `{level}` that is not {} `enter`, because the bound is {}",
                bound.beyond(),
                bound.as_str()
            ),
            Self::Order(bound) => {
                write!(f, "needs a `fail` {} `warn`, because the bound is {}", bound.beyond(), bound.as_str())
            }
        }
    }
}

impl Policy {
    /// Everything that is wrong with it.
    #[must_use]
    pub fn flaws(&self) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        let mut note = |wrong: bool, flaw: Flaw| flaws.extend(wrong.then_some(flaw));
        note(self.interval < LEAST_INTERVAL, Flaw::IntervalTooShort);
        note(self.interval > LONGEST, Flaw::TooLong("interval"));
        note(self.timeout.is_zero(), Flaw::Zero("timeout"));
        note(self.timeout >= self.interval, Flaw::TimeoutNotBelowInterval);
        note(self.fail_after == 0, Flaw::NoRuns("fail_after"));
        note(self.recover_after == 0, Flaw::NoRuns("recover_after"));
        note(self.warn_slower_than.is_some_and(|limit| limit.is_zero()), Flaw::Zero("warn_slower_than"));
        note(!(self.objective > 0.0 && self.objective < 1.0), Flaw::Objective);
        for threshold in &self.thresholds {
            let of = |flaw| Flaw::Limit(threshold.measurement.clone(), flaw);
            flaws.extend(threshold.flaws().into_iter().map(of));
        }
        flaws
    }
}

impl Threshold {
    /// Everything that is wrong with its limits.
    #[must_use]
    pub fn flaws(&self) -> Vec<LimitFlaw> {
        limit_flaws(self.bound, self.warn, self.fail)
    }
}

/// Everything that is wrong with these limits.
#[must_use]
pub fn limit_flaws(bound: Bound, warn: Option<Limit>, fail: Option<Limit>) -> Vec<LimitFlaw> {
    let mut flaws = Vec::new();
    if warn.is_none() && fail.is_none() {
        flaws.push(LimitFlaw::None);
    }
    for (level, limit) in [("warn", warn), ("fail", fail)] {
        let Some(Limit { enter, leave }) = limit else { continue };
        if !enter.is_finite() || !leave.is_finite() {
            flaws.push(LimitFlaw::NotANumber(level));
        } else if bound.is_worse(leave, enter) {
            flaws.push(LimitFlaw::Leave(level, bound));
        }
    }
    if let (Some(warn), Some(fail)) = (warn, fail)
        && warn.enter.is_finite()
        && fail.enter.is_finite()
        && !bound.is_worse(fail.enter, warn.enter)
    {
        flaws.push(LimitFlaw::Order(bound));
    }
    flaws
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(change: impl FnOnce(&mut Policy)) -> Vec<&'static str> {
        let mut policy = Policy::default();
        change(&mut policy);
        policy.flaws().iter().map(Flaw::setting).collect()
    }

    #[test]
    fn the_default_is_good_and_every_number_has_its_bounds() {
        assert_eq!(settings(|_| {}), [""; 0]);
        assert_eq!(settings(|policy| policy.interval = Duration::ZERO), ["interval", "timeout"]);
        let micro = |policy: &mut Policy| {
            (policy.interval, policy.timeout) = (Duration::from_micros(5), Duration::from_micros(1));
        };
        assert_eq!(settings(micro), ["interval"]);
        assert_eq!(settings(|policy| policy.interval = Duration::MAX), ["interval"]);
        assert_eq!(settings(|policy| policy.timeout = Duration::MAX), ["timeout"]);
        assert_eq!(settings(|policy| policy.timeout = Duration::ZERO), ["timeout"]);
        assert_eq!(settings(|policy| policy.timeout = policy.interval), ["timeout"]);
        assert_eq!(settings(|policy| policy.fail_after = 0), ["fail_after"]);
        assert_eq!(settings(|policy| policy.recover_after = 0), ["recover_after"]);
        assert_eq!(settings(|policy| policy.warn_slower_than = Some(Duration::ZERO)), ["warn_slower_than"]);
        for objective in [0.0, 1.0, -1.0, 2.0, f64::NAN] {
            assert_eq!(settings(|policy| policy.objective = objective), ["objective"]);
        }
    }

    #[test]
    fn limits_must_be_numbers_in_their_order() {
        let at = |enter: f64, leave: f64| Some(Limit { enter, leave });
        for (bound, warn, fail, flaws) in [
            (Bound::Upper, at(1.0, 1.0), at(2.0, 1.5), vec![]),
            (Bound::Lower, at(2.0, 3.0), at(1.0, 1.0), vec![]),
            (Bound::Upper, None, None, vec![LimitFlaw::None]),
            (Bound::Upper, at(f64::NAN, 1.0), None, vec![LimitFlaw::NotANumber("warn")]),
            (Bound::Upper, None, at(1.0, f64::INFINITY), vec![LimitFlaw::NotANumber("fail")]),
            (Bound::Upper, at(1.0, 2.0), None, vec![LimitFlaw::Leave("warn", Bound::Upper)]),
            (Bound::Lower, None, at(2.0, 1.0), vec![LimitFlaw::Leave("fail", Bound::Lower)]),
            (Bound::Upper, at(1.0, 1.0), at(1.0, 1.0), vec![LimitFlaw::Order(Bound::Upper)]),
            (Bound::Lower, at(1.0, 1.0), at(2.0, 2.0), vec![LimitFlaw::Order(Bound::Lower)]),
        ] {
            assert_eq!(limit_flaws(bound, warn, fail), flaws, "{bound:?} {warn:?} {fail:?}");
        }
    }
}

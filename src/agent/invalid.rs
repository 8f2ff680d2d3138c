//! Why a check that was made in code cannot be run.

use std::fmt;
use std::time::Duration;

use crate::model::{Bound, InvalidName, Name, Policy, Threshold};

/// Why a check that was made in code cannot be run.
#[derive(Clone, Debug, PartialEq)]
pub enum InvalidCheck {
    /// Its name cannot be one.
    Name(InvalidName),
    /// Its time limit is zero, or not below its interval.
    Timeout {
        /// The check.
        check: Name,
        /// Its time limit.
        timeout: Duration,
        /// Its interval.
        interval: Duration,
    },
    /// A limit has no number, is missing altogether, or `fail` is on the good side of `warn`.
    Threshold {
        /// The check.
        check: Name,
        /// What is limited.
        measurement: Name,
    },
}

impl fmt::Display for InvalidCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(error) => error.fmt(f),
            Self::Timeout { check, timeout, interval } => write!(
                f,
                "the check {check} may take {timeout:?} and runs every {interval:?}: its timeout must be above zero and \
                 below its interval"
            ),
            Self::Threshold { check, measurement } => write!(
                f,
                "the check {check} has no usable limit on {measurement}: give `warn`, `fail` or both as numbers, with \
                 `fail` beyond `warn`"
            ),
        }
    }
}

impl std::error::Error for InvalidCheck {}

impl From<InvalidName> for InvalidCheck {
    fn from(error: InvalidName) -> Self {
        Self::Name(error)
    }
}

/// Says what of `policy` a configuration would be refused for and the schedule or the verdicts could not stand.
pub(super) fn refuse(check: &Name, policy: &Policy) -> Result<(), InvalidCheck> {
    let Policy { timeout, interval, .. } = *policy;
    if timeout.is_zero() || timeout >= interval {
        return Err(InvalidCheck::Timeout { check: check.clone(), timeout, interval });
    }
    match policy.thresholds.iter().find(|threshold| !is_usable(threshold)) {
        Some(Threshold { measurement, .. }) => {
            Err(InvalidCheck::Threshold { check: check.clone(), measurement: measurement.clone() })
        }
        None => Ok(()),
    }
}

fn is_usable(threshold: &Threshold) -> bool {
    let Threshold { warn, fail, bound, .. } = threshold;
    let numbers =
        [warn, fail].into_iter().flatten().all(|limit| limit.enter.is_finite() && limit.leave.is_finite());
    let ordered = match (warn, fail, bound) {
        (None, None, _) => false,
        (Some(warn), Some(fail), Bound::Upper) => fail.enter > warn.enter,
        (Some(warn), Some(fail), Bound::Lower) => fail.enter < warn.enter,
        _ => true,
    };
    numbers && ordered
}

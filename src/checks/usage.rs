//! What the checks of this machine have in common: one measurement, `usage_ratio`, a limit to warn at, and of what the
//! usage is: of the container's limit, where there is one, or of the machine.

use std::time::Duration;

use crate::config::{Fields, Word};
use crate::model::{Bound, Detail, Limit, Measurement, Name, Policy, Threshold, Unit};

/// What these checks measure.
pub(super) static MEASUREMENTS: [Measurement; 1] = [Measurement::new("usage_ratio", Unit::Ratio)];

/// The measurement's name.
#[must_use]
pub(super) fn name() -> Option<Name> {
    Name::new("usage_ratio").ok()
}

/// A policy that warns from `enter` on, until the usage is below `leave`.
#[must_use]
pub(super) fn warn_from(enter: f64, leave: f64) -> Policy {
    let threshold = |measurement| Threshold {
        measurement,
        bound: Bound::Upper,
        warn: Some(Limit { enter, leave }),
        fail: None,
        lasting: Duration::ZERO,
    };
    Policy { thresholds: name().map(threshold).into_iter().collect(), ..Policy::default() }
}

/// Of what the usage is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Of the container's limit, or of the machine where there is none.
    Auto,
    /// Of the machine, for one who watches it from within a container or a service with limits.
    Host,
}

impl Word for Scope {
    const MEANING: &'static str = "scope";
    const ALL: &'static [Self] = &[Self::Auto, Self::Host];

    fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Host => "host",
        }
    }
}

impl Scope {
    /// Takes the setting.
    pub(super) fn read(fields: &mut Fields<'_>) -> Self {
        fields.or(
            "scope",
            Self::Auto,
            "what is measured: `auto` is the use of the limit of the container or service that the agent runs in, \
             where there is one, and else of the machine; `host` is always of the machine",
        )
    }
}

/// A number of bytes as a fact for people.
#[must_use]
pub(super) fn bytes(count: u64) -> Detail {
    Detail::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}

//! How much a check's failure matters to the groups it is in.

use std::fmt;

use super::State;

/// How far a failing check may pull down its groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Criticality {
    /// Shown and counted, never part of a group's state.
    Informational,
    /// Makes its groups degraded at most.
    #[default]
    Degrading,
    /// Makes its groups unhealthy.
    Critical,
}

impl Criticality {
    /// All levels, as configuration may spell them.
    pub const ALL: [Self; 3] = [Self::Critical, Self::Degrading, Self::Informational];

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Degrading => "degrading",
            Self::Critical => "critical",
        }
    }

    /// What a check in `state` adds to a group: unknown counts as unhealthy, and nothing counts for more than this
    /// level lets it.
    #[must_use]
    pub const fn cap(self, state: State) -> State {
        match (self, state) {
            (Self::Informational, _) | (_, State::Healthy) => State::Healthy,
            (Self::Degrading, _) | (_, State::Degraded) => State::Degraded,
            (Self::Critical, State::Unhealthy | State::Unknown) => State::Unhealthy,
        }
    }
}

impl fmt::Display for Criticality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

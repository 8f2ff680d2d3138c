//! The four words for how a check or a group stands.

use std::fmt;

/// How a check or a group stands; the same words in JSON, labels, logs and documents.
///
/// Ordered by how bad it is: healthy, degraded, unhealthy. `Unknown` stands last; whoever aggregates decides what
/// it counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// All is as it should be.
    Healthy,
    /// It works, but not as well as it should.
    Degraded,
    /// It does not work.
    Unhealthy,
    /// There is no answer, or the last one is too old to stand.
    Unknown,
}

impl State {
    /// All states, in the order in which metrics list them.
    pub const ALL: [Self; 4] = [Self::Healthy, Self::Degraded, Self::Unhealthy, Self::Unknown];

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

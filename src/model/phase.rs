//! The parts of a run that can be timed apart, and how a run went through them.

use std::time::Duration;

/// One part of a run; a kind times those that it can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Looking up the host name.
    Resolve,
    /// Opening the connection.
    Connect,
    /// The TLS handshake.
    Tls,
    /// Proving who we are.
    Auth,
    /// Asking, until the answer begins.
    Request,
    /// Reading the rest of the answer.
    Transfer,
}

impl Phase {
    /// All phases, in the order in which they happen.
    pub const ALL: [Self; 6] =
        [Self::Resolve, Self::Connect, Self::Tls, Self::Auth, Self::Request, Self::Transfer];

    /// The label value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Auth => "auth",
            Self::Request => "request",
            Self::Transfer => "transfer",
        }
    }
}

/// How a run went, apart from what it answered.
#[derive(Clone, Debug, Default)]
pub struct Course {
    /// How long the run took.
    pub took: Duration,
    /// How long each phase took, in the order of [`Phase::ALL`].
    pub phases: Vec<(Phase, Duration)>,
    /// The phase that began last: a run that failed failed in it.
    pub last: Option<Phase>,
}

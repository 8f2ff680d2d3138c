//! The parts of a run that can be timed apart.

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

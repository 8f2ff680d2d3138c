//! Why a run failed: a closed set, so that it can be a label.

use std::fmt;

/// Why a run failed. The set is closed and small because it is a label (`error.type`); free text is never one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// No answer within the time limit.
    Timeout,
    /// Nothing listens at the address.
    ConnectionRefused,
    /// The peer ended the connection early.
    ConnectionReset,
    /// No route to the address.
    Unreachable,
    /// The host name has no address.
    Dns,
    /// The TLS handshake failed.
    Tls,
    /// The credentials were refused.
    Auth,
    /// What was asked for is not there.
    NotFound,
    /// The peer knows us and refuses what we asked.
    Denied,
    /// The answer does not follow the protocol.
    Protocol,
    /// The status of the answer is not the expected one.
    UnexpectedStatus,
    /// The content of the answer is not the expected one.
    UnexpectedBody,
    /// A measurement is beyond its limit.
    Threshold,
    /// The application's own connection pool had no connection to give.
    PoolExhausted,
    /// Something that the check depends on failed.
    Upstream,
    /// The check's code panicked.
    Panic,
    /// The run was ended before it could answer.
    Cancelled,
    /// None of the above.
    Other,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Self; 18] = [
        Self::Timeout,
        Self::ConnectionRefused,
        Self::ConnectionReset,
        Self::Unreachable,
        Self::Dns,
        Self::Tls,
        Self::Auth,
        Self::NotFound,
        Self::Denied,
        Self::Protocol,
        Self::UnexpectedStatus,
        Self::UnexpectedBody,
        Self::Threshold,
        Self::PoolExhausted,
        Self::Upstream,
        Self::Panic,
        Self::Cancelled,
        Self::Other,
    ];

    /// The label value; `_OTHER` is OpenTelemetry's word for the rest.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::ConnectionRefused => "connection_refused",
            Self::ConnectionReset => "connection_reset",
            Self::Unreachable => "unreachable",
            Self::Dns => "dns",
            Self::Tls => "tls",
            Self::Auth => "auth",
            Self::NotFound => "not_found",
            Self::Denied => "denied",
            Self::Protocol => "protocol",
            Self::UnexpectedStatus => "unexpected_status",
            Self::UnexpectedBody => "unexpected_body",
            Self::Threshold => "threshold",
            Self::PoolExhausted => "pool_exhausted",
            Self::Upstream => "upstream",
            Self::Panic => "panic",
            Self::Cancelled => "cancelled",
            Self::Other => "_OTHER",
        }
    }

    /// The public sentence that stands for the reason where a check gives no text of its own.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Timeout => "no answer within the time limit",
            Self::ConnectionRefused => "connection refused",
            Self::ConnectionReset => "connection closed by the peer",
            Self::Unreachable => "no route to the host",
            Self::Dns => "host name not resolved",
            Self::Tls => "tls handshake failed",
            Self::Auth => "credentials refused",
            Self::NotFound => "not found",
            Self::Denied => "permission denied",
            Self::Protocol => "answer not understood",
            Self::UnexpectedStatus => "unexpected status",
            Self::UnexpectedBody => "unexpected content",
            Self::Threshold => "a measurement is beyond its limit",
            Self::PoolExhausted => "no free connection in the pool",
            Self::Upstream => "a dependency of this check failed",
            Self::Panic => "the check panicked",
            Self::Cancelled => "the run was cancelled",
            Self::Other => "the check failed",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

//! TLS for every kind that speaks it through rustls: one set of trusted roots.
//!
//! Costs nothing until the first handshake. Knows no protocol above TLS.

#[cfg(any(feature = "amqp", feature = "redis"))]
pub(super) mod client;
pub(super) mod trust;
#[cfg(feature = "http")]
pub(super) mod watch;

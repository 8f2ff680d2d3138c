//! TLS for every kind that speaks it through rustls: the same settings, and one handshake.
//!
//! Costs nothing until the first handshake. Knows no protocol above TLS.

pub(super) mod client;
pub(super) mod settings;

//! TLS for every kind that speaks it through rustls: one provider of cryptography, one set of trusted roots.
//!
//! Costs nothing until the first handshake. Knows no protocol above TLS.

#[cfg(any(feature = "amqp", feature = "redis"))]
pub(super) mod client;
pub(super) mod trust;
#[cfg(feature = "http")]
pub(super) mod watch;

/// Makes ring the process's provider of cryptography, unless the application has chosen one before.
pub(super) fn install_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

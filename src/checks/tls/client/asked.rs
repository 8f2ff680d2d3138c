//! Whether the server has asked for a client certificate. TLS 1.2 has no alert for one that was not shown: servers say
//! that the handshake failed, or that the certificate is bad.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, Error, SignatureScheme};

/// Chooses the certificate as the one within does, and remembers that it had to.
#[derive(Debug)]
pub(super) struct Asked {
    inner: Arc<dyn ResolvesClientCert>,
    asked: AtomicBool,
}

impl Asked {
    pub(super) fn new(inner: Arc<dyn ResolvesClientCert>) -> Self {
        Self { inner, asked: AtomicBool::new(false) }
    }

    /// Whether the server has asked.
    pub(super) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Whether there is a certificate to show.
    pub(super) fn shows(&self) -> bool {
        self.inner.has_certs()
    }

    /// The end of a handshake, with the alert that TLS 1.3 has for it where the client certificate is the cause.
    pub(super) fn explain(&self, error: io::Error) -> io::Error {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        let Some(Error::AlertReceived(received)) = inner.filter(|_| self.is_asked()) else {
            return error;
        };
        let meant = match received {
            AlertDescription::HandshakeFailure | AlertDescription::BadCertificate if !self.shows() => {
                AlertDescription::CertificateRequired
            }
            AlertDescription::HandshakeFailure => AlertDescription::BadCertificate,
            _ => return error,
        };
        alert(meant)
    }
}

/// The error of a stream that this alert has ended.
pub(super) fn alert(alert: AlertDescription) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, Error::AlertReceived(alert))
}

impl ResolvesClientCert for Asked {
    fn resolve(&self, hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        self.inner.resolve(hints, schemes)
    }

    fn has_certs(&self) -> bool {
        self.inner.has_certs()
    }
}

//! Whether to believe a server's certificate.
//!
//! The system's roots are read at the first handshake, not before, and shared by all who trust the same: about 400 KiB
//! and 9 ms once, instead of for each. They are read again when the last who needs them is gone and another comes, so a
//! reload that changes a file of certificates is heeded.
//!
//! Paths are built by webpki itself rather than through rustls, which does not tell which path it took: a server may show
//! certificates that nobody needs, and the age of those is nobody's concern.

#![cfg_attr(
    not(any(feature = "amqp", feature = "http", feature = "postgres", feature = "redis")),
    expect(dead_code, reason = "the push looks at no age, and verifies always")
)]

use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::prelude::{FromDer, X509Certificate, X509Version};

use super::{Certificates, pinned, provider, unsupported};

/// Whom a client believes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// The system's roots and these certificates: authorities, and servers' own ones.
    Known(Certificates),
    /// The same, whatever name they show: PostgreSQL's `verify-ca`.
    #[cfg(feature = "postgres")]
    AnyName(Certificates),
    /// Whoever answers.
    Anyone,
}

/// Judges the certificates of one or many handshakes.
pub(crate) struct Verifier {
    judge: Arc<Judge>,
    /// Of the last handshake.
    expiry: Mutex<Option<i64>>,
}

impl Verifier {
    /// Judges by `trust`.
    pub(crate) fn new(trust: &Trust) -> Self {
        Self { judge: judge(trust), expiry: Mutex::new(None) }
    }

    /// The same judge for another handshake.
    pub(crate) fn again(&self) -> Self {
        Self { judge: Arc::clone(&self.judge), expiry: Mutex::new(None) }
    }

    /// When the first certificate ends that the last handshake relied on, in Unix seconds; where nothing was relied on,
    /// when the server's own one does. None before a certificate was shown.
    pub(crate) fn expiry(&self) -> Option<i64> {
        *self.expiry.lock()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

/// Whether `certificate` can be in [`Trust::Known`].
pub(super) fn can_be_trusted(certificate: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(certificate).is_ok_and(|(rest, _)| rest.is_empty())
}

/// The one judge for this trust.
fn judge(trust: &Trust) -> Arc<Judge> {
    static JUDGES: Mutex<Vec<Weak<Judge>>> = Mutex::new(Vec::new());
    let mut judges = JUDGES.lock();
    judges.retain(|judge| judge.strong_count() > 0);
    let known = judges.iter().filter_map(Weak::upgrade).find(|judge| judge.trust == *trust);
    known.unwrap_or_else(|| {
        let algorithms = provider().signature_verification_algorithms;
        let judge = Arc::new(Judge { trust: trust.clone(), algorithms, roots: Mutex::default() });
        judges.push(Arc::downgrade(&judge));
        judge
    })
}

struct Judge {
    trust: Trust,
    algorithms: WebPkiSupportedAlgorithms,
    /// Made at the first handshake, and again after one for which the roots could not be read.
    roots: Mutex<Option<Arc<RootCertStore>>>,
}

impl Judge {
    /// The system's roots, and the authorities among the certificates that are trusted.
    fn roots(&self, trusted: &[CertificateDer<'static>]) -> Result<Arc<RootCertStore>, Error> {
        let mut made = self.roots.lock();
        if let Some(roots) = &*made {
            return Ok(Arc::clone(roots));
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(trusted.iter().filter(|one| is_authority(one)).cloned());
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() && trusted.is_empty() {
            return Err(Error::Other(OtherError(Arc::new(NoRoots))));
        }
        let roots = Arc::new(roots);
        *made = Some(Arc::clone(&roots));
        Ok(roots)
    }

    /// The certificates that a server is believed for.
    fn path(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<Option<i64>, Error> {
        // It could not even prove to have the key.
        unsupported::refuse_key(end_entity)?;
        let (trusted, name) = match &self.trust {
            Trust::Anyone => return Ok(not_after(end_entity)),
            Trust::Known(trusted) => (trusted, Some(name)),
            #[cfg(feature = "postgres")]
            Trust::AnyName(trusted) => (trusted, None),
        };
        if trusted.contains(end_entity) {
            pinned::judge(end_entity, name, now)?;
            return Ok(not_after(end_entity));
        }
        let roots = self.roots(trusted)?;
        let refused = |error| {
            unsupported::named(end_entity, intermediates, trusted, &error).unwrap_or_else(|| of(error))
        };
        let server = EndEntityCert::try_from(end_entity).map_err(refused)?;
        let path = server
            .verify_for_usage(
                self.algorithms.all,
                &roots.roots,
                intermediates,
                now,
                KeyUsage::server_auth(),
                None,
                None,
            )
            .map_err(refused)?;
        if let Some(name) = name {
            server.verify_is_valid_for_subject_name(name).map_err(of)?;
        }
        let between = path.intermediate_certificates().filter_map(|one| not_after(&one.der()));
        Ok(between.chain(not_after(end_entity)).min())
    }
}

/// The machine has no certificates of authorities.
#[derive(Debug)]
pub(crate) struct NoRoots;

impl fmt::Display for NoRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no certificate of an authority on this machine")
    }
}

impl std::error::Error for NoRoots {}

/// Whether a trusted certificate vouches for others too: it says so, or is of the first version, which could not say it,
/// and signed by itself.
fn is_authority(certificate: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(certificate).is_ok_and(|(_, certificate)| {
        if certificate.version() == X509Version::V1 {
            return certificate.subject() == certificate.issuer();
        }
        certificate.is_ca()
    })
}

fn not_after(certificate: &CertificateDer<'_>) -> Option<i64> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    Some(certificate.validity().not_after.timestamp())
}

/// As rustls would say it, so that the server gets the right alert.
fn of(error: webpki::Error) -> Error {
    use webpki::Error as Pki;
    Error::InvalidCertificate(match error {
        Pki::CertExpired { time, not_after } => CertificateError::ExpiredContext { time, not_after },
        Pki::CertNotValidYet { time, not_before } => {
            CertificateError::NotValidYetContext { time, not_before }
        }
        Pki::UnknownIssuer => CertificateError::UnknownIssuer,
        Pki::CertNotValidForName(webpki::InvalidNameContext { expected, presented }) => {
            CertificateError::NotValidForNameContext { expected, presented }
        }
        Pki::CertRevoked => CertificateError::Revoked,
        Pki::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        Pki::BadDer | Pki::BadDerTime | Pki::TrailingData(_) => CertificateError::BadEncoding,
        other => CertificateError::Other(OtherError(Arc::new(other))),
    })
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let path = self.judge.path(end_entity, intermediates, server_name, now);
        *self.expiry.lock() = path.as_ref().map_or_else(|_| not_after(end_entity), |expiry| *expiry);
        path.map(|_| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match pinned::key_of_v1(cert) {
            Some(key) => pinned::verify(&self.judge.algorithms, message, &key, dss),
            None => verify_tls12_signature(message, cert, dss, &self.judge.algorithms),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match pinned::key_of_v1(cert) {
            Some(key) => pinned::verify(&self.judge.algorithms, message, &key, dss),
            None => verify_tls13_signature(message, cert, dss, &self.judge.algorithms),
        }
    }

    /// What can be verified, and last what cannot: a server that has nothing else then shows its certificate, so that the
    /// failure can be named, instead of ending the handshake.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.judge.algorithms.supported_schemes();
        schemes.extend(
            unsupported::SCHEMES
                .iter()
                .filter(|scheme| !schemes.contains(scheme))
                .copied()
                .collect::<Vec<_>>(),
        );
        schemes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_trust_the_same_share_a_judge() {
        let root = || rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let known = || Trust::Known(vec![root().cert.der().clone()]);
        let trust = known();
        let first = judge(&trust);
        assert!(Arc::ptr_eq(&first, &judge(&trust.clone())));
        assert!(!Arc::ptr_eq(&first, &judge(&known())));
        assert!(!Arc::ptr_eq(&first, &judge(&Trust::Anyone)));
    }
}

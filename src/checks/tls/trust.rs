//! Whom to trust: the system's roots, and those of one further file.
//!
//! The roots are read at the first handshake, not before, and shared by all checks that trust the same: about 400 KiB
//! and 9 ms once, instead of for each check. They are read again when the last check that needs them is gone and
//! another comes, so a reload that changes a file of roots is heeded. No session is kept: every handshake is a whole
//! one, because a resumed one would show no certificate.

use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{
    ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls12Resumption, Tls13ClientSessionValue,
};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, NamedGroup, SignatureScheme};
use rustls_platform_verifier::Verifier;

#[cfg(feature = "http")]
use super::watch;
use crate::config::Fields;
use crate::tls::{self, Roots, install_provider};

/// A client's configuration that trusts the system's roots and `extra`, without a protocol to agree on.
pub(in crate::checks) fn client_config(extra: Roots) -> ClientConfig {
    install_provider();
    let builder = ClientConfig::builder();
    let judge = judge(extra, builder.crypto_provider());
    let mut config = builder.dangerous().with_custom_certificate_verifier(judge).with_no_client_auth();
    config.resumption = Resumption::store(Arc::new(Forgetful)).tls12_resumption(Tls12Resumption::Disabled);
    config
}

/// Takes the setting `ca_file`: none where it is absent or wrong, which is noted.
pub(in crate::checks) fn ca_file(fields: &mut Fields<'_>, doc: &'static str) -> Roots {
    tls::file(fields, "ca_file", doc, tls::roots).unwrap_or_default()
}

/// The one judge for these roots.
fn judge(extra: Roots, provider: &Arc<CryptoProvider>) -> Arc<Judge> {
    static JUDGES: Mutex<Vec<Weak<Judge>>> = Mutex::new(Vec::new());
    let mut judges = JUDGES.lock();
    judges.retain(|judge| judge.strong_count() > 0);
    let known = judges.iter().filter_map(Weak::upgrade).find(|judge| judge.extra == extra);
    known.unwrap_or_else(|| {
        let judge = Arc::new(Judge { extra, provider: Arc::clone(provider), verifier: Mutex::default() });
        judges.push(Arc::downgrade(&judge));
        judge
    })
}

/// Judges as the platform does, and lets the watcher see the certificates.
struct Judge {
    extra: Roots,
    provider: Arc<CryptoProvider>,
    /// Made at the first handshake, and again after one for which the roots could not be read.
    verifier: Mutex<Option<Arc<Verifier>>>,
}

impl Judge {
    fn verifier(&self) -> Result<Arc<Verifier>, Error> {
        let mut made = self.verifier.lock();
        if let Some(verifier) = &*made {
            return Ok(Arc::clone(verifier));
        }
        let provider = Arc::clone(&self.provider);
        let verifier = Arc::new(Verifier::new_with_extra_roots(self.extra.iter().cloned(), provider)?);
        *made = Some(Arc::clone(&verifier));
        Ok(verifier)
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Judge")
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        #[cfg(feature = "http")]
        watch::certificates(std::iter::once(end_entity).chain(intermediates));
        self.verifier()?.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Keeps no session. Being asked for one is what tells that a handshake begins.
#[derive(Debug)]
struct Forgetful;

impl ClientSessionStore for Forgetful {
    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        #[cfg(feature = "http")]
        watch::handshake_begins();
        None
    }

    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, _: Tls13ClientSessionValue) {}

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> rcgen::CertifiedKey<rcgen::KeyPair> {
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap()
    }

    #[test]
    fn those_who_trust_the_same_share_a_judge() {
        install_provider();
        let provider = CryptoProvider::get_default().unwrap();
        let extra = vec![root().cert.der().clone()];
        let first = judge(extra.clone(), provider);
        assert!(Arc::ptr_eq(&first, &judge(extra, provider)));
        assert!(!Arc::ptr_eq(&first, &judge(vec![root().cert.der().clone()], provider)));
    }
}

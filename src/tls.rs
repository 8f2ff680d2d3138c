//! What everything that speaks TLS as a client shares: one provider of cryptography, whom to believe, who we are, and how
//! files of certificates are read.
//!
//! Costs nothing until the first handshake; knows neither who connects nor to whom.

mod names;
mod pinned;
mod trust;
mod unsupported;

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::config::Fields;

pub(crate) use trust::{NoRoots, Trust, Verifier};
pub(crate) use unsupported::Unsupported;

/// The largest file of certificates: all authorities of a system are a quarter of it.
const MAX_PEM: u64 = 1 << 20;

/// Certificates.
pub(crate) type Certificates = Vec<CertificateDer<'static>>;

/// A client's certificate with its key.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// The certificate, and those between it and its authority.
    pub(crate) chain: Certificates,
    /// The key; prints without what is in it.
    pub(crate) key: Arc<PrivateKeyDer<'static>>,
}

#[cfg(feature = "postgres")]
impl Identity {
    /// Reads a certificate and its key, both in PEM.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub(crate) fn read(chain: &[u8], key: &[u8]) -> Result<Self, &'static str> {
        let identity = Self { chain: certificates(chain)?, key: private_key(key)? };
        identity.check().map(|()| identity)
    }
}

impl Identity {
    /// Whether the key is that of the certificate.
    fn check(&self) -> Result<(), &'static str> {
        let certified = CertifiedKey::from_der(self.chain.clone(), self.key.clone_key(), &provider());
        certified.map(drop).map_err(|_| NOT_ITS_KEY)
    }
}

/// Makes ring the process's provider of cryptography, unless the application has chosen one before.
pub(crate) fn install_provider() {
    let _ = default_provider().install_default();
}

/// The process's provider of cryptography.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    install_provider();
    CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(default_provider()))
}

/// A client's configuration, without a protocol to agree on.
///
/// # Errors
/// Where the key is not that of the certificate.
pub(crate) fn client_config(
    trust: &Trust,
    identity: Option<&Identity>,
) -> Result<ClientConfig, &'static str> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|_| "the process's provider of cryptography cannot be used for TLS")?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier::new(trust)));
    match identity {
        None => Ok(builder.with_no_client_auth()),
        Some(Identity { chain, key }) => {
            builder.with_client_auth_cert(chain.clone(), key.clone_key()).map_err(|_| NOT_ITS_KEY)
        }
    }
}

const NOT_ITS_KEY: &str = "is not the key of the certificate, or of a type that is not known";

/// Takes the settings `certificate` and `key`, which come together; `None` where they are absent or wrong, which is
/// noted.
#[cfg_attr(
    not(any(feature = "amqp", feature = "http", feature = "otlp", feature = "redis")),
    expect(dead_code, reason = "postgres has them in its URL")
)]
pub(crate) fn identity(
    fields: &mut Fields<'_>,
    (certificate, certificate_doc): (&'static str, &'static str),
    (key, key_doc): (&'static str, &'static str),
) -> Option<Identity> {
    let chain = file(fields, certificate, certificate_doc, certificates);
    let secret = file(fields, key, key_doc, private_key);
    for (given, missing) in [(certificate, key), (key, certificate)] {
        if fields.is_set(given) && !fields.is_set(missing) {
            fields.problem(given, format!("needs `{missing}` beside it"));
        }
    }
    let identity = Identity { chain: chain?, key: secret? };
    identity.check().map_err(|problem| fields.problem(key, problem)).ok()?;
    Some(identity)
}

/// Reads the certificates in `pem`, each of which can be trusted.
pub(crate) fn trusted(pem: &[u8]) -> Result<Certificates, &'static str> {
    let certificates = certificates(pem)?;
    if certificates.iter().all(trust::can_be_trusted) {
        return Ok(certificates);
    }
    Err("a certificate in the file cannot be read")
}

/// Reads the certificates in `pem`, at least one.
fn certificates(pem: &[u8]) -> Result<Certificates, &'static str> {
    let certificates: Certificates =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| "the file is not PEM")?;
    if certificates.is_empty() {
        return Err("the file has no certificate");
    }
    Ok(certificates)
}

fn private_key(pem: &[u8]) -> Result<Arc<PrivateKeyDer<'static>>, &'static str> {
    let key = PrivateKeyDer::from_pem_slice(pem).map(Arc::new);
    key.map_err(|_| "the file has no private key in PEM, or one that is encrypted")
}

/// Takes the setting `name`, the path of a file, as what `take` makes of its content; `None` where it is absent or wrong,
/// which is noted.
pub(crate) fn file<T>(
    fields: &mut Fields<'_>,
    name: &'static str,
    doc: &'static str,
    take: impl FnOnce(&[u8]) -> Result<T, &'static str>,
) -> Option<T> {
    let file = fields.optional::<PathBuf>(name, doc)?;
    let pem = fields.content_of(name, &file, MAX_PEM)?;
    take(&pem).map_err(|problem| fields.problem(name, problem)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_certificates_to_trust() {
        let root = || rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap().cert.pem();
        let (one, two) = (root(), root());
        assert_eq!(trusted(format!("{one}{two}").as_bytes()).unwrap().len(), 2);
        assert!(trusted(b"").is_err());
        assert!(trusted(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").is_err());
    }
}

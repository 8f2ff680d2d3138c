//! What everything that speaks TLS shares: one provider of cryptography, and how a file of certificates is read.
//!
//! Costs nothing by itself; knows neither who connects nor to whom.

use std::path::PathBuf;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::config::Fields;

/// Certificates of authorities.
pub(crate) type Roots = Vec<CertificateDer<'static>>;

/// Makes ring the process's provider of cryptography, unless the application has chosen one before.
pub(crate) fn install_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Reads the roots in `pem`.
pub(crate) fn roots(pem: &[u8]) -> Result<Roots, &'static str> {
    let roots = certificates(pem)?;
    let mut store = RootCertStore::empty();
    for root in &roots {
        store.add(root.clone()).map_err(|_| "a certificate in the file cannot be a root")?;
    }
    Ok(roots)
}

/// Reads the certificates in `pem`, at least one.
pub(crate) fn certificates(pem: &[u8]) -> Result<Roots, &'static str> {
    let certificates: Roots =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| "the file is not PEM")?;
    if certificates.is_empty() {
        return Err("the file has no certificate");
    }
    Ok(certificates)
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
    let read = std::fs::read(file).map_err(|error| format!("cannot be read: {}", error.kind()));
    let taken = read.and_then(|pem| take(&pem).map_err(str::to_owned));
    taken.map_err(|problem| fields.problem(name, problem)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_roots() {
        let root = || rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap().cert.pem();
        let (one, two) = (root(), root());
        assert_eq!(roots(format!("{one}{two}").as_bytes()).unwrap().len(), 2);
        assert!(roots(b"").is_err());
        assert!(roots(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").is_err());
    }
}

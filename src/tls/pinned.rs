//! A server's own certificate that is trusted as it is: whether it is its time, and whether it is for the name.
//!
//! Private installations show certificates that no authority has signed, that call themselves authorities, or that are of
//! the first version of X.509. As roots none of them would do; known byte by byte they need no root.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, PeerMisbehaved};
use webpki::{EndEntityCert, RawPublicKeyEntity};
use x509_parser::prelude::{FromDer, X509Certificate, X509Version};

use super::names;

/// Judges the dates of a certificate that is trusted, and its name where that matters.
pub(super) fn judge(
    certificate: &CertificateDer<'_>,
    name: Option<&ServerName<'_>>,
    now: UnixTime,
) -> Result<(), Error> {
    let (_, parsed) = X509Certificate::from_der(certificate)
        .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let validity = parsed.validity();
    if now < validity.not_before.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > validity.not_after.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    let Some(name) = name else { return Ok(()) };
    let is_for = match parsed.subject_alternative_name() {
        Ok(None) => names::common_name_is(&parsed, name),
        _ => EndEntityCert::try_from(certificate)
            .is_ok_and(|certificate| certificate.verify_is_valid_for_subject_name(name).is_ok()),
    };
    if is_for { Ok(()) } else { Err(CertificateError::NotValidForName.into()) }
}

/// The public key of a certificate of the first version, which webpki does not read.
pub(super) fn key_of_v1(certificate: &CertificateDer<'_>) -> Option<SubjectPublicKeyInfoDer<'static>> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let first = certificate.version() == X509Version::V1;
    first.then(|| SubjectPublicKeyInfoDer::from(certificate.public_key().raw.to_vec()))
}

/// Whether the owner of `key` has signed `message`.
pub(super) fn verify(
    algorithms: &WebPkiSupportedAlgorithms,
    message: &[u8],
    key: &SubjectPublicKeyInfoDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let key = RawPublicKeyEntity::try_from(key).map_err(other)?;
    let known = algorithms.mapping.iter().find(|(scheme, _)| *scheme == signed.scheme);
    let (_, candidates) = known.ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
    let valid = |algorithm| key.verify_signature(algorithm, message, signed.signature()).is_ok();
    if candidates.iter().copied().any(valid) {
        Ok(HandshakeSignatureValid::assertion())
    } else {
        Err(CertificateError::BadSignature.into())
    }
}

fn other(error: webpki::Error) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error))))
}

//! Keys and signatures that the provider of cryptography lacks, by name: "handshake failed" would send the reader to the
//! server, which has done nothing wrong.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, Error, OtherError, SignatureScheme};
use x509_parser::der_parser::oid::Oid;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

use crate::model::Cause;

/// Signatures that are asked for and cannot be verified.
pub(super) const SCHEMES: [SignatureScheme; 5] = [
    SignatureScheme::ECDSA_NISTP521_SHA512,
    SignatureScheme::ED448,
    SignatureScheme::Unknown(0x081A),
    SignatureScheme::Unknown(0x081B),
    SignatureScheme::Unknown(0x081C),
];

/// Something that this program lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unsupported(pub(crate) Cause);

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.sentence().unwrap_or_default())
    }
}

impl StdError for Unsupported {}

impl From<Unsupported> for Error {
    fn from(unsupported: Unsupported) -> Self {
        Self::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(unsupported))))
    }
}

/// By their object identifiers: curves of keys, other keys, and signatures.
const LACKING: [(&str, Cause); 18] = [
    ("1.3.132.0.35", Cause::CurveSecp521r1),
    ("1.3.132.0.33", Cause::CurveSecp224r1),
    ("1.3.132.0.10", Cause::CurveSecp256k1),
    ("1.2.840.10045.3.1.1", Cause::CurveSecp192r1),
    ("1.3.36.3.3.2.8.1.1.7", Cause::CurveBrainpool256),
    ("1.3.36.3.3.2.8.1.1.11", Cause::CurveBrainpool384),
    ("1.3.36.3.3.2.8.1.1.13", Cause::CurveBrainpool512),
    ("1.3.101.113", Cause::KeyEd448),
    ("1.2.840.10040.4.1", Cause::KeyDsa),
    ("1.2.840.113549.1.1.10", Cause::KeyRsaPss),
    ("1.2.840.113549.1.1.4", Cause::SignatureMd5),
    ("1.2.840.113549.1.1.5", Cause::SignatureSha1),
    ("1.3.14.3.2.29", Cause::SignatureSha1),
    ("1.2.840.10045.4.1", Cause::SignatureSha1),
    ("1.2.840.10040.4.3", Cause::SignatureSha1),
    ("1.2.840.113549.1.1.14", Cause::SignatureSha224),
    ("1.2.840.10045.4.3.1", Cause::SignatureSha224),
    ("1.2.840.10045.4.3.4", Cause::SignatureEcdsaSha512),
];

/// The id of a key on a curve; the curve is its parameter.
const ON_A_CURVE: &str = "1.2.840.10045.2.1";
const CURVES: [&str; 2] = ["1.2.840.10045.3.1.7", "1.3.132.0.34"];
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Refuses a certificate whose key cannot be used.
pub(super) fn refuse_key(certificate: &CertificateDer<'_>) -> Result<(), Unsupported> {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return Ok(()) };
    key(&certificate).map_or(Ok(()), |cause| Err(Unsupported(cause)))
}

/// What is lacking, where that may be why the path was refused with `error`.
pub(super) fn named(
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    trusted: &[CertificateDer<'_>],
    error: &webpki::Error,
) -> Option<Error> {
    use webpki::Error as Pki;
    #[expect(deprecated, reason = "older forms of the same")]
    let may_be = matches!(
        error,
        Pki::UnsupportedSignatureAlgorithm
            | Pki::UnsupportedSignatureAlgorithmForPublicKey
            | Pki::UnsupportedSignatureAlgorithmContext(_)
            | Pki::UnsupportedSignatureAlgorithmForPublicKeyContext(_)
            | Pki::InvalidSignatureForPublicKey
    );
    if !may_be {
        return None;
    }
    let read = |certificate| X509Certificate::from_der(certificate).ok().map(|(_, certificate)| certificate);
    let shown: Vec<_> =
        std::iter::once(end_entity).chain(intermediates).filter_map(|one| read(one)).collect();
    let issuers = trusted.iter().filter_map(|one| read(one));
    let issuers = issuers.filter(|one| shown.iter().any(|shown| shown.issuer() == one.subject()));
    let of_a_key = shown.iter().find_map(key).or_else(|| issuers.collect::<Vec<_>>().iter().find_map(key));
    let of_a_signature = || shown.iter().find_map(|one| lacking(&one.signature_algorithm.algorithm));
    of_a_key.or_else(of_a_signature).map(|cause| Unsupported(cause).into())
}

/// What is lacking to use the certificate's key.
fn key(certificate: &X509Certificate<'_>) -> Option<Cause> {
    let info = certificate.public_key();
    let id = info.algorithm.algorithm.to_id_string();
    if id == ON_A_CURVE {
        let curve = info.algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
        let Some(curve) = curve else { return Some(Cause::CurveOther) };
        if CURVES.contains(&curve.to_id_string().as_str()) {
            return None;
        }
        return Some(lacking(&curve).unwrap_or(Cause::CurveOther));
    }
    match info.parsed() {
        Ok(PublicKey::RSA(key)) if key.key_size() < *RSA_BITS.start() => Some(Cause::KeyRsaShort),
        Ok(PublicKey::RSA(key)) if key.key_size() > *RSA_BITS.end() => Some(Cause::KeyRsaLong),
        _ => lacking(&info.algorithm.algorithm),
    }
}

fn lacking(id: &Oid<'_>) -> Option<Cause> {
    let id = id.to_id_string();
    LACKING.iter().find(|(known, _)| *known == id).map(|(_, cause)| *cause)
}

//! What an error of TLS means: from rustls, the judge of certificates and the alerts of the other side to the closed set
//! of causes. For every kind and for what is pushed.

use std::error::Error;

use rustls::{
    AlertDescription, CertificateError, Error as Tls, InvalidMessage, OtherError, PeerIncompatible,
    PeerMisbehaved,
};

use crate::model::Cause;
use crate::tls::{NoRoots, Unsupported};

/// What an error of rustls means.
pub(super) fn of(error: &Tls) -> Cause {
    match error {
        Tls::InvalidCertificate(error) => of_certificate(error),
        Tls::AlertReceived(alert) => of_alert(*alert),
        Tls::PeerIncompatible(why) => of_incompatible(why),
        Tls::InvalidMessage(InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion) => {
            Cause::PlaintextAnswer
        }
        Tls::InvalidMessage(_)
        | Tls::InappropriateMessage { .. }
        | Tls::InappropriateHandshakeMessage { .. } => Cause::HandshakeBroken,
        Tls::PeerMisbehaved(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme) => {
            Cause::NoSharedCipher
        }
        Tls::PeerMisbehaved(_) | Tls::DecryptError | Tls::PeerSentOversizedRecord => Cause::HandshakeBroken,
        Tls::NoCertificatesPresented => Cause::NoServerCertificate,
        Tls::NoApplicationProtocol => Cause::NoSharedProtocol,
        Tls::Other(OtherError(inner)) => of_other(inner.as_ref()),
        _ => Cause::HandshakeOther,
    }
}

fn of_certificate(error: &CertificateError) -> Cause {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Cause::CertificateExpired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Cause::CertificateNotYetValid
        }
        CertificateError::UnknownIssuer => Cause::CertificateUnknownIssuer,
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            Cause::CertificateWithoutName
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Cause::CertificateWrongName
        }
        CertificateError::Revoked => Cause::CertificateRevoked,
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            Cause::CertificateUnsuitable
        }
        CertificateError::BadSignature => Cause::CertificateBadSignature,
        CertificateError::Other(OtherError(inner)) => of_other(inner.as_ref()),
        _ => Cause::CertificateUnreadable,
    }
}

/// What our own judge says, or webpki in its own words.
fn of_other(error: &(dyn Error + Send + Sync + 'static)) -> Cause {
    use webpki::Error as Pki;
    if let Some(Unsupported(cause)) = error.downcast_ref() {
        return *cause;
    }
    if error.is::<NoRoots>() {
        return Cause::NoRoots;
    }
    match error.downcast_ref() {
        Some(Pki::CaUsedAsEndEntity) => Cause::CertificateOfAuthority,
        Some(Pki::UnsupportedCertVersion) => Cause::CertificateVersion1,
        Some(
            Pki::EndEntityUsedAsCa
            | Pki::NameConstraintViolation
            | Pki::PathLenConstraintViolated
            | Pki::RequiredEkuNotFoundContext(_)
            | Pki::EmptyEkuExtension
            | Pki::CertDistrusted
            | Pki::UnsupportedCriticalExtension,
        ) => Cause::CertificateUnsuitable,
        Some(
            Pki::UnsupportedSignatureAlgorithmContext(_)
            | Pki::UnsupportedSignatureAlgorithmForPublicKeyContext(_),
        ) => Cause::SignatureOther,
        Some(_) => Cause::CertificateUnreadable,
        None => Cause::HandshakeOther,
    }
}

fn of_alert(alert: AlertDescription) -> Cause {
    use AlertDescription as Alert;
    match alert {
        Alert::HandshakeFailure | Alert::InsufficientSecurity => Cause::NoSharedCipher,
        Alert::ProtocolVersion | Alert::InappropriateFallback => Cause::NoSharedVersion,
        Alert::CertificateRequired | Alert::NoCertificate => Cause::ClientCertificateWanted,
        Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateRevoked
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::UnknownCA
        | Alert::AccessDenied => Cause::ClientCertificateRefused,
        Alert::UnrecognisedName => Cause::ServerNameUnknown,
        Alert::NoApplicationProtocol => Cause::NoSharedProtocol,
        Alert::CloseNotify => Cause::HandshakeClosed,
        Alert::InternalError => Cause::ServerFault,
        Alert::IllegalParameter | Alert::DecodeError | Alert::DecryptError | Alert::UnexpectedMessage => {
            Cause::HandshakeBroken
        }
        _ => Cause::HandshakeOther,
    }
}

fn of_incompatible(why: &PeerIncompatible) -> Cause {
    use PeerIncompatible as Why;
    match why {
        Why::ServerDoesNotSupportTls12Or13
        | Why::ServerTlsVersionIsDisabledByOurConfig
        | Why::SupportedVersionsExtensionRequired
        | Why::Tls12NotOffered
        | Why::Tls12NotOfferedOrEnabled => Cause::NoSharedVersion,
        Why::NoCertificateRequestSignatureSchemesInCommon => Cause::ClientCertificateRefused,
        _ => Cause::NoSharedCipher,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::Reason;

    #[test]
    fn every_fault_has_a_cause_of_its_own() {
        let of_other = |error: webpki::Error| {
            of(&Tls::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error)))))
        };
        for (found, expected) in [
            (of(&CertificateError::Expired.into()), Cause::CertificateExpired),
            (of(&CertificateError::NotValidYet.into()), Cause::CertificateNotYetValid),
            (of(&CertificateError::UnknownIssuer.into()), Cause::CertificateUnknownIssuer),
            (of(&CertificateError::NotValidForName.into()), Cause::CertificateWrongName),
            (of(&CertificateError::Revoked.into()), Cause::CertificateRevoked),
            (of(&CertificateError::InvalidPurpose.into()), Cause::CertificateUnsuitable),
            (of_other(webpki::Error::CaUsedAsEndEntity), Cause::CertificateOfAuthority),
            (of_other(webpki::Error::UnsupportedCertVersion), Cause::CertificateVersion1),
            (of(&Unsupported(Cause::CurveSecp521r1).into()), Cause::CurveSecp521r1),
            (of(&PeerIncompatible::ServerDoesNotSupportTls12Or13.into()), Cause::NoSharedVersion),
            (of(&PeerIncompatible::NoCipherSuitesInCommon.into()), Cause::NoSharedCipher),
            (of(&Tls::AlertReceived(AlertDescription::HandshakeFailure)), Cause::NoSharedCipher),
            (of(&Tls::AlertReceived(AlertDescription::ProtocolVersion)), Cause::NoSharedVersion),
            (of(&Tls::AlertReceived(AlertDescription::CertificateRequired)), Cause::ClientCertificateWanted),
            (of(&Tls::AlertReceived(AlertDescription::UnknownCA)), Cause::ClientCertificateRefused),
            (of(&Tls::InvalidMessage(InvalidMessage::InvalidContentType)), Cause::PlaintextAnswer),
            (of(&Tls::AlertReceived(AlertDescription::UserCanceled)), Cause::HandshakeOther),
        ] {
            assert_eq!(found, expected);
            assert_eq!(found.reason(), Reason::Tls);
        }
    }
}

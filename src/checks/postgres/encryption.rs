//! What `sslmode` means, as PostgreSQL's own library has it: the modes that try twice, and a certificate that is verified
//! wherever there are roots for it.

use sqlx::postgres::PgSslMode;

use super::failure::Error;
use crate::checks::tls::client::Client;
use crate::tls::{Certificates, Identity, Trust};

/// What an operator is told of a password that was not protected because nobody said that it should be.
pub(super) const ADVICE: &str = "the server offers no TLS and no `sslmode` is given, so the password may be read on its way: \
                                 give sslmode=require, or sslmode=disable if that is known";

/// How a connection is attempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// Without TLS.
    Plain,
    /// With TLS, and by the same connection without it where the server has none.
    Either,
    /// With TLS.
    Encrypted,
}

/// See the module.
pub(super) struct Encryption {
    pub(super) first: Attempt,
    second: Option<Attempt>,
    /// Whether a password leaves the machine, and nobody has said how.
    unsaid: bool,
    /// `None` where no attempt needs it.
    pub(super) client: Option<Client>,
}

impl Encryption {
    /// For `mode` and the server `host`. Without `roots` only `verify-full` and `verify-ca` verify who answers.
    pub(super) fn new(
        mode: PgSslMode,
        host: &str,
        roots: Option<Certificates>,
        identity: Option<&Identity>,
        unsaid: bool,
    ) -> Result<Self, &'static str> {
        let (first, second) = attempts(mode);
        let trust = match (mode, roots) {
            (PgSslMode::VerifyFull, roots) => Trust::Known(roots.unwrap_or_default()),
            (PgSslMode::VerifyCa, roots) => Trust::AnyName(roots.unwrap_or_default()),
            (_, Some(roots)) => Trust::AnyName(roots),
            (_, None) => Trust::Anyone,
        };
        let encrypted = (first, second) != (Attempt::Plain, None);
        let client = encrypted.then(|| Client::new(host, &trust, identity, &[])).transpose()?;
        Ok(Self { first, second, unsaid, client })
    }

    /// A second attempt, after the first one ended with `error`.
    pub(super) fn after(&self, error: &Error) -> Option<Attempt> {
        self.second.filter(|_| error.is_about_tls())
    }

    /// Of two errors the one to tell. That a server which has TLS refuses to do without says less than why TLS failed.
    pub(super) fn telling(&self, first: Error, second: Error) -> Error {
        if self.second == Some(Attempt::Plain) && second.is_about_tls() { first } else { second }
    }

    /// What the operator should know of a session that somebody was let in to, of which `offered` says whether the server
    /// has TLS, if it was asked.
    pub(super) fn advice(&self, offered: Option<bool>) -> Option<&'static str> {
        (self.unsaid && offered == Some(false)).then_some(ADVICE)
    }
}

fn attempts(mode: PgSslMode) -> (Attempt, Option<Attempt>) {
    match mode {
        PgSslMode::Disable => (Attempt::Plain, None),
        PgSslMode::Allow => (Attempt::Plain, Some(Attempt::Encrypted)),
        PgSslMode::Prefer => (Attempt::Either, Some(Attempt::Plain)),
        PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull => (Attempt::Encrypted, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encryption(mode: PgSslMode, unsaid: bool) -> Encryption {
        Encryption::new(mode, "db", None, None, unsaid).ok().unwrap()
    }

    #[test]
    fn modes_mean_what_they_mean_to_postgresql() {
        use PgSslMode::{Allow, Disable, Prefer, Require, VerifyFull};
        for (mode, first, second) in [
            (Disable, Attempt::Plain, None),
            (Allow, Attempt::Plain, Some(Attempt::Encrypted)),
            (Prefer, Attempt::Either, Some(Attempt::Plain)),
            (Require, Attempt::Encrypted, None),
            (VerifyFull, Attempt::Encrypted, None),
        ] {
            let it = encryption(mode, false);
            assert_eq!((it.first, it.after(&Error::NoTls)), (first, second), "{mode:?}");
            assert_eq!(it.client.is_none(), matches!(mode, Disable));
        }
    }

    #[test]
    fn only_what_nobody_has_said_and_the_server_does_not_offer_is_told() {
        let unsaid = encryption(PgSslMode::Prefer, true);
        assert_eq!(unsaid.advice(Some(false)), Some(ADVICE));
        assert_eq!(unsaid.advice(Some(true)), None);
        assert_eq!(unsaid.advice(None), None);
        assert_eq!(encryption(PgSslMode::Prefer, false).advice(Some(false)), None);
    }
}

//! What `sslmode` means, as PostgreSQL's own library has it: the modes that try twice, and a certificate that is verified
//! wherever there are roots for it. The driver knows of the first attempt only.

use std::sync::atomic::{AtomicU8, Ordering};

use sqlx::Error;
use sqlx::postgres::PgSslMode;

use super::failure;

/// What an operator is told of a password that was not protected because nobody said that it should be.
pub(super) const ADVICE: &str = "the server offers no TLS and no `sslmode` is given, so the password may be read on its way: \
                                 give sslmode=require, or sslmode=disable if that is known";

/// Whether the server was found to offer TLS.
const UNKNOWN: u8 = 0;
const OFFERED: u8 = 1;
const NOT_OFFERED: u8 = 2;

/// See the module.
pub(super) struct Encryption {
    first: PgSslMode,
    second: Option<PgSslMode>,
    /// Whether a password leaves the machine, and nobody has said how.
    unsaid: bool,
    found: AtomicU8,
}

impl Encryption {
    /// For `mode`, where `rooted` says that roots to verify the server by are given.
    pub(super) fn new(mode: PgSslMode, rooted: bool, unsaid: bool) -> Self {
        let encrypted = if rooted { PgSslMode::VerifyCa } else { PgSslMode::Require };
        let (first, second) = match mode {
            PgSslMode::Allow => (PgSslMode::Disable, Some(encrypted)),
            PgSslMode::Prefer if rooted => (encrypted, Some(PgSslMode::Disable)),
            // Goes on without where the server has none, by the same connection.
            PgSslMode::Prefer => (mode, Some(PgSslMode::Disable)),
            PgSslMode::Require => (encrypted, None),
            PgSslMode::Disable | PgSslMode::VerifyCa | PgSslMode::VerifyFull => (mode, None),
        };
        Self { first, second, unsaid, found: AtomicU8::new(UNKNOWN) }
    }

    /// The mode of the first attempt. Once in the life of a check the driver must not go on without TLS by itself,
    /// because it would not tell.
    pub(super) fn first(&self) -> PgSslMode {
        if self.unsaid && self.found.load(Ordering::Relaxed) == UNKNOWN {
            PgSslMode::Require
        } else {
            self.first
        }
    }

    /// The mode of a second attempt, after the first one ended with `error`.
    pub(super) fn after(&self, error: &Error) -> Option<PgSslMode> {
        if failure::is_without_tls(error) {
            self.found.store(NOT_OFFERED, Ordering::Relaxed);
        }
        self.second.filter(|_| failure::is_about_tls(error))
    }

    /// Of two errors the one to tell. That a server which has TLS refuses to do without says less than why TLS failed.
    pub(super) fn telling(&self, first: Error, second: Error) -> Error {
        let refused_plain = matches!(self.second, Some(PgSslMode::Disable)) && failure::is_about_tls(&second);
        if refused_plain && !failure::is_without_tls(&first) { first } else { second }
    }

    /// Notes that somebody was let in; gives what the operator should know of it.
    pub(super) fn advice(&self) -> Option<&'static str> {
        let _ = self.found.compare_exchange(UNKNOWN, OFFERED, Ordering::Relaxed, Ordering::Relaxed);
        (self.unsaid && self.found.load(Ordering::Relaxed) == NOT_OFFERED).then_some(ADVICE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(mode: PgSslMode, rooted: bool) -> String {
        let Encryption { first, second, .. } = Encryption::new(mode, rooted, false);
        format!("{first:?} {second:?}")
    }

    #[test]
    fn modes_mean_what_they_mean_to_postgresql() {
        use PgSslMode::{Allow, Disable, Prefer, Require, VerifyFull};
        for (mode, plain, rooted) in [
            (Disable, "Disable None", "Disable None"),
            (Allow, "Disable Some(Require)", "Disable Some(VerifyCa)"),
            (Prefer, "Prefer Some(Disable)", "VerifyCa Some(Disable)"),
            (Require, "Require None", "VerifyCa None"),
            (VerifyFull, "VerifyFull None", "VerifyFull None"),
        ] {
            assert_eq!([attempts(mode, false), attempts(mode, true)], [plain, rooted]);
        }
    }

    #[test]
    fn what_nobody_has_said_is_found_out_once() {
        let unsaid = Encryption::new(PgSslMode::Prefer, false, true);
        assert!(matches!(unsaid.first(), PgSslMode::Require));
        let none = Error::Tls("server does not support TLS".into());
        assert!(matches!(unsaid.after(&none), Some(PgSslMode::Disable)));
        assert!(matches!(unsaid.first(), PgSslMode::Prefer));
        assert_eq!(unsaid.advice(), Some(ADVICE));

        let offered = Encryption::new(PgSslMode::Prefer, false, true);
        assert_eq!(offered.advice(), None);
        assert!(matches!(offered.first(), PgSslMode::Prefer));
    }
}

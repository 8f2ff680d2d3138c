//! How far the driver is on its way in, from what it says to the server: it connects, shakes hands and logs in within one
//! call.
//!
//! Looks at the first message and at the headers of TLS records, until the first one that is no handshake's. Keeps
//! nothing of them.

use crate::checks::Run;
use crate::model::Phase;

/// The message that asks for TLS.
const TLS_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
/// How the first byte of a TLS handshake looks.
const HANDSHAKE: u8 = 22;
/// The type of an encrypted record. In TLS 1.3 the last word of a handshake is one too, and what follows it waits for
/// nothing, so the first is where logging in begins.
const ENCRYPTED: u8 = 23;
/// An encrypted alert, by which a client ends a handshake of TLS 1.3 that it does not like, is not longer.
const ALERT: usize = 24;

/// Tells `run` where the driver is.
pub(super) struct Handshake {
    run: Run,
    at: At,
    /// What is there of the message or header that is being read.
    head: Vec<u8>,
}

enum At {
    First,
    /// TLS was asked for.
    Answered,
    Record,
    /// So many bytes of a record are left.
    Inside(usize),
    LoggingIn,
}

impl Handshake {
    pub(super) fn new(run: &Run) -> Self {
        Self { run: run.clone(), at: At::First, head: Vec::new() }
    }

    /// Takes in what the driver said.
    pub(super) fn hear(&mut self, mut said: &[u8]) {
        while !said.is_empty() {
            match self.at {
                At::First => {
                    let Some(message) = self.read::<8>(&mut said) else { return };
                    if message == TLS_REQUEST {
                        self.run.begin_phase(Phase::Tls);
                        self.at = At::Answered;
                    } else {
                        self.log_in();
                    }
                }
                // The server may have said no, and the driver may go on without.
                At::Answered if said.first() == Some(&HANDSHAKE) => self.at = At::Record,
                At::Answered => self.log_in(),
                At::Record => {
                    let Some([kind, _, _, high, low]) = self.read::<5>(&mut said) else { return };
                    let length = usize::from(u16::from_be_bytes([high, low]));
                    if kind == ENCRYPTED && length > ALERT {
                        self.log_in();
                    } else {
                        self.at = At::Inside(length);
                    }
                }
                At::Inside(0) => self.at = At::Record,
                At::Inside(left) => {
                    let here = left.min(said.len());
                    said = said.get(here..).unwrap_or_default();
                    self.at = At::Inside(left - here);
                }
                At::LoggingIn => return,
            }
        }
    }

    fn log_in(&mut self) {
        self.run.begin_phase(Phase::Auth);
        self.at = At::LoggingIn;
    }

    /// The next `N` bytes, once they are all there.
    fn read<const N: usize>(&mut self, said: &mut &[u8]) -> Option<[u8; N]> {
        let missing = N.saturating_sub(self.head.len()).min(said.len());
        let (now, rest) = said.split_at_checked(missing)?;
        self.head.extend_from_slice(now);
        *said = rest;
        let whole = self.head.as_slice().try_into().ok()?;
        self.head.clear();
        Some(whole)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn record(kind: u8, length: u8) -> Vec<u8> {
        [&[kind, 3, 3, 0, length], vec![0; length.into()].as_slice()].concat()
    }

    /// The phase after each message, whether they come whole or in bytes.
    fn phases(messages: &[Vec<u8>]) -> Vec<Option<Phase>> {
        let run = |whole: bool| {
            let run = Run::new(Duration::from_secs(5));
            let mut handshake = Handshake::new(&run);
            let hear = |message: &Vec<u8>| {
                message.chunks(if whole { message.len() } else { 1 }).for_each(|part| handshake.hear(part));
                run.last_phase()
            };
            messages.iter().map(hear).collect::<Vec<_>>()
        };
        assert_eq!(run(true), run(false));
        run(true)
    }

    const START: &[u8] = b"\0\0\0\x29\0\x03\0\0user\0me\0";

    #[test]
    fn without_tls_the_first_message_logs_in() {
        assert_eq!(phases(&[START.to_vec()]), [Some(Phase::Auth)]);
        assert_eq!(phases(&[TLS_REQUEST.to_vec(), START.to_vec()]), [Some(Phase::Tls), Some(Phase::Auth)]);
    }

    #[test]
    fn with_tls_the_first_words_after_the_handshake_do() {
        let new = [TLS_REQUEST.to_vec(), record(22, 200), record(20, 1), record(23, 53), record(23, 90)];
        let tls = Some(Phase::Tls);
        assert_eq!(phases(&new), [tls, tls, tls, Some(Phase::Auth), Some(Phase::Auth)]);
        let old = [TLS_REQUEST.to_vec(), record(22, 200), record(22, 40), record(20, 1), record(22, 40)];
        assert_eq!(phases(&old), [tls; 5]);
    }

    #[test]
    fn a_handshake_that_the_driver_gives_up_is_still_tls() {
        let told = phases(&[TLS_REQUEST.to_vec(), record(22, 200), record(23, 19)]);
        assert_eq!(told.last(), Some(&Some(Phase::Tls)));
    }
}

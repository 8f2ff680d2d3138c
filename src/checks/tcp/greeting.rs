//! The greeting of MySQL and MariaDB, which speak first, and what they say in its place to whom they do not let in.
//!
//! Pure functions over bytes. A server counts each connection without a login as an error, and after `max_connect_errors`
//! of them from one host without a login between it takes no connection from that host any more: not from the
//! application either.

use crate::model::{Cause, Outcome};

/// Where these servers listen unless told otherwise.
pub(super) const PORT: u16 = 3306;

/// What such a check does to the server.
pub(super) const COUNTED: &str = "each run counts as a connection error at a MySQL or MariaDB server, which locks this \
                                  host out after `max_connect_errors` of them";

/// What to do about it.
pub(super) const HELP: &str = "start the server with `skip_name_resolve`, with which it locks nobody out, or raise its \
                               `max_connect_errors`";

/// Both, for a server that has been recognised.
pub(super) const ADVICE: &str = "each run counts as a connection error at this server; start it with `skip_name_resolve`, \
                                 or raise its `max_connect_errors`, or it locks this host out";

/// How the answer of a server begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Greeting {
    /// MySQL or MariaDB waits for a login.
    Mysql,
    /// The same, but it lets nobody in, for the reason with this number.
    Refusal(u16),
    /// Anything else.
    Other,
}

/// The head of a packet: three bytes of length, and a number that is 0 for the first one.
const HEAD: usize = 4;
const PROTOCOL: u8 = 10;
const ERROR: u8 = 0xff;
/// Between the version's end and the filler: the number of the connection and the first part of the challenge.
const TO_FILLER: usize = 12;

/// Too many connections.
const CON_COUNT_ERROR: u16 = 1040;
/// Too many connection errors from this host.
const HOST_IS_BLOCKED: u16 = 1129;
/// No account is for this host.
const HOST_NOT_PRIVILEGED: u16 = 1130;

/// What `answer` begins with.
pub(super) fn of(answer: &[u8]) -> Greeting {
    recognised(answer).unwrap_or(Greeting::Other)
}

fn recognised(answer: &[u8]) -> Option<Greeting> {
    let (&[low, middle, high, 0], rest) = answer.split_first_chunk::<HEAD>()? else { return None };
    let length = usize::try_from(u32::from_le_bytes([low, middle, high, 0])).ok()?;
    match rest.get(..length)?.split_first()? {
        (&PROTOCOL, rest) => {
            let end = rest.iter().position(|byte| *byte == 0)?;
            let (version, rest) = rest.split_at_checked(end)?;
            let is_text = !version.is_empty() && version.iter().all(u8::is_ascii_graphic);
            (is_text && rest.get(1 + TO_FILLER) == Some(&0)).then_some(Greeting::Mysql)
        }
        (&ERROR, rest) => {
            let (code, text) = rest.split_first_chunk()?;
            let code = u16::from_le_bytes(*code);
            let is_text = !text.is_empty() && text.iter().all(|byte| !byte.is_ascii_control());
            (is_text && (1000..5000).contains(&code)).then_some(Greeting::Refusal(code))
        }
        _ => None,
    }
}

/// The outcome where the server lets nobody in for the reason with this number.
pub(super) fn refused(code: u16) -> Outcome {
    Outcome::caused_by(match code {
        HOST_IS_BLOCKED => Cause::HostBlocked,
        HOST_NOT_PRIVILEGED => Cause::HostDenied,
        CON_COUNT_ERROR => Cause::NoFreeConnection,
        _ => Cause::ServerError,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};

    fn packet(payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
        [&length[..3], &[0], payload].concat()
    }

    fn greeting(version: &str) -> Vec<u8> {
        let rest = b"\0\x04\0\0\0-}Q\\Y-qs\0\xfe\xf7\x08\x02\0\xff\x81\x15\0\0\0\0\0\0\x1d\0\0\0oT6Mc+Iotwz|\0mysql_native_password\0";
        packet(&[&[PROTOCOL], version.as_bytes(), rest].concat())
    }

    #[test]
    fn servers_are_recognised_by_their_greeting() {
        assert_eq!(of(&greeting("5.5.5-10.11.19-MariaDB-0+deb12u1")), Greeting::Mysql);
        assert_eq!(of(&greeting("8.4.2")), Greeting::Mysql);
        let whole = greeting("8.4.2");
        for length in 0..whole.len() {
            assert_eq!(of(&whole[..length]), Greeting::Other, "{length}");
        }
    }

    #[test]
    fn what_they_say_in_its_place_is_a_failure() {
        let blocked = b"\xffi\x04Host '192.0.2.2' is blocked because of many connection errors";
        assert_eq!(of(&packet(blocked)), Greeting::Refusal(HOST_IS_BLOCKED));
        assert_eq!(
            of(&packet(b"\xff\x10\x04#08004Too many connections")),
            Greeting::Refusal(CON_COUNT_ERROR)
        );
    }

    #[test]
    fn others_are_not_mistaken_for_them() {
        for other in [
            &b"SSH-2.0-OpenSSH_9.2p1\r\n"[..],
            b"220 mail ESMTP\r\n",
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            b"\x15\x03\x03\x00\x02\x02\x46",
            b"\x03\0\0\0\x0aab",
            b"\x05\0\0\0\xff\0\0ab",
        ] {
            assert_eq!(of(other), Greeting::Other, "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn garbage_is_read_without_harm(bytes in any::<Vec<u8>>()) {
            let _ = of(&bytes);
            let _ = of(&packet(&bytes));
        }
    }
}

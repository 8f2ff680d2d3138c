//! Peers for anything that connects and reads text, such as a mail server's greeting.

use super::{
    Behaviour::{Endless, Huge, Silent},
    End, Peer, Step, endless, say, stages,
};

/// What a good server says, and what a check waits for.
pub(crate) const GREETING: &[u8] = b"220 mail.test ESMTP ready\r\n";
pub(crate) const EXPECTED: &str = "ready";

/// For a check that expects [`EXPECTED`].
pub(crate) fn peers() -> Vec<Peer> {
    let mut peers = stages("tcp", &[say(GREETING)], 1);
    peers.extend([
        Peer::new("tcp_lines", Endless, vec![], endless(&b"220-not yet\r\n"[..])),
        Peer::new("tcp_one_line", Huge, vec![], endless(&b"220-and on and on and on "[..])),
        Peer::new("tcp_nothing_after_the_greeting", Endless, vec![say(GREETING)], endless(&b"\0"[..]))
            .may_pass(),
        Peer::new("tcp_deaf", Silent, vec![], End::Deaf),
        Peer::new("tcp_echo_of_nothing", Endless, vec![Step::Hear], endless(&b"\r\n"[..])),
    ]);
    peers
}

//! AMQP 0-9-1. A check logs in, opens the virtual host, looks at a queue, asks for alarms and says good-bye.

use super::{
    Behaviour::{Endless, Huge, Lying, Silent},
    End, Peer, Step, endless, say, stages,
};

/// A frame as it should be.
fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    lying(kind, channel, u32::try_from(payload.len()).unwrap(), payload, 0xCE)
}

fn lying(kind: u8, channel: u16, length: u32, payload: &[u8], end: u8) -> Vec<u8> {
    [&[kind][..], &channel.to_be_bytes(), &length.to_be_bytes(), payload, &[end]].concat()
}

fn method(channel: u16, (class, number): (u16, u16), arguments: &[u8]) -> Vec<u8> {
    frame(1, channel, &[&class.to_be_bytes(), &number.to_be_bytes(), arguments].concat())
}

fn long(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

fn start() -> Vec<u8> {
    let capabilities = long(b"\x12connection.blockedt\x01");
    let properties = long(&[&b"\x0ccapabilitiesF"[..], &capabilities].concat());
    let mechanisms = [long(b"PLAIN AMQPLAIN"), long(b"en_US")].concat();
    method(0, (10, 10), &[&[0, 9], &properties[..], &mechanisms].concat())
}

fn tune() -> Vec<u8> {
    method(0, (10, 30), &[0, 16, 0, 2, 0, 0, 0, 60])
}

fn declared() -> Vec<u8> {
    method(1, (50, 11), b"\x04jobs\0\0\0\x01\0\0\0\x02")
}

/// A good conversation with a check of the queue `jobs`.
pub(crate) fn good() -> Vec<Step> {
    let opened = method(0, (10, 41), b"\0");
    let channel = method(1, (20, 11), b"\0\0\0\0");
    let closed = method(0, (10, 51), b"");
    [start(), tune(), opened, channel, declared(), closed]
        .into_iter()
        .flat_map(|said| [Step::Hear, say(said)])
        .collect()
}

/// For a check of the queue `jobs`.
pub(crate) fn peers() -> Vec<Peer> {
    // What becomes of the good-bye changes no verdict.
    let mut peers = stages("amqp", &good(), 5);
    let until = |answers: usize| good().into_iter().take(2 * answers + 1).collect::<Vec<_>>();
    let ends = [("", 0), ("_after_login", 2), ("_for_the_queue", 4), ("_for_the_good_bye", 5)];
    for (name, unit) in [
        ("heartbeats", frame(8, 0, b"")),
        ("blocked", method(0, (10, 60), b"\x06memory")),
        ("unblocked", method(0, (10, 61), b"")),
        ("starts", start()),
        ("unknown_methods", method(0, (90, 90), b"")),
        ("bodies", frame(3, 1, b"hello")),
        ("channel_closes", method(1, (20, 40), b"\x01\x94\x02no\0\x32\0\x0a")),
        ("acknowledgements", method(1, (60, 80), b"\0\0\0\0\0\0\0\x01\0")),
    ] {
        for (when, answers) in ends {
            let mut peer =
                Peer::new(format!("amqp_{name}{when}"), Endless, until(answers), endless(unit.clone()));
            peer.may_pass = answers == 5;
            peers.push(peer);
        }
    }
    peers.push(Peer::new("amqp_deaf", Silent, until(2), End::Deaf));
    let mut add = |name: &str, behaviour, answers, bytes: Vec<u8>, end| {
        let steps = [&until(answers)[..], &[say(bytes)]].concat();
        peers.push(Peer::new(format!("amqp_{name}"), behaviour, steps, end));
    };
    let head = |length: u32| [&[1, 0, 0][..], &length.to_be_bytes()].concat();
    for (name, length) in [("2_gib", 0x7fff_ffff), ("4_gib", u32::MAX), ("largest", 128 * 1024 - 8)] {
        add(&format!("frame_{name}"), Huge, 0, head(length), endless(&b"x"[..]));
        add(&format!("frame_{name}_for_the_queue"), Huge, 4, head(length), endless(&b"x"[..]));
        add(&format!("frame_{name}_and_silent"), Huge, 2, head(length), End::Silent);
    }
    for (name, bytes) in [
        ("empty_method", frame(1, 0, b"")),
        ("cut_method", frame(1, 0, b"\0\x0a")),
        ("cut_arguments", method(0, (10, 10), b"\0\x09\xff\xff\xff\xff")),
        ("table_2_gib", method(0, (10, 10), b"\0\x09\x7f\xff\xff\xff")),
        ("no_end", lying(1, 0, 4, b"\0\x0a\0\x0a", 0)),
        ("too_short", lying(1, 0, 1, &start(), 0xCE)),
        ("unknown_frame", frame(77, 0, b"")),
        ("other_version", b"AMQP\0\x01\0\0".to_vec()),
    ] {
        add(name, Lying, 0, bytes.clone(), End::Silent);
        add(&format!("{name}_after_login"), Lying, 2, bytes, End::Silent);
    }
    add("declared_cut", Lying, 4, method(1, (50, 11), b"\xffjobs"), End::Silent);
    add("frame_max_0_and_silent", Lying, 1, method(0, (10, 30), &[0; 8]), End::Silent);
    peers
}

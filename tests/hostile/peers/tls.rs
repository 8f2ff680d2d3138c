//! TLS that is none, or none that may be: for every kind that asks for it, after what that kind says before.

use super::{
    Behaviour::{Endless, Huge, WrongTls},
    End, Peer, Step, endless, say,
};

fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind, 3, 3], &length[..], payload].concat()
}

/// For a client of TLS that has come as far as `before`; `protocol` is its word for the names of the peers. What a good
/// handshake is followed by is `inside`.
pub(crate) fn peers(protocol: &str, before: &[Step], inside: &[(&str, Vec<u8>)]) -> Vec<Peer> {
    let mut peers = Vec::new();
    let mut add = |name: &str, behaviour, said: Vec<u8>, end| {
        let steps = [before, &[Step::Hear, say(said)]].concat();
        peers.push(Peer::new(format!("{protocol}_tls_{name}"), behaviour, steps, end));
    };
    add("plain_http", WrongTls, b"HTTP/1.1 400 Bad Request\r\n\r\nno TLS here\r\n".to_vec(), End::Close);
    add("plain_text", WrongTls, b"220 ready\r\n".to_vec(), End::Silent);
    add("garbage_record", WrongTls, record(22, b"\xff\xff\xff\xffgarbage"), End::Silent);
    add("unknown_record", WrongTls, record(99, b"what"), End::Silent);
    add("wrong_version", WrongTls, record(21, &[2, 70]), End::Close);
    add("record_of_0", WrongTls, record(22, b""), End::Silent);
    add("record_too_long", WrongTls, vec![22, 3, 3, 0xff, 0xff], endless(&b"x"[..]));
    add("old_version", WrongTls, vec![22, 2, 0, 0, 4, 2, 0, 0, 0], End::Silent);
    add("closes_mid_record", WrongTls, vec![22, 3, 3, 0, 200, 2, 0], End::Close);
    add("resets_mid_record", WrongTls, vec![22, 3, 3, 0, 200, 2, 0], End::Reset);
    add("silent_mid_record", WrongTls, vec![22, 3, 3, 0, 200, 2, 0], End::Silent);
    add("hello_16_mib", Huge, vec![22, 3, 3, 0x40, 0, 2, 0xff, 0xff, 0xff], endless(&b"x"[..]));
    // A server's greeting of 16 MiB in good records.
    add("long_hello", Huge, record(22, &[2, 0xff, 0xff, 0xff]), endless(record(22, &[0; 16_000])));
    add("hello_in_bytes", Huge, record(22, &[2, 0xff, 0xff, 0xff]), endless(record(22, &[0])));
    for (name, unit) in [
        ("hello_requests", record(22, &[0, 0, 0, 0])),
        ("empty_records", record(22, b"")),
        ("warnings", record(21, &[1, 90])),
        ("cipher_changes", record(20, &[1])),
        ("data", record(23, b"x")),
        ("certificates", record(22, &[11, 0, 0, 3, 0, 0, 0])),
    ] {
        let end = endless(unit);
        let steps = [before, &[Step::Hear]].concat();
        peers.push(Peer::new(format!("{protocol}_tls_endless_{name}"), Endless, steps, end));
    }
    for (name, unit) in inside {
        let steps = [before, &[Step::Encrypt("http/1.1"), Step::Hear]].concat();
        peers.push(Peer::new(
            format!("{protocol}_inside_{name}"),
            Endless,
            steps.clone(),
            endless(unit.clone()),
        ));
        let said = [&steps[..], &[say(unit.clone())]].concat();
        peers.push(Peer::new(format!("{protocol}_inside_{name}_reset"), WrongTls, said, End::Reset));
    }
    peers
}

//! HTTP/1.1, and HTTP/2 in TLS. A check wants a body in JSON that says so.

use std::sync::LazyLock;

use super::{
    Behaviour::{Endless, Huge, Lying, Silent},
    End, Peer, Step, endless, say, stages,
};

/// Checks that want to hear that all is well; `@` is the address.
pub(crate) const CHECK: &str = "kind: http, url: 'http://@/', expect: { json: { '$.status': ok } }";
pub(crate) const KEPT: &str =
    "kind: http, url: 'http://@/', expect: { json: { '$.status': ok } }, reuse: true";
pub(crate) const CHECK_OF_TLS: &str =
    "kind: http, url: 'https://@/', expect: { json: { '$.status': ok } }, insecure_skip_verify: true";
const STATUS: &[u8] = b"HTTP/1.1 200 OK\r\n";
const CHUNKED: &[u8] = b"Transfer-Encoding: chunked\r\n\r\n";

/// A good conversation.
pub(crate) fn good() -> Vec<Step> {
    vec![
        Step::Hear,
        say(STATUS),
        say(CHUNKED),
        say(&b"f\r\n{\"status\":\"ok\"}\r\n"[..]),
        say(&b"0\r\n\r\n"[..]),
    ]
}

/// Spaces that unpack to hundreds of times their size. Made once: it takes a second.
static BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| {
    use std::io::Write as _;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&vec![b' '; 16 << 20]).unwrap();
    packed.finish().unwrap()
});

/// For [`CHECK`].
pub(crate) fn peers() -> Vec<Peer> {
    let mut peers = stages("http", &good(), 4);
    let mut add = |name: &str, behaviour, said: &[&[u8]], end| {
        let steps = [vec![Step::Hear], said.iter().map(|part| say(part.to_vec())).collect()].concat();
        peers.push(Peer::new(format!("http_{name}"), behaviour, steps, end));
    };
    for (name, said, unit) in [
        ("early_hints", &[][..], &b"HTTP/1.1 103 Early Hints\r\n\r\n"[..]),
        ("continues", &[], b"HTTP/1.1 100 Continue\r\n\r\n"),
        ("hints_with_headers", &[], b"HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n"),
        ("answers", &[], b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("empty_lines", &[], b"\r\n"),
        ("headers", &[STATUS], b"x: y\r\n"),
        ("folded_headers", &[STATUS, b"x: y\r\n"], b" y\r\n"),
        ("chunks", &[STATUS, CHUNKED], b"1\r\n \r\n"),
        ("large_chunks", &[STATUS, CHUNKED], b"10\r\n                \r\n"),
        ("trailers", &[STATUS, CHUNKED, b"0\r\n"], b"x: y\r\n"),
        ("body", &[STATUS, b"\r\n"], b" "),
        ("body_of_errors", &[b"HTTP/1.1 500 Oh\r\n\r\n"], b" "),
        ("redirects", &[], b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"),
    ] {
        add(name, Endless, said, endless(unit.to_vec()));
    }
    for (name, said, unit) in [
        ("status_line", &[&b"HTTP/1.1 200 "[..]][..], &b"OK "[..]),
        ("header_name", &[STATUS], b"x"),
        ("header_value", &[STATUS, b"x: "], b"y"),
        ("version", &[b"HTTP/"], b"1"),
        ("length_8_eib", &[STATUS, b"content-length: 9223372036854775807\r\n\r\n"], b" "),
        ("chunk_8_eib", &[STATUS, CHUNKED, b"7fffffffffffffff\r\n"], b" "),
        ("chunk_size", &[STATUS, CHUNKED], b"0"),
        ("chunk_extension", &[STATUS, CHUNKED, b"1;"], b"x"),
        ("json_depth", &[STATUS, b"\r\n"], b"["),
    ] {
        add(name, Huge, said, endless(unit.to_vec()));
    }
    let packed = format!("content-encoding: gzip\r\ncontent-length: {}\r\n\r\n", BOMB.len());
    add("bomb", Huge, &[STATUS, packed.as_bytes(), &BOMB], End::Silent);
    let nested = [vec![b'['; 200_000], vec![b']'; 200_000]].concat();
    add("nested_json", Huge, &[STATUS, b"content-length: 400000\r\n\r\n", &nested], End::Silent);
    for (name, said) in [
        ("length_negative", &b"content-length: -1\r\n\r\n"[..]),
        ("length_beyond_64_bits", b"content-length: 99999999999999999999999\r\n\r\n"),
        ("lengths_that_differ", b"content-length: 1\r\ncontent-length: 20\r\n\r\n{}"),
        ("length_too_long", b"content-length: 200\r\n\r\n{\"status\":\"ok\"}"),
        ("length_too_short", b"content-length: 3\r\n\r\n{\"status\":\"ok\"}"),
        ("chunk_beyond_64_bits", b"transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n"),
        ("chunk_negative", b"transfer-encoding: chunked\r\n\r\n-1\r\n"),
        ("chunk_too_short", b"transfer-encoding: chunked\r\n\r\n2\r\n{\"status\":\"ok\"}\r\n0\r\n\r\n"),
        ("not_gzip", b"content-encoding: gzip\r\ncontent-length: 15\r\n\r\n{\"status\":\"ok\"}"),
        ("upgrade", b"upgrade: websocket\r\nconnection: upgrade\r\ncontent-length: 0\r\n\r\n"),
    ] {
        add(name, Lying, &[STATUS, said], End::Silent);
    }
    add("switching", Lying, &[b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n"], End::Silent);
    add("status_0", Lying, &[b"HTTP/1.1 000 None\r\n\r\n"], End::Silent);
    add("status_99999", Lying, &[b"HTTP/1.1 99999 Many\r\n\r\n"], End::Silent);
    peers.push(Peer::new("http_deaf", Silent, vec![Step::Hear], End::Deaf));
    // It answers before it is asked.
    peers.push(Peer::new("http_early_body", Endless, vec![], endless(&b"HTTP/1.1 200 OK\r\n\r\n"[..])));
    peers
}

/// A frame of HTTP/2.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    announced(payload.len(), kind, flags, stream, payload)
}

fn announced(length: usize, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(length).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// For [`CHECK_OF_TLS`].
pub(crate) fn second_peers() -> Vec<Peer> {
    let settings = || frame(4, 0, 0, b"");
    // :status 200, from the static table.
    let head = || frame(1, 4, 1, &[0x88]);
    let body = frame(0, 1, 1, b"{\"status\":\"ok\"}");
    let opened = [Step::Encrypt("h2"), Step::Hear, say(settings())];
    let good = [&opened[..], &[say(head()), say(body)]].concat();
    let mut peers = stages("h2", &good, 4);
    for (name, said, unit) in [
        ("settings", vec![], settings()),
        ("settings_acks", vec![], frame(4, 1, 0, b"")),
        ("pings", vec![], frame(6, 0, 0, &[0; 8])),
        ("window_updates", vec![], frame(8, 0, 0, &[0, 0, 0, 1])),
        ("priorities", vec![], frame(2, 0, 3, &[0, 0, 0, 0, 1])),
        ("unknown_frames", vec![], frame(0xbb, 0, 0, b"")),
        ("go_aways", vec![], frame(7, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0])),
        ("early_hints", vec![], frame(1, 4, 1, &[0x08, 3, b'1', b'0', b'3'])),
        ("continuations", vec![frame(1, 0, 1, &[0x88])], frame(9, 0, 1, b"")),
        ("headers", vec![frame(1, 0, 1, &[0x88])], frame(9, 0, 1, &[0x00, 1, b'x', 1, b'y'])),
        ("empty_data", vec![head()], frame(0, 0, 1, b"")),
        ("data", vec![head()], frame(0, 0, 1, b" ")),
        ("padding", vec![head()], frame(0, 8, 1, &[3, 0, 0, 0])),
        ("pushes", vec![], frame(5, 4, 1, &[0, 0, 0, 2, 0x88])),
    ] {
        let steps = [&opened[..], &said.into_iter().map(say).collect::<Vec<_>>()].concat();
        peers.push(Peer::new(format!("h2_{name}"), Endless, steps, endless(unit)));
    }
    for (name, behaviour, bytes, unit) in [
        ("frame_16_mib", Huge, announced(0x00ff_ffff, 4, 0, 0, b""), &b"x"[..]),
        ("data_16_mib", Huge, [head(), announced(0x00ff_ffff, 0, 0, 1, b"")].concat(), b" "),
        ("header_16_mib", Huge, announced(0x00ff_ffff, 1, 0, 1, &[0x88]), b"x"),
        ("header_value", Huge, frame(1, 0, 1, &[0x00, 1, b'x', 0x7f, 0xff, 0xff, 0xff, 0x7f]), b"y"),
        ("settings_cut", Lying, frame(4, 0, 0, &[0, 1]), b""),
        ("window_overflow", Lying, frame(8, 0, 0, &[0x7f, 0xff, 0xff, 0xff]), b""),
        ("window_0", Lying, frame(8, 0, 0, &[0; 4]), b""),
        ("stream_0_data", Lying, frame(0, 0, 0, b"x"), b""),
        ("hpack_index", Lying, frame(1, 4, 1, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), b""),
        ("padding_too_long", Lying, [head(), frame(0, 8, 1, &[200, 0])].concat(), b""),
        ("first_answers", Lying, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec(), b""),
    ] {
        let steps = [&opened[..], &[say(bytes)]].concat();
        let end = if unit.is_empty() { End::Silent } else { endless(unit) };
        peers.push(Peer::new(format!("h2_{name}"), behaviour, steps, end));
    }
    peers
}

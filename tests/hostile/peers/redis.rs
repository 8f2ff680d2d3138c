//! Redis. A check with a password asks AUTH, PING and INFO; from PONG on it may be healthy, because what becomes of INFO
//! changes no verdict.

use super::{
    Behaviour::{Endless, Huge, Lying, Silent},
    End, Peer, Step, endless, say, stages,
};

const OK: &[u8] = b"+OK\r\n";
const PONG: &[u8] = b"+PONG\r\n";
const MEMORY: &[u8] = b"$36\r\nused_memory:1024\r\nmaxmemory:0\r\nend:1\r\n";

/// A good conversation.
pub(crate) fn good() -> Vec<Step> {
    [OK, PONG, MEMORY].into_iter().flat_map(|answer| [Step::Hear, say(answer)]).collect()
}

/// For a check with a password.
pub(crate) fn peers() -> Vec<Peer> {
    let mut peers = stages("redis", &good(), 2);
    let (first, logged_in) = (vec![Step::Hear], vec![Step::Hear, say(OK), Step::Hear]);
    for (name, unit) in [
        ("pushes", &b">3\r\n+message\r\n+channel\r\n+news\r\n"[..]),
        ("errors", b"-LOADING Redis is loading the dataset in memory\r\n"),
        ("nulls", b"$-1\r\n"),
        ("empty_lists", b"*0\r\n"),
        ("attributes", b"|1\r\n+ttl\r\n:1\r\n"),
        ("numbers", b":1\r\n"),
    ] {
        peers.push(Peer::new(format!("redis_{name}"), Endless, first.clone(), endless(unit)));
        peers.push(Peer::new(format!("redis_{name}_after_login"), Endless, logged_in.clone(), endless(unit)));
    }
    peers.push(Peer::new("redis_oks", Endless, first.clone(), endless(OK)));
    peers.push(Peer::new("redis_pongs", Endless, logged_in.clone(), endless(PONG)).may_pass());
    peers.push(Peer::new("redis_deaf", Silent, logged_in.clone(), End::Deaf));
    let lies = [
        ("bulk_2_gib", Huge, &b"$2147483647\r\n"[..], &b"0123456789abcdef"[..]),
        ("bulk_8_eib", Huge, b"$9223372036854775807\r\n", b"0123456789abcdef"),
        ("line_without_end", Huge, b"+", b"PONG"),
        ("number_without_end", Huge, b":", b"1"),
        ("length_without_end", Huge, b"$", b"1"),
        ("error_without_end", Huge, b"-ERR ", b"no "),
        ("list_of_2_gi", Huge, b"*2147483647\r\n", b"+PONG\r\n"),
        ("map_of_2_gi", Huge, b"%2147483647\r\n", b"+PONG\r\n"),
        ("list_in_list", Huge, b"", b"*1\r\n"),
        ("big_number", Huge, b"(", b"9"),
        ("verbatim_2_gib", Huge, b"=2147483647\r\ntxt:", b"x"),
        ("bulk_negative", Lying, b"$-2\r\n", b""),
        ("list_negative", Lying, b"*-5\r\n", b""),
        ("bulk_too_short", Lying, b"$2\r\nPONG\r\n", b""),
        ("bulk_too_long", Lying, b"$400\r\nPONG\r\n", b""),
        ("bulk_beyond_64_bits", Lying, b"$99999999999999999999999999\r\n", b""),
        ("list_beyond_64_bits", Lying, b"*99999999999999999999999999\r\n", b""),
        ("length_is_no_number", Lying, b"$x\r\n", b""),
        ("list_of_8_ei", Lying, b"*9223372036854775807\r\n", b""),
        ("map_of_8_ei", Lying, b"%9223372036854775807\r\n", b""),
        ("set_of_4_gi", Lying, b"~4294967295\r\n", b""),
        ("push_of_4_gi", Lying, b">4294967295\r\n", b""),
    ];
    for (name, behaviour, head, unit) in lies {
        let end = if unit.is_empty() { End::Silent } else { endless(unit) };
        let steps = [&logged_in[..], &[say(head)]].concat();
        peers.push(Peer::new(format!("redis_{name}"), behaviour, steps, end));
    }
    peers
}

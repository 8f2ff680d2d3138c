//! PostgreSQL, protocol 3. Without TLS a check says who it is, begins a read-only transaction, asks its query and ends the
//! transaction in one go.

use super::{
    Behaviour::{Endless, Huge, Lying, Silent},
    End, Peer, Step, endless, say, stages,
};

/// A message as it should be.
pub(crate) fn message(kind: u8, payload: &[u8]) -> Vec<u8> {
    lying(kind, u32::try_from(payload.len() + 4).unwrap(), payload)
}

/// A message whose length is a lie.
fn lying(kind: u8, length: u32, payload: &[u8]) -> Vec<u8> {
    [&[kind][..], &length.to_be_bytes(), payload].concat()
}

fn ready(status: u8) -> Vec<u8> {
    message(b'Z', &[status])
}

fn done(tag: &str) -> Vec<u8> {
    message(b'C', format!("{tag}\0").as_bytes())
}

/// One column, an int4 called n.
fn columns() -> Vec<u8> {
    message(b'T', b"\0\x01n\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0")
}

fn row() -> Vec<u8> {
    message(b'D', b"\0\x01\0\0\0\x011")
}

fn notice() -> Vec<u8> {
    message(b'N', b"SNOTICE\0VNOTICE\0C00000\0Mhello\0\0")
}

fn parameter() -> Vec<u8> {
    message(b'S', b"application_name\0hello\0")
}

/// It lets the client in.
fn welcome() -> Vec<u8> {
    [message(b'R', &[0; 4]), parameter(), message(b'K', &[0, 0, 0, 1, 0, 0, 0, 2]), ready(b'I')].concat()
}

/// The transaction has begun, whatever was set with it.
fn begun() -> Vec<u8> {
    [done("BEGIN"), done("SET"), done("SET"), ready(b'T')].concat()
}

/// The statement was understood.
fn prepared() -> Vec<u8> {
    [message(b'1', b""), message(b'2', b""), columns()].concat()
}

/// The query is over, and the transaction.
fn over() -> Vec<u8> {
    [done("SELECT 1"), ready(b'T'), done("ROLLBACK"), ready(b'I')].concat()
}

/// Up to where the rows of the query are wanted.
fn asked() -> Vec<Step> {
    [&good()[..5], &[say(prepared())]].concat()
}

/// A good conversation.
pub(crate) fn good() -> Vec<Step> {
    vec![
        Step::Hear,
        say(welcome()),
        Step::Hear,
        say(begun()),
        Step::Hear,
        say(prepared()),
        say([row(), done("SELECT 1"), ready(b'T')].concat()),
        say([done("ROLLBACK"), ready(b'I')].concat()),
    ]
}

/// The first message of SCRAM that makes the client hash for hours.
fn hash_for_hours(heard: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(heard).into_owned();
    let nonce = text.split_once("r=").map_or("", |(_, nonce)| nonce);
    let first = format!("r={nonce}server,s=c2FsdHNhbHQ=,i=4294967295");
    message(b'R', &[&[0, 0, 0, 11], first.as_bytes()].concat())
}

/// For a check with a password, without TLS.
pub(crate) fn peers() -> Vec<Peer> {
    let mut peers = stages("pg", &good(), 4);
    let (first, welcomed) = (vec![Step::Hear], vec![Step::Hear, say(welcome()), Step::Hear]);
    let (begun_already, asked) = (good()[..5].to_vec(), asked());
    for (name, unit) in [
        ("notices", notice()),
        ("parameters", parameter()),
        ("notifications", message(b'A', b"\0\0\0\x01news\0\0")),
        ("completions", done("SELECT 1")),
        ("empty_answers", message(b'I', b"")),
        ("ready", ready(b'I')),
        ("authentications", message(b'R', &[0; 4])),
        ("parsed", message(b'1', b"")),
        ("columns", columns()),
        ("errors", message(b'E', b"SERROR\0C53300\0Mfull\0\0")),
    ] {
        for (when, steps) in [("", &first), ("_after_login", &welcomed), ("_for_the_query", &asked)] {
            peers.push(Peer::new(format!("pg_{name}{when}"), Endless, steps.clone(), endless(unit.clone())));
        }
    }
    peers.push(Peer::new("pg_rows", Endless, asked.clone(), endless(row())));
    // A parameter each time of another name is one more to keep.
    let names: Vec<u8> = (0..5_000)
        .flat_map(|n| message(b'S', format!("name{n}\0{}\0", "v".repeat(100)).as_bytes()))
        .collect();
    peers.push(Peer::new("pg_other_parameters", Endless, first.clone(), endless(names)));
    peers.push(Peer::new("pg_deaf", Silent, welcomed.clone(), End::Deaf));

    let huge = |kind| lying(kind, 0x7fff_ffff, b"");
    let wide_row = lying(b'D', 0x7fff_ffff, b"\0\x01\x7f\xff\xff\x00");
    let mut add = |name: &str, behaviour, steps: &Vec<Step>, bytes: Vec<u8>, end| {
        peers.push(Peer::new(format!("pg_{name}"), behaviour, [&steps[..], &[say(bytes)]].concat(), end));
    };
    let zeros = || endless(&[0; 4096][..]);
    add("notice_2_gib", Huge, &first, huge(b'N'), zeros());
    add("notice_2_gib_after_login", Huge, &welcomed, huge(b'N'), zeros());
    add("notice_2_gib_and_silent", Huge, &welcomed, huge(b'N'), End::Silent);
    add("error_2_gib", Huge, &welcomed, huge(b'E'), endless(&b"Mvery "[..]));
    add("row_2_gib", Huge, &asked, wide_row, endless(&b"1"[..]));
    add("columns_2_gib", Huge, &welcomed, lying(b'T', 0x7fff_ffff, b"\xff\xff"), endless(&b"n"[..]));
    add("parameter_2_gib", Huge, &first, huge(b'S'), endless(&b"x"[..]));
    add("4_gib", Huge, &first, lying(b'N', u32::MAX, b""), zeros());
    for (name, length) in [("0", 0), ("1", 1), ("3", 3), ("minus_1", u32::MAX), ("minus_2_gib", 0x8000_0000)]
    {
        add(&format!("length_{name}"), Lying, &welcomed, lying(b'N', length, b"x"), End::Silent);
        add(&format!("first_length_{name}"), Lying, &first, lying(b'R', length, b"x"), End::Silent);
        add(&format!("row_length_{name}"), Lying, &asked, lying(b'D', length, b"\0\x01"), End::Silent);
    }
    for (name, payload) in [
        ("more_columns_than_there_are", &b"\xff\xff\0\0\0\x011"[..]),
        ("column_longer_than_its_row", b"\0\x01\x7f\xff\xff\xff1"),
        ("no_columns", b"\0\0"),
        ("empty_row", b""),
    ] {
        let rows = [message(b'D', payload), over()].concat();
        add(name, Lying, &asked, rows, End::Silent);
    }
    for (name, payload) in [
        ("description_of_nothing", &b"\xff\xff"[..]),
        ("description_without_end", b"\0\x01name without end"),
        ("description_negative", b"\x80\0n\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0"),
        ("description_no_text", b"\0\x01\xff\xfe\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0"),
    ] {
        let said = [message(b'1', b""), message(b'2', b""), message(b'T', payload), row(), over()].concat();
        add(name, Lying, &begun_already, said, End::Silent);
    }
    for (name, payload) in [
        ("authentication_unknown", &[0, 0, 0, 99][..]),
        ("authentication_cut", &[0, 0]),
        ("sasl_without_mechanisms", &[0, 0, 0, 10]),
        ("sasl_other_mechanism", b"\0\0\0\x0aPLAIN\0\0"),
        ("md5_without_salt", &[0, 0, 0, 5]),
    ] {
        add(name, Lying, &first, message(b'R', payload), End::Silent);
    }
    // PostgreSQL's own library takes any negative length for no value, too.
    let negative = [message(b'D', b"\0\x01\xff\xff\xff\xfe"), over()].concat();
    let steps = [&asked[..], &[say(negative)]].concat();
    peers.push(Peer::new("pg_negative_column", Lying, steps, End::Silent).may_pass());
    let scram =
        [Step::Hear, say(message(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0")), Step::Answer(hash_for_hours)];
    peers.push(Peer::new("pg_hash_for_hours", Lying, scram.to_vec(), End::Silent));
    peers
}

/// What stands before TLS: it asks for it, and is told yes.
pub(crate) fn before_tls() -> Vec<Step> {
    vec![Step::Hear, say(&b"S"[..])]
}

/// For a check that wants TLS, before there is any.
pub(crate) fn tls_peers() -> Vec<Peer> {
    let mut peers = stages("pgs", &before_tls(), usize::MAX);
    for (name, unit) in [("yes", &b"S"[..]), ("no", b"N"), ("errors", &message(b'E', b"Mno\0\0"))] {
        let end = endless(unit.to_vec());
        peers.push(Peer::new(format!("pgs_{name}"), Endless, vec![Step::Hear], end));
    }
    peers
}

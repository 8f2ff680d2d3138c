//! Rule: a run takes in so many bytes and no more, whatever the peer says or announces, with TLS or without, before the
//! login or after it; then it fails and says so. Memory stays as it is.

use std::time::Duration;

use crate::figures::{Figures, mebibytes};
use crate::harness::{
    agent::{Agent, Launch},
    eventually::eventually,
    postgres::Postgres,
    process::{command, installed, output},
    scratch::Scratch,
    user::User,
};
use crate::peers::{
    Behaviour::{Endless, Huge},
    End, Peer, Peers, Step, endless,
    http::frame,
    postgres, say,
};

const SOON: Duration = Duration::from_secs(60);
/// What a check may add to the memory of the agent: what it takes in, twice while a buffer grows, and what is made of it.
const ROOM: u64 = 16 << 20;

/// A check of a peer; `{peer}` in the settings stands for its address.
struct Case {
    settings: &'static str,
    peer: Peer,
    cause: &'static str,
}

const POSTGRES: &str =
    "kind: postgres, url: 'postgres://me:secret@{peer}/db?sslmode=disable', query: 'select 1 as n'";
const POSTGRES_TLS: &str =
    "kind: postgres, url: 'postgres://me:secret@{peer}/db?sslmode=require', query: 'select 1 as n'";
const TOO_LARGE: &str = "answer_too_large";

fn case(settings: &'static str, name: &str, steps: Vec<Step>, end: End, cause: &'static str) -> Case {
    let behaviour = if matches!(end, End::Silent) { Huge } else { Endless };
    Case { settings, peer: Peer::new(name, behaviour, steps, end), cause }
}

/// Those that speak PostgreSQL, where `before` is what comes before its first message.
fn of_postgres(settings: &'static str, before: &[Step]) -> Vec<Case> {
    let message = postgres::message;
    let after = |more: &[Step]| [before, more].concat();
    let welcome = [message(b'R', &[0; 4]), message(b'Z', b"I")].concat();
    let welcomed = after(&[Step::Hear, say(welcome), Step::Hear]);
    let begun = [message(b'C', b"BEGIN\0"), message(b'Z', b"T")].concat();
    let asked = [&welcomed[..], &[say(begun), Step::Hear]].concat();
    let first = after(&[Step::Hear]);
    let names: Vec<u8> = (0..5_000)
        .flat_map(|n| message(b'S', format!("name{n}\0{}\0", "v".repeat(200)).as_bytes()))
        .collect();
    let announced = |kind: u8| [&[kind][..], &0x7fff_ffff_u32.to_be_bytes()].concat();
    let zeros = || endless(&[0; 4096][..]);
    let huge = |steps: &Vec<Step>, kind| [&steps[..], &[say(announced(kind))]].concat();
    let it = |name, steps, end| case(settings, name, steps, end, TOO_LARGE);
    vec![
        it("parameters", first.clone(), endless(names.clone())),
        it("parameters after login", welcomed.clone(), endless(names)),
        it("notices", asked.clone(), endless(message(b'N', b"SNOTICE\0C00000\0Mhello\0\0"))),
        it("2 GiB announced at first", huge(&first, b'R'), zeros()),
        it("2 GiB announced, and nothing more", huge(&first, b'R'), End::Silent),
        it("an error of 2 GiB", huge(&welcomed, b'E'), zeros()),
        it("a row of 2 GiB", huge(&asked, b'D'), zeros()),
    ]
}

fn cases() -> Vec<Case> {
    let before_tls = [Step::Hear, say(&b"S"[..]), Step::Encrypt("")];
    let redis = "kind: redis, url: 'redis://{peer}'";
    let secure = "kind: redis, url: 'rediss://{peer}', insecure_skip_verify: true";
    let amqp = "kind: amqp, url: 'amqp://{peer}/%2f'";
    let http = "kind: http, url: 'http://{peer}/', max_body: 64Ki, expect: { body: never }";
    let proxied = "kind: http, url: 'http://nowhere.test/', proxy: 'http://{peer}', max_body: 64Ki";
    let tunnelled = "kind: http, url: 'https://nowhere.test/', proxy: 'http://{peer}'";
    let head = &b"HTTP/1.1 200 OK\r\n"[..];
    let hint = &b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"[..];
    let second = "kind: http, url: 'http://{peer}/', http_version: '2'";
    let second_hint = frame(1, 4, 1, &[0x08, 3, b'1', b'0', b'3']);
    let heard = || vec![Step::Hear];
    let said = |text: &'static [u8]| vec![Step::Hear, say(text)];
    let mut cases = of_postgres(POSTGRES, &[]);
    cases.extend(of_postgres(POSTGRES_TLS, &before_tls));
    cases.extend([
        case(redis, "redis bulk", said(b"$2000000000\r\n"), endless(&b"x"[..]), TOO_LARGE),
        case(redis, "redis array", said(b"*2000000000\r\n"), endless(&b"+x\r\n"[..]), TOO_LARGE),
        case(redis, "redis line", said(b"+"), endless(&b"x"[..]), TOO_LARGE),
        case(
            secure,
            "redis bulk, TLS",
            vec![Step::Encrypt(""), Step::Hear, say(&b"$2000000000\r\n"[..])],
            endless(&b"x"[..]),
            TOO_LARGE,
        ),
        case(amqp, "amqp heartbeats", heard(), endless(&b"\x08\0\0\0\0\0\0\xce"[..]), TOO_LARGE),
        case(http, "http hints", heard(), endless(hint), TOO_LARGE),
        // The library for version 2 has had enough before the limit is reached.
        case(
            second,
            "http hints, version 2",
            vec![Step::Hear, say(frame(4, 0, 0, b""))],
            endless(second_hint),
            "unhealthy",
        ),
        case(http, "http head", said(head), endless(&b"x: "[..]), "head_too_large"),
        case(http, "http body", said(b"HTTP/1.1 200 OK\r\n\r\n"), endless(&b"x"[..]), "body_too_long"),
        case(proxied, "proxy hints", heard(), endless(hint), TOO_LARGE),
        case(tunnelled, "proxy head", said(head), endless(&b"x: "[..]), "proxy_answer"),
    ]);
    cases
}

#[test]
fn a_peer_that_says_or_announces_too_much_is_told_so_and_costs_no_memory() {
    let peers = Peers::new();
    let mut wrong = Vec::new();
    for Case { settings, peer, cause } in cases() {
        let name = &peer.name;
        let standing = peers.start(&peer);
        let settings = settings.replace("{peer}", &standing.addr.to_string());
        let launch = Launch::new(&format!("checks: {{ it: {{ {settings}, interval: 5s, timeout: 4s }} }}"));
        let agent = launch.start();
        let before = Figures::of(agent.pid());
        let told = cause_of(&agent);
        let grown = Figures::of(agent.pid()).peak.saturating_sub(before.memory);
        println!("{name}, {settings}: {told}, {:.0} MiB more", mebibytes(grown));
        if grown > ROOM || told != cause {
            wrong.push(format!("{name}, {settings}: {told}, {:.0} MiB more", mebibytes(grown)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The cause that the first run of the check says, or else its state.
#[track_caller]
fn cause_of(agent: &Agent) -> String {
    let mut told = String::new();
    eventually("the first answer", SOON, || {
        let it = agent.health()["checks"]["it"].clone();
        let state = it["status"].as_str().unwrap_or_default();
        told = it["cause"].as_str().unwrap_or(state).to_owned();
        if state == "unknown" { Err(it.to_string()) } else { Ok(()) }
    });
    told
}

/// A length is believed by nobody: an agent that cannot have so much memory would end.
#[test]
fn an_announced_length_takes_no_address_space() {
    let peers = Peers::new();
    for encrypted in [false, true] {
        let before = [Step::Hear, say(&b"S"[..]), Step::Encrypt("")];
        let (settings, before) =
            if encrypted { (POSTGRES_TLS, &before[..]) } else { (POSTGRES, &before[..0]) };
        let mut steps = before.to_vec();
        steps.extend([Step::Hear, say([&b"N"[..], &0x7fff_ffff_u32.to_be_bytes()].concat())]);
        let standing = peers.start(&Peer::new("announced", Huge, steps, End::Silent));
        let settings = settings.replace("{peer}", &standing.addr.to_string());
        let config = format!("checks: {{ it: {{ {settings}, interval: 5s, timeout: 4s }} }}");
        let limited = format!("ulimit -v 2000000; exec {} \"$@\"\n", env!("CARGO_BIN_EXE_vitalsign"));
        let agent = Launch::new(&config).stand_in(&limited).start();
        assert_eq!(cause_of(&agent), TOO_LARGE);
    }
}

/// What a row has beside its first megabyte is not taken in, and more rows than the first are not sent.
#[test]
fn a_query_with_a_large_answer_says_that_it_is_too_large() {
    let postgres = Postgres::start();
    let ask = |query: &str| {
        let config = format!(
            "checks: {{ it: {{ kind: postgres, url: '{}', query: \"{query}\", interval: 5s, timeout: 4s }} }}",
            postgres.url()
        );
        Launch::new(&config).start()
    };
    assert_eq!(cause_of(&ask("select repeat('x', 100000000) as text, 1 as n")), TOO_LARGE);
    let rows = ask("select g as n, repeat('x', 1000) as text from generate_series(1, 100000) g");
    eventually("the first row", SOON, || rows.health()["checks"]["it"]["details"]["n"] == 1.0);
}

/// The same of a file.
#[test]
fn a_large_value_in_a_database_file_costs_little_memory() {
    const LIMIT: u64 = 64 << 20;
    let scratch = Scratch::new("large", User::oneself());
    let path = scratch.join("large.db");
    let mut sqlite = command(installed("/usr/bin/sqlite3", "sqlite3"), User::oneself(), "KILL");
    let make = "create table mails(body blob, n int); insert into mails values (zeroblob(200000000), 1)";
    sqlite.current_dir(scratch.path()).arg(&path).arg(make);
    output(sqlite);
    for query in [
        "select body, n from mails",
        "select hex(zeroblob(300000000)) as text",
        "select printf('%900000000d', 1) as text",
        "with recursive n(i) as (select 1 union all select i + 1 from n limit 5000) \
         select group_concat(hex(zeroblob(100000))) as text from n",
    ] {
        let config = format!(
            "checks: {{ it: {{ kind: sqlite, path: '{}', query: \"{query}\", interval: 20s, timeout: 15s }} }}",
            path.display()
        );
        let agent = Launch::new(&config).start();
        let before = Figures::of(agent.pid());
        assert_eq!(cause_of(&agent), "query_too_large", "{query}");
        let grown = Figures::of(agent.pid()).peak.saturating_sub(before.memory);
        assert!(grown < LIMIT + ROOM, "{query}: {:.0} MiB more", mebibytes(grown));
    }
}

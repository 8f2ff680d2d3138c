//! What the program makes of a configuration that is wrong: a message with its place, an exit code, no panic. What its
//! port makes of clients that are, is in `clients`.

use std::net::TcpListener;

use crate::harness::agent::{Finished, Launch};

#[path = "bad_input/clients.rs"]
mod clients;

/// The exit codes of sysexits(3) for a command line and a configuration that are wrong.
const USAGE: i32 = 64;
const CONFIGURATION: i32 = 78;

/// What is said about a configuration, without the path of its file.
#[track_caller]
fn refused(config: &str) -> String {
    let finished = Launch::new(config).run();
    let text = complaint(&finished, CONFIGURATION);
    assert!(!text.contains("listening"), "it ran: {text}");
    let file = |line: &str| match line.split_once("vitalsign.yaml:") {
        Some((_, place)) => place.to_owned(),
        None => line.to_owned(),
    };
    text.lines().map(file).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn complaint(finished: &Finished, code: i32) -> String {
    assert_eq!(finished.status.code(), Some(code), "{finished:?}");
    assert_eq!(finished.stdout, "");
    let said = &finished.stderr;
    assert!(!said.contains("panic") && !said.contains("RUST_BACKTRACE"), "{said}");
    assert!(!said.is_empty());
    said.clone()
}

#[test]
fn each_mistake_has_its_place_and_what_to_do() {
    for (config, wanted) in [
        (
            "checks:\n  a: { kind: tcp, address: 'a:1', interval: soon }",
            "2:45: checks.a.interval: expected a duration such as 250ms, 15s or 2h, found \"soon\"",
        ),
        (
            "checks: [{ name: db, kind: tcp }]",
            "1:9: checks: expected a mapping, found a list\n  help: write each under its name: `db: { kind: … }`",
        ),
        (
            "checks:\n  a: { type: tcp, address: 'a:1' }",
            "2:8: checks.a.type: unknown key\n  help: did you mean `kind`?",
        ),
        (
            "checks:\n  a: { kind: tcp, address: 'http://a:1/' }",
            "2:28: checks.a.address: write it as host:port, without scheme or path",
        ),
        (
            "groups: { checkout: [a] }\nchecks: { a: { kind: cpu } }",
            "1:1: groups: is a setting of checks\n  help: write it in a check: `checks: { NAME: { groups: [GROUP] } }`; \
             a group is made of the checks that name it",
        ),
        ("interval: 1s", "1:1: interval: is a setting of checks\n  help: write it in a check: "),
        (
            "checks:\n  a: { kind: cpu, thresholds: { usage_ratio: { warn: 80 } } }",
            "2:54: checks.a.thresholds.usage_ratio.warn: is out of reach: the measurement is a ratio from 0 to 1\n  \
             help: write 0.8 or 80%",
        ),
        (
            "checks:\n  a: { kind: cpu, thresholds: { usage: { warn: 0.8 } } }",
            "2:33: checks.a.thresholds.usage: there is no such measurement\n  help: did you mean `usage_ratio`?",
        ),
        (
            "checks:\n  a: { kind: tcp, address: 'a:1', thresholds: { latency: { warn: 1 } } }",
            "checks.a.thresholds.latency: there is no such measurement\n  help: this kind measures nothing",
        ),
        (
            "checks:\n  a: { kind: tasks, of: threads, thresholds: { usage_ratio: { warn: 0.5 } } }",
            "checks.a.thresholds.usage_ratio: is measured only with `of: cgroup`",
        ),
        (
            "defaults: { interval: 3s }\nchecks: { a: { kind: cpu } }",
            "1:23: defaults.interval: must be above the timeout\n  help: set a shorter `timeout` too",
        ),
        (
            "defaults: { kinds: { cpu: { thresholds: { usage_ratio: { warn: 80 } } } } }\nchecks: { a: { kind: cpu } }",
            "1:64: defaults.kinds.cpu.thresholds.usage_ratio.warn: is out of reach",
        ),
        ("defaults: { thresholds: {} }", "1:13: defaults.thresholds: unknown key"),
        (
            "checks:\n  a: { kind: tcp, address: $MAIL }",
            "2:28: checks.a.address: a reference needs braces\n  help: write `${NAME}` for a variable",
        ),
        (
            "checks:\n  a: { kind: tcp, address: 'a:1' }\n  b: { kind: tcp, address: \"b:1 }\n",
            "3:28: while scanning a quoted scalar, found unexpected end of stream\n  help: a text in quotes ends with",
        ),
        (
            "checks:\n  a: { kind: tcp, address: 'a:1', groups: [live] }",
            "checks.a.groups: a check of kind tcp cannot be in `live`",
        ),
        (
            "checks:\n  a: { kind: tcp, address: 'a:1', intervall: 1s }",
            "2:35: checks.a.intervall: unknown key\n  help: did you mean `interval`?",
        ),
        ("cheks: {}", "1:1: cheks: unknown key\n  help: did you mean `checks`?"),
        ("checks:\n  a: { kind: filesystem }", "found \"filesystem\"\n  help: did you mean `disk`?"),
        ("checks:\n  a: { kind: tpc, address: 'a:1' }", "found \"tpc\"\n  help: did you mean `tcp`?"),
        ("checks:\n  a: { address: 'a:1' }", "2:3: checks.a.kind: is missing"),
        (
            "checks:\n  a: { kind: cpu }\n  a: { kind: cpu }",
            "3:3: checks.a: is given twice, first at 2:3; remove one of the two",
        ),
        (
            "checks:\n  a: { kind: cpu, timeout: 20s }",
            "2:28: checks.a.timeout: must be below the interval (15s)",
        ),
        (
            "checks:\n  A b: { kind: cpu }",
            "2:3: checks.\"A b\": a name cannot hold 'A': use a-z, 0-9, '_', '.' and '-'",
        ),
        ("checks:\n  a: { kind: tcp, address: nowhere }", "2:28: checks.a.address: write it as host:port"),
        ("checks:\n  a: { kind: tcp, address: '${NOT_SET}' }", "the environment variable NOT_SET is not set"),
        ("checks: { a: b: c }", "1:15: while parsing a flow mapping"),
        ("checks:\n\t- a", "indent with spaces, not with tabs"),
        ("checks: {", "1:10: while parsing a node"),
        ("listen: nowhere", "1:9: listen: expected an address such as :10464"),
        ("stop: { drain: 20s }", "1:16: stop.drain: must be shorter than `within`"),
        ("just text", "1:1: expected a mapping of settings, found \"just text\""),
    ] {
        let said = refused(config);
        assert!(said.contains(wanted), "{config}\nwanted: {wanted}\nsaid: {said}");
    }
}

/// The words of other programs, and of URLs, lead to the kind that is meant.
#[test]
fn a_kind_by_another_word_is_recognised() {
    for (word, kind) in [
        ("postgresql", "postgres"),
        ("rabbitmq", "amqp"),
        ("https", "http"),
        ("valkey", "redis"),
        ("sqlite3", "sqlite"),
        ("ram", "memory"),
    ] {
        if vitalsign::checks::kind(kind).is_some() {
            let said = refused(&format!("checks:\n  a: {{ kind: {word} }}"));
            assert!(said.ends_with(&format!("found \"{word}\"\n  help: did you mean `{kind}`?")), "{said}");
        }
    }
}

#[cfg(feature = "http")]
#[test]
fn an_address_that_is_a_url_leads_to_the_kind_that_takes_it() {
    let said = refused("checks:\n  a: { kind: tcp, address: 'http://a:1/canary' }");
    assert!(said.ends_with("help: `kind: http` takes it as `url`") && !said.contains("canary"), "{said}");
}

#[cfg(feature = "http")]
#[test]
fn a_url_that_is_none_is_told_and_not_repeated() {
    for url in ["canary", "'http://'", "'https://canary:canary@:80'", "'ftp://canary/'"] {
        let said = refused(&format!("checks:\n  a: {{ kind: http, url: {url} }}"));
        assert!(said.starts_with("2:25: checks.a.url: "), "{url}: {said}");
        assert!(!said.contains("canary"), "{url}: {said}");
    }
}

#[test]
fn all_problems_are_told_at_once_in_their_order() {
    let said = refused(
        "listen: nowhere\nchecks:\n  a: { kind: tpc }\n  b: { kind: cpu, timeout: 1h }\n  c: { kind: disk, groups: [no \
         way] }\nlog: { level: loud }\n",
    );
    let places: Vec<&str> = said
        .lines()
        .filter(|line| !line.starts_with(' '))
        .map(|line| line.split(": ").nth(1).unwrap())
        .collect();
    assert_eq!(
        places,
        ["listen", "checks.a.kind", "checks.b.timeout", "checks.c.groups[0]", "log.level"],
        "{said}"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let finished = Launch::without_config().arg("--config.file=missing/vitalsign.yaml").run();
    let said = complaint(&finished, CONFIGURATION);
    assert!(said.starts_with("missing/vitalsign.yaml: cannot be read: No such file"), "{said}");
    let said = complaint(&Launch::without_config().arg("--config.file=/").run(), CONFIGURATION);
    assert!(said.starts_with("/: cannot be read: "), "{said}");
}

#[test]
fn a_port_in_use_is_told() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = complaint(&Launch::without_config().arg(format!("--web.listen-address={address}")).run(), 1);
    assert!(said.contains(&format!("cannot listen on {address}: the port is in use")), "{said}");
}

#[test]
fn flags_are_checked_too() {
    let said = complaint(&Launch::new("checks: {}").arg("--web.listen-address=nowhere").run(), USAGE);
    assert!(said.contains("--web.listen-address: \"nowhere\" is not a valid address"), "{said}");
    let finished = Launch::new("checks: {}").arg("--log.level=loud").run();
    assert_eq!(finished.status.code(), Some(USAGE));
    assert!(
        finished.stderr.contains("possible values: error, warn, info, debug, trace"),
        "{}",
        finished.stderr
    );
    let finished = Launch::new("checks: {}").arg("chek").run();
    assert_eq!(finished.status.code(), Some(USAGE));
    assert!(finished.stderr.contains("similar subcommand exists: 'check'"), "{}", finished.stderr);
}

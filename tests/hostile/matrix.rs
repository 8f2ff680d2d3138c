//! Hostile peer × kind. Rules: whatever a peer does, other checks are healthy and on time, `/health` and `/metrics` answer,
//! memory and threads stay within bounds, descriptors come back, SIGTERM ends the agent within its time; the check of the
//! peer itself ends at its time limit, fails, and says why.
//!
//! Each row is a test; it leaves its line of the table in `target/tmp/hostile-matrix`.

use std::collections::BTreeSet;

use vitalsign::checks::KINDS;

use crate::peers::{Behaviour, Peer, amqp, http, postgres, redis, tcp, tls};

#[path = "matrix/attack.rs"]
mod attack;
#[path = "matrix/files.rs"]
mod files;

pub(crate) use attack::{Attack, Hostile, attack};

/// What a row is about, and how a check of it is configured.
struct Row {
    /// The name of the row: the kind, and how it is asked.
    name: &'static str,
    kind: &'static str,
    attack: fn() -> Box<dyn Attack>,
}

/// Peers at an address; the settings have `@` in its place.
struct AtPort {
    settings: &'static str,
    peers: fn() -> Vec<Peer>,
}

/// Makes a test of each row, and the list of all.
macro_rules! rows {
    ($($test:ident: $name:literal, $kind:literal, $attack:expr;)*) => {
        static ROWS: &[Row] = &[$(Row { name: $name, kind: $kind, attack: || Box::new($attack) }),*];
        $(#[test]
        fn $test() {
            attack($name, &mut $attack);
        })*
    };
}

rows! {
    tcp_holds: "tcp", "tcp", AtPort { settings: "kind: tcp, address: '@', expect: ready", peers: tcp::peers }.listening();
    names_hold: "tcp, by a name server", "tcp", attack::Names::new();
    redis_holds: "redis", "redis", AtPort { settings: "kind: redis, url: 'redis://:secret@@'", peers: redis::peers }.listening();
    redis_kept_holds: "redis, kept", "redis", AtPort {
        settings: "kind: redis, url: 'redis://:secret@@', reuse: true",
        peers: redis::peers,
    }.listening();
    redis_tls_holds: "redis, TLS", "redis", AtPort {
        settings: "kind: redis, url: 'rediss://:secret@@', insecure_skip_verify: true",
        peers: || tls::peers("rediss", &[], &[("errors", b"-ERR no\r\n".to_vec()), ("bulk", b"$2147483647\r\n".to_vec())]),
    }.listening();
    postgres_holds: "postgres", "postgres", AtPort {
        settings: "kind: postgres, url: 'postgres://me:secret@@/db?sslmode=disable', query: 'select 1 as n'",
        peers: postgres::peers,
    }.listening();
    postgres_kept_holds: "postgres, kept", "postgres", AtPort {
        settings: "kind: postgres, url: 'postgres://me:secret@@/db?sslmode=disable', query: 'select 1 as n', reuse: true",
        peers: postgres::peers,
    }.listening();
    postgres_tls_holds: "postgres, TLS", "postgres", AtPort {
        settings: "kind: postgres, url: 'postgres://me:secret@@/db?sslmode=require', query: 'select 1 as n'",
        peers: || {
            let notice = postgres::message(b'N', b"SNOTICE\0C00000\0Mhello\0\0");
            [postgres::tls_peers(), tls::peers("pgs", &postgres::before_tls(), &[("notices", notice)])].concat()
        },
    }.listening();
    amqp_holds: "amqp", "amqp", AtPort { settings: "kind: amqp, url: 'amqp://@/%2f', queue: jobs", peers: amqp::peers }.listening();
    amqp_tls_holds: "amqp, TLS", "amqp", AtPort {
        settings: "kind: amqp, url: 'amqps://@/%2f', queue: jobs, insecure_skip_verify: true",
        peers: || tls::peers("amqps", &[], &[("heartbeats", b"\x08\0\0\0\0\0\0\xce".to_vec())]),
    }.listening();
    http_holds: "http", "http", AtPort { settings: http::CHECK, peers: http::peers }.listening();
    http_kept_holds: "http, kept", "http", AtPort { settings: http::KEPT, peers: http::peers }.listening();
    http_tls_holds: "http, TLS", "http", AtPort {
        settings: http::CHECK_OF_TLS,
        peers: || tls::peers("https", &[], &[("hints", b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec())]),
    }.listening();
    http_second_holds: "http, version 2", "http", AtPort { settings: http::CHECK_OF_TLS, peers: http::second_peers }.listening();
    sqlite_holds: "sqlite", "sqlite", files::Files::new();
}

/// Kinds without a row.
const NO_PEER: &[(&str, &str)] = &[
    ("cpu", "asks no peer: it reads /proc and /sys"),
    ("memory", "asks no peer: it reads /proc and /sys"),
    ("disk", "asks no peer but the kernel; a file system that hangs is in `it frozen` and `it host`"),
    ("tasks", "asks no peer: it reads /proc and /sys"),
    ("process", "asks no peer: it reads /proc"),
];

/// Fields without a peer, by row; what is said of a row is said of those too whose names begin with its name and a comma.
const EMPTY: &[(&str, Behaviour, &str)] = &[
    ("tcp", Behaviour::WrongTls, "speaks no TLS"),
    ("tcp", Behaviour::Lying, "reads text, in which there are no lengths"),
    ("redis", Behaviour::WrongTls, "in the row redis, TLS"),
    ("postgres", Behaviour::WrongTls, "in the row postgres, TLS"),
    ("amqp", Behaviour::WrongTls, "in the row amqp, TLS"),
    ("http", Behaviour::WrongTls, "in the row http, TLS"),
    ("redis, TLS", Behaviour::Slow, "in the row redis"),
    ("redis, TLS", Behaviour::Silent, "in the row redis, and silent records among the wrong TLS"),
    (
        "redis, TLS",
        Behaviour::Lying,
        "in the row redis; lengths of records are among the wrong TLS and the huge",
    ),
    ("redis, TLS", Behaviour::Closing, "among the wrong TLS"),
    ("redis, TLS", Behaviour::Resetting, "among the wrong TLS"),
    ("redis, TLS", Behaviour::HalfClosing, "in the row redis"),
    ("redis, TLS", Behaviour::Random, "in the row redis"),
    ("amqp, TLS", Behaviour::Slow, "in the row amqp"),
    ("amqp, TLS", Behaviour::Silent, "in the row amqp, and silent records among the wrong TLS"),
    (
        "amqp, TLS",
        Behaviour::Lying,
        "in the row amqp; lengths of records are among the wrong TLS and the huge",
    ),
    ("amqp, TLS", Behaviour::Closing, "among the wrong TLS"),
    ("amqp, TLS", Behaviour::Resetting, "among the wrong TLS"),
    ("amqp, TLS", Behaviour::HalfClosing, "in the row amqp"),
    ("amqp, TLS", Behaviour::Random, "in the row amqp"),
    ("http, TLS", Behaviour::Slow, "in the row http"),
    ("http, TLS", Behaviour::Silent, "in the row http, and silent records among the wrong TLS"),
    (
        "http, TLS",
        Behaviour::Lying,
        "in the row http; lengths of records are among the wrong TLS and the huge",
    ),
    ("http, TLS", Behaviour::Closing, "among the wrong TLS"),
    ("http, TLS", Behaviour::Resetting, "among the wrong TLS"),
    ("http, TLS", Behaviour::HalfClosing, "in the row http"),
    ("http, TLS", Behaviour::Random, "in the row http"),
    (
        "postgres, TLS",
        Behaviour::Lying,
        "in the row postgres; lengths of records are among the wrong TLS and the huge",
    ),
    ("sqlite", Behaviour::WrongTls, "a file speaks no TLS"),
    ("sqlite", Behaviour::Slow, "a file that is slow is like one that is silent: reading blocks"),
    ("sqlite", Behaviour::Closing, "a file is no connection"),
    ("sqlite", Behaviour::Resetting, "a file is no connection"),
    ("sqlite", Behaviour::HalfClosing, "a file is no connection"),
];

#[test]
fn every_kind_has_a_row_or_no_peer() {
    let rows: BTreeSet<&str> = ROWS.iter().map(|row| row.kind).collect();
    let none: BTreeSet<&str> = NO_PEER.iter().map(|(kind, _)| *kind).collect();
    let kinds: BTreeSet<&str> = KINDS.iter().map(|kind| kind.name()).collect();
    assert_eq!(
        rows.union(&none).copied().collect::<BTreeSet<_>>(),
        kinds,
        "add the kind to `rows!`, or to NO_PEER"
    );
    assert!(rows.is_disjoint(&none));
}

#[test]
fn every_field_has_a_peer_or_a_reason() {
    let (mut missing, mut used) = (Vec::new(), BTreeSet::new());
    for row in ROWS {
        let attack = (row.attack)();
        for behaviour in Behaviour::ALL {
            if attack.checks().iter().all(|check| check.behaviour != behaviour) {
                let why = EMPTY.iter().position(|(name, of, _)| {
                    let rest = row.name.strip_prefix(name);
                    *of == behaviour && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(','))
                });
                missing.extend(why.is_none().then(|| format!("{}, {behaviour:?}", row.name)));
                used.extend(why);
            }
        }
    }
    assert!(missing.is_empty(), "add a peer, or say in EMPTY why there is none:\n{}", missing.join("\n"));
    let needless: Vec<_> = (0..EMPTY.len()).filter(|at| !used.contains(at)).map(|at| EMPTY[at]).collect();
    assert!(needless.is_empty(), "EMPTY says why of what is there: {needless:?}");
}

impl AtPort {
    fn listening(self) -> attack::Listening {
        attack::Listening::new(self.settings, &(self.peers)())
    }
}

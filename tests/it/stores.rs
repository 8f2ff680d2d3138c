//! The kinds `postgres`, `sqlite` and `redis` with real servers and files: what they measure, what they tell apart when
//! they fail, and that they change nothing.

use std::time::Duration;

use serde_json::Value;

use crate::harness::{
    agent::{Launch, check_once},
    eventually::{eventually, same},
    ports,
    postgres::Postgres,
    redis::Redis,
    scratch::Scratch,
    user::User,
};
use crate::kinds::declared;

#[path = "stores/encryption.rs"]
mod encryption;
#[path = "stores/pgbouncer.rs"]
mod pgbouncer;
#[path = "stores/sqlite.rs"]
mod sqlite;

const SOON: Duration = Duration::from_secs(60);

#[track_caller]
fn passes(settings: &str, measurements: &[(&str, f64)]) -> Value {
    let it = check_once(settings);
    assert_eq!(it["status"], "healthy", "{it}");
    for (name, value) in measurements {
        assert_eq!(it["details"][name].as_f64(), Some(*value), "{it}");
    }
    it
}

#[track_caller]
fn fails(settings: &str, reason: &str, error: &str) {
    let it = check_once(settings);
    assert_eq!(told(&it), ["unhealthy", reason, error], "{it}");
}

fn told(check: &Value) -> [&str; 3] {
    [&check["status"], &check["reason"], &check["error"]].map(|text| text.as_str().unwrap_or_default())
}

#[test]
fn postgres_turns_columns_into_measurements() {
    let postgres = Postgres::start();
    let url = postgres.url();
    passes(&format!("kind: postgres, url: '{url}'"), &[]);
    let query = "-- all kinds; of numbers\n select 2::smallint as \"Small\", 3::bigint as big, 4.5::numeric as exact, \
                 0.25::real as real, true as yes, null::int as none, 'x' as word, now() as moment, 1, count(*) as \
                 \"Open Orders\"; -- the last but one has no name";
    let it = passes(
        &format!(
            "kind: postgres, url: '{url}', query: \"{}\"",
            query.replace('\n', "\\n").replace('"', "\\\"")
        ),
        &[
            ("small", 2.0),
            ("big", 3.0),
            ("exact", 4.5),
            ("real", 0.25),
            ("yes", 1.0),
            ("column_9", 1.0),
            ("open_orders", 1.0),
        ],
    );
    assert_eq!(it["details"].as_object().map(serde_json::Map::len), Some(8), "{it}");
    assert_eq!(it["details"]["no_number_in"], "none, word, moment", "{it}");
    let none = format!("kind: postgres, url: '{url}', query: 'select 1 as one where false'");
    let told = passes(&none, &[]);
    assert_eq!(told["details"]["advice"], "the query's answer has no row, so nothing is measured", "{told}");
    fails(
        &format!("{none}, thresholds: {{ one: {{ fail: 2 }} }}"),
        "unexpected_body",
        "the answer has no number called one",
    );
    passes(
        &format!("kind: postgres, url: '{url}', query: 'select g from generate_series(1, 1000000) g'"),
        &[("g", 1.0)],
    );
}

#[test]
fn postgres_is_only_read_and_not_for_long() {
    let postgres = Postgres::start();
    postgres.psql(
        "create table orders(id int); grant all on orders to vitalsign; create table hidden(id int); \
         create function add() returns bigint language sql as 'insert into orders values (1); select 1::bigint'",
    );
    let ask =
        |query: &str| format!("kind: postgres, timeout: 2s, url: '{}', query: '{query}'", postgres.url());
    fails(&ask("select add()"), "denied", "the query is not read-only");
    let invalid = "the query is not valid SQL, or more than one statement";
    fails(&ask("select from where"), "_OTHER", invalid);
    fails(
        &ask("with x as (delete from orders returning 1) select * from x"),
        "denied",
        "the query is not read-only",
    );
    fails(&ask("select * from hidden"), "denied", "the user may not read what the query asks for");
    let missing = "the query names a table, column or function that does not exist";
    fails(&ask("select * from missing"), "not_found", missing);
    // The server's limit comes 20 ms before our own, in which a slow machine may not get its answer.
    eventually("the server to say that it ended the query", SOON, || {
        let wanted = ["unhealthy", "timeout", "the server ended the query at its time limit"];
        same(told(&check_once(&ask("select pg_sleep(3600)"))), &wanted).map(drop)
    });
    let sessions = "select count(*) from pg_stat_activity where usename = 'vitalsign'";
    eventually("no session to outlive its run", SOON, || same(postgres.psql(sessions), &"0".to_owned()));
    assert_eq!(postgres.psql("select count(*) from orders"), "0");
}

#[test]
fn a_query_that_does_not_only_read_is_refused_before_it_runs() {
    for (kind, query, flaw) in [
        (
            "kind: postgres, url: 'postgres://db/shop'",
            "update orders set paid = true",
            "begins with `update`",
        ),
        ("kind: postgres, url: 'postgres://db/shop'", "select 1; drop table orders", "must be one statement"),
        ("kind: sqlite, path: shop.db", "vacuum into 'copy.db'", "begins with `vacuum`"),
        ("kind: sqlite, path: shop.db", "attach 'other.db' as other", "begins with `attach`"),
    ] {
        let config = format!("checks: {{ it: {{ {kind}, query: \"{query}\" }} }}");
        let done = Launch::new(&config).arg("config").arg("check").run();
        assert!(
            !done.status.success() && done.stderr.contains(flaw),
            "{query}: {}{}",
            done.stdout,
            done.stderr
        );
    }
}

#[test]
fn postgres_says_why_it_lets_nobody_in() {
    let postgres = Postgres::start_with(&["max_connections=4", "superuser_reserved_connections=3"]);
    let (url, port) = (postgres.url(), postgres.port());
    fails(
        &format!("kind: postgres, url: '{url}', password: wrong"),
        "auth",
        "the server refuses the user or the password",
    );
    let nobody = format!("kind: postgres, url: '{url}', password: x").replace("vitalsign:", "nobody:");
    fails(&nobody, "auth", "the server refuses the user or the password");
    let missing = format!("kind: postgres, url: '{url}'").replace("/postgres'", "/missing'");
    fails(&missing, "not_found", "the database does not exist");
    let tls = format!("kind: postgres, url: '{url}?sslmode=require'");
    fails(&tls, "tls", "the server offers no TLS");
    let nobody = "kind: postgres, interval: 2m, timeout: 1m, url: 'postgres://me:x@no-such-host.invalid/db'";
    fails(nobody, "dns", "the host name does not exist");
    let closed = ports::free();
    let closed = format!("kind: postgres, url: 'postgres://me:x@127.0.0.1:{closed}/db'");
    fails(&closed, "connection_refused", "connection refused");

    let config = format!(
        "checks: {{ kept: {{ kind: postgres, url: '{url}', reuse: true, interval: 5s, timeout: 4s }} }}"
    );
    let agent = Launch::new(&config).start();
    eventually("the only connection", SOON, || agent.health()["checks"]["kept"]["status"] == "healthy");
    fails(&format!("kind: postgres, url: '{url}'"), "pool_exhausted", "the server has no free connection");
    assert!(agent.sockets_to(port) <= 1);
}

#[test]
fn postgres_that_lets_a_client_in_from_elsewhere_only_is_told_from_a_wrong_password() {
    let postgres = Postgres::start();
    let at = |url: &str| format!("kind: postgres, url: '{url}'");
    postgres.psql("create database shop");
    postgres.psql("revoke connect on database shop from public");
    let denied = "the user may not connect to this database";
    fails(&at(&postgres.url().replace("/postgres", "/shop")), "denied", denied);
    postgres.let_in("host all all 192.0.2.0/24 scram-sha-256");
    let refused =
        "pg_hba.conf has no entry that lets this user in from here, to this database, encrypted as it is";
    fails(&at(&postgres.url()), "denied", refused);
}

#[test]
fn sqlite_reads_a_file_and_leaves_it_as_it_is() {
    let scratch = Scratch::new("sqlite", User::unprivileged(&[]));
    let missing = scratch.join("none.db");
    fails(&format!("kind: sqlite, path: '{}'", missing.display()), "not_found", "not found");
    assert!(!missing.exists(), "the check made the file");
    let text = scratch.write("text.db", &"no database at all. ".repeat(100), User::unprivileged(&[]));
    let text = format!("kind: sqlite, path: '{}'", text.display());
    fails(&text, "unexpected_body", "the file is not a database");
}

#[test]
fn redis_measures_itself_and_what_it_holds() {
    let redis = Redis::start_with(&["--maxmemory", "64mb"]);
    redis.cli(&["rpush", "jobs", "a", "b", "c"]);
    redis.cli(&["xadd", "events", "*", "k", "v"]);
    redis.cli(&["set", "word", "x"]);
    let at = |rest: &str| format!("kind: redis, url: '{}'{rest}", redis.url());
    let lengths = ", lengths: { jobs: jobs, events: events, nothing: nothing }";
    let expected = [
        ("max_memory_bytes", 67_108_864.0),
        ("connected_clients", 1.0),
        ("jobs", 3.0),
        ("events", 1.0),
        ("nothing", 0.0),
    ];
    let it = passes(&at(lengths), &expected);
    assert!(it["details"]["used_memory_bytes"].as_f64().is_some_and(|bytes| bytes > 100_000.0), "{it}");
    assert!(declared("redis", &[]).into_iter().all(|name| it["details"][name].is_number()), "{it}");
    let it = passes(&at(", info: false"), &[]);
    assert!(it["details"]["connected_clients"].is_null(), "{it}");
    let plain = "a key has no length: it is a plain value";
    fails(&at(", lengths: { word: word }"), "unexpected_body", plain);
}

#[test]
fn redis_that_has_renamed_info_is_up() {
    let redis = Redis::start_with(&["--rename-command", "INFO", "HIDDEN"]);
    let it = passes(&format!("kind: redis, url: '{}'", redis.url()), &[]);
    assert_eq!(it["details"], Value::Null, "{it}");
}

#[test]
fn redis_says_why_it_lets_nobody_in() {
    let redis = Redis::start();
    let port = redis.port();
    redis.cli(&["acl", "setuser", "ping", "on", ">p", "+ping"]);
    redis.cli(&["acl", "setuser", "nothing", "on", ">p"]);
    let at = |who: &str| format!("kind: redis, url: 'redis://{who}127.0.0.1:{port}'");
    let without_info = passes(&at("ping:p@"), &[]);
    assert!(without_info["details"]["used_memory_bytes"].is_null(), "{without_info}");
    fails(&at("nothing:p@"), "denied", "the user may not run the command");
    fails(&at(""), "auth", "the server asks for a password and none is set");
    fails(&at(":wrong@"), "auth", "the server refuses the user or the password");
    assert_eq!(check_once(&at(":wrong@"))["cause"], "wrong_password");
    let nowhere = format!("kind: redis, url: '{}'", redis.url().replace("/0", "/99"));
    fails(&nowhere, "not_found", "the database does not exist");
    let tls = at("").replace("redis://", "rediss://");
    let reason = check_once(&format!("{tls}, timeout: 1s"))["reason"].clone();
    assert!(reason == "tls" || reason == "connection_reset" || reason == "timeout", "{reason}");

    redis.cli(&["acl", "setuser", "lengths", "on", ">p", "+ping", "+type", "+llen", "~jobs"]);
    redis.cli(&["rpush", "jobs", "a", "b"]);
    let lengths = passes(&format!("{}, lengths: {{ jobs: jobs }}", at("lengths:p@")), &[("jobs", 2.0)]);
    assert_eq!(lengths["details"].as_object().map(serde_json::Map::len), Some(1), "{lengths}");

    redis.cli(&["config", "set", "maxclients", "1"]);
    let config = format!(
        "checks: {{ kept: {{ kind: redis, url: '{}', reuse: true, interval: 5s, timeout: 4s }} }}",
        redis.url()
    );
    let agent = Launch::new(&config).start();
    eventually("the only connection", SOON, || agent.health()["checks"]["kept"]["status"] == "healthy");
    let full = format!("kind: redis, url: '{}'", redis.url());
    fails(&full, "pool_exhausted", "the server has no free connection");
    assert!(agent.sockets_to(port) <= 1);
}

//! Kind `postgres` through a connection pooler: PgBouncer as Debian configures it.

use super::{SOON, check_once, eventually, fails, passes, same, told};
use crate::harness::{agent::Launch, pgbouncer::PgBouncer, postgres::Postgres};

/// Settings of a session that a check could leave behind, and which session it is.
const SESSION: &str = "select pg_backend_pid(), current_setting('application_name'), current_setting('TimeZone'), \
                       current_setting('DateStyle'), current_setting('client_encoding'), \
                       current_setting('statement_timeout'), current_setting('lock_timeout'), \
                       current_setting('extra_float_digits'), current_setting('transaction_read_only')";

#[test]
fn a_check_goes_through_a_pooler() {
    let postgres = Postgres::start();
    for mode in ["session", "transaction"] {
        let pooler = PgBouncer::start(&postgres, &[&format!("pool_mode = {mode}")]);
        let url = pooler.url();
        passes(&format!("kind: postgres, url: '{url}'"), &[]);
        let query = "select 0.1::real as single, 0.1::float8 as double";
        passes(
            &format!("kind: postgres, url: '{url}', query: '{query}'"),
            &[("single", 0.1), ("double", 0.1)],
        );
    }
}

#[test]
fn a_check_leaves_nothing_on_the_session_that_it_shares_with_the_application() {
    let postgres = Postgres::start_with(&["TimeZone=Asia/Tokyo", "DateStyle=German, DMY"]);
    for first in ["the check", "the application"] {
        let pooler = PgBouncer::start(&postgres, &["pool_mode = transaction", "default_pool_size = 1"]);
        let ask = |query: &str| format!("kind: postgres, url: '{}', query: '{query}'", pooler.url());
        if first == "the check" {
            passes(&ask("select 1"), &[]);
        }
        let before = pooler.psql(SESSION);
        assert!(before.contains("||Asia/Tokyo|German, DMY|UTF8|0|0|"), "{before}");
        passes(&ask("select 1"), &[]);
        assert_eq!(pooler.psql(SESSION), before, "first came {first}");
        let failed = check_once(&ask("select 1/0"));
        assert_eq!(failed["status"], "unhealthy", "{failed}");
        assert_eq!(pooler.psql(SESSION), before, "first came {first}");
    }
}

#[test]
fn what_a_pooler_says_in_its_own_words_has_a_cause() {
    let postgres = Postgres::start();
    let pooler = PgBouncer::start(&postgres, &["pool_mode = transaction"]);
    let url = pooler.url();
    let at = |url: &str| format!("kind: postgres, url: '{url}'");
    let wrong = "the server refuses the user or the password";
    fails(&format!("{}, password: wrong", at(&url)), "auth", wrong);
    fails(&at(&url.replace("vitalsign:", "nobody:")), "auth", wrong);
    fails(&at(&url.replace("/postgres", "/missing")), "not_found", "the database does not exist");
    let parameter = "the pooler does not know a parameter of the URL: options";
    fails(&at(&format!("{url}?options=-csearch_path%3Dx")), "protocol", parameter);
    fails(&at(&format!("{url}?sslmode=require")), "tls", "the server offers no TLS");

    let full = PgBouncer::start(&postgres, &["max_client_conn = 1"]);
    let config =
        format!("checks: {{ kept: {{ {}, reuse: true, interval: 5s, timeout: 4s }} }}", at(&full.url()));
    let agent = Launch::new(&config).start();
    eventually("the only connection", SOON, || agent.health()["checks"]["kept"]["status"] == "healthy");
    fails(&at(&full.url()), "pool_exhausted", "the server has no free connection");

    postgres.stop();
    let alone = "the pooler answers, and cannot log in to the server behind it";
    // Until the pooler has tried, a client waits with it.
    let impatient = format!("{}, timeout: 5s", at(&url));
    eventually("the pooler to give up", SOON, || {
        same(told(&check_once(&impatient)), &["unhealthy", "_OTHER", alone]).map(drop)
    });
}

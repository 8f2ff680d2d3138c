//! Kind `postgres` through a connection pooler: PgBouncer as Debian configures it.

use super::{check, passes};
use crate::harness::{pgbouncer::PgBouncer, postgres::Postgres};

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
        let failed = check(&ask("select 1/0"));
        assert_eq!(failed["status"], "unhealthy", "{failed}");
        assert_eq!(pooler.psql(SESSION), before, "first came {first}");
    }
}

//! Against real files: SQLite needs no server.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteJournalMode;
use tempfile::TempDir;

use super::*;
use crate::model::{Cause, Reason, Verdict};

const SHORT: Duration = Duration::from_secs(2);
/// How much longer a slow machine may take before the test says that a limit was not kept.
const SLACK: Duration = Duration::from_secs(10);

struct Shop {
    dir: TempDir,
}

impl Shop {
    fn new(journal: SqliteJournalMode) -> Self {
        let shop = Self { dir: tempfile::tempdir().unwrap() };
        shop.write(journal, "CREATE TABLE orders(id INTEGER, paid BOOLEAN, total NUMERIC); INSERT INTO orders VALUES (1, 1, 9.5), (2, 0, 3)");
        shop
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("shop ?#%.db")
    }

    fn connect(&self, journal: SqliteJournalMode) -> SqliteConnection {
        let options =
            SqliteConnectOptions::new().filename(self.path()).create_if_missing(true).journal_mode(journal);
        wait(options.connect()).unwrap()
    }

    fn write(&self, journal: SqliteJournalMode, sql: &'static str) {
        let mut connection = self.connect(journal);
        wait(sqlx::raw_sql(sql).execute(&mut connection)).unwrap();
        wait(connection.close()).unwrap();
    }

    fn check(&self, query: &str, reuse: bool) -> SqliteCheck {
        SqliteCheck { path: self.path(), query: query.to_owned(), kept: Kept::new(reuse) }
    }
}

fn wait<F: Future>(work: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

fn ask(check: &SqliteCheck) -> Outcome {
    check.run(&Run::new(Duration::from_secs(20)))
}

fn numbers(outcome: &Outcome) -> Vec<(&str, f64)> {
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome:?}");
    outcome.measurements.iter().map(|(name, number)| (name.as_str(), *number)).collect()
}

#[test]
fn reads_and_measures() {
    for journal in [SqliteJournalMode::Delete, SqliteJournalMode::Wal] {
        let shop = Shop::new(journal);
        assert!(numbers(&ask(&shop.check(DEFAULT_QUERY, false))).is_empty());
        let query = "SELECT count(*) AS Orders, sum(total) AS total, max(paid) AS paid, 'x' AS note, NULL AS none FROM orders";
        for reuse in [false, true] {
            let check = shop.check(query, reuse);
            for _ in 0..3 {
                assert_eq!(numbers(&ask(&check)), [("orders", 2.0), ("total", 12.5), ("paid", 1.0)]);
            }
        }
        assert!(numbers(&ask(&shop.check("SELECT id FROM orders WHERE id > 5", false))).is_empty());
    }
}

#[test]
fn never_writes_and_never_makes_a_file() {
    let shop = Shop::new(SqliteJournalMode::Delete);
    let before = std::fs::read(shop.path()).unwrap();
    for sql in [
        "DELETE FROM orders",
        "PRAGMA user_version = 7",
        "ATTACH 'other.db' AS other; CREATE TABLE other.x(y)",
    ] {
        let outcome = ask(&shop.check(sql, false));
        assert_ne!(outcome.verdict, Verdict::Pass, "{sql}");
    }
    assert_eq!(std::fs::read(shop.path()).unwrap(), before);

    let missing = SqliteCheck {
        path: shop.dir.path().join("none.db"),
        query: DEFAULT_QUERY.to_owned(),
        kept: Kept::new(false),
    };
    assert_eq!(ask(&missing).verdict, Verdict::Fail(Reason::NotFound));
    let names: Vec<_> =
        std::fs::read_dir(shop.dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["shop ?#%.db"]);
}

#[test]
fn a_locked_database_is_waited_for_and_then_told() {
    let shop = Shop::new(SqliteJournalMode::Delete);
    let mut owner = shop.connect(SqliteJournalMode::Delete);
    wait(sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut owner)).unwrap();
    let started = Instant::now();
    let outcome = shop.check(DEFAULT_QUERY, false).run(&Run::new(SHORT));
    assert_eq!(outcome.verdict, Verdict::Fail(Reason::Timeout), "{outcome:?}");
    assert_eq!(outcome.cause, Some(Cause::LockTimeout));
    assert!(started.elapsed() < SHORT + SLACK);
    wait(sqlx::raw_sql("COMMIT").execute(&mut owner)).unwrap();
    assert_eq!(ask(&shop.check(DEFAULT_QUERY, false)).verdict, Verdict::Pass);
}

#[test]
fn an_endless_query_ends_with_the_run() {
    let shop = Shop::new(SqliteJournalMode::Delete);
    let endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n";
    let check = shop.check(endless, true);
    for _ in 0..2 {
        let started = Instant::now();
        let outcome = check.run(&Run::new(SHORT));
        assert_eq!(outcome.verdict, Verdict::Fail(Reason::Timeout), "{outcome:?}");
        assert!(started.elapsed() < SHORT + SLACK);
    }
    assert!(check.kept.take().is_none(), "kept a connection that had failed");
}

#[test]
fn tells_what_is_wrong_with_the_file() {
    let shop = Shop::new(SqliteJournalMode::Delete);
    assert_eq!(ask(&shop.check("SELECT 1 FROM absent", false)).verdict, Verdict::Fail(Reason::NotFound));
    assert_eq!(ask(&shop.check("SELEC 1", false)).verdict, Verdict::Fail(Reason::Other));

    std::fs::write(
        shop.path(),
        "this is not a database, but it is long enough to hold a header of one. ".repeat(20),
    )
    .unwrap();
    let outcome = ask(&shop.check(DEFAULT_QUERY, false));
    assert_eq!(outcome.verdict, Verdict::Fail(Reason::UnexpectedBody));
    assert_eq!(outcome.cause, Some(Cause::NotDatabase));

    std::fs::set_permissions(shop.path(), std::fs::Permissions::from_mode(0o000)).unwrap();
    if File::open(shop.path()).is_err() {
        assert_eq!(ask(&shop.check(DEFAULT_QUERY, false)).verdict, Verdict::Fail(Reason::Denied));
    }
    let directory = SqliteCheck {
        path: shop.dir.path().to_owned(),
        query: DEFAULT_QUERY.to_owned(),
        kept: Kept::new(false),
    };
    assert_eq!(ask(&directory).cause, Some(Cause::NotAFile));
}

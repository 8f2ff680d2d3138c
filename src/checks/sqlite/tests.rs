//! Against real files: SQLite needs no server.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteJournalMode;
use tempfile::TempDir;

use super::*;
use crate::model::{Cause, Reason, Verdict};

const COUNT: &str = "SELECT count(*) AS orders FROM orders";
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
        at(self.path(), query, reuse)
    }

    /// Every file but `-shm`, where readers mark what they read.
    fn contents(&self) -> Vec<(String, Vec<u8>)> {
        let files = self.names().into_iter().filter(|name| !name.ends_with("-shm"));
        files.map(|name| (name.clone(), std::fs::read(self.dir.path().join(&name)).unwrap())).collect()
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn at(path: PathBuf, query: &str, reuse: bool) -> SqliteCheck {
    SqliteCheck {
        path,
        query: query.to_owned(),
        allow_empty: false,
        database: Mutex::default(),
        kept: Kept::new(reuse),
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

    let missing = at(shop.dir.path().join("none.db"), DEFAULT_QUERY, false);
    assert_eq!(ask(&missing).verdict, Verdict::Fail(Reason::NotFound));
    assert_eq!(shop.names(), ["shop ?#%.db"]);
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
    if std::fs::File::open(shop.path()).is_err() {
        assert_eq!(ask(&shop.check(DEFAULT_QUERY, false)).verdict, Verdict::Fail(Reason::Denied));
    }
    let directory = at(shop.dir.path().to_owned(), DEFAULT_QUERY, false);
    assert_eq!(ask(&directory).cause, Some(Cause::NotAFile));
}

#[test]
fn a_database_that_nobody_has_open_is_read_without_files_beside_it() {
    let shop = Shop::new(SqliteJournalMode::Wal);
    assert_eq!(shop.names(), ["shop ?#%.db"]);
    let check = shop.check(COUNT, true);
    for _ in 0..2 {
        assert_eq!(numbers(&ask(&check)), [("orders", 2.0)]);
        assert_eq!(shop.names(), ["shop ?#%.db"]);
    }
    shop.write(SqliteJournalMode::Wal, "INSERT INTO orders VALUES (3, 1, 1)");
    assert_eq!(numbers(&ask(&check)), [("orders", 3.0)]);
}

#[test]
fn what_stands_in_the_log_only_is_read_and_left_there() {
    let shop = Shop::new(SqliteJournalMode::Wal);
    let mut owner = shop.connect(SqliteJournalMode::Wal);
    wait(sqlx::raw_sql("PRAGMA wal_autocheckpoint = 0").execute(&mut owner)).unwrap();
    let (fresh, kept) = (shop.check(COUNT, false), shop.check(COUNT, true));
    for orders in 3..6 {
        // Nobody reads before the check does, so the file `-shm` has no reader's mark.
        wait(sqlx::raw_sql("INSERT INTO orders VALUES (3, 1, 1)").execute(&mut owner)).unwrap();
        let before = shop.contents();
        assert_eq!(numbers(&ask(&fresh)), [("orders", f64::from(orders))]);
        assert_eq!(numbers(&ask(&kept)), [("orders", f64::from(orders))]);
        assert_eq!(shop.contents(), before);
    }
    wait(owner.close()).unwrap();
}

#[test]
fn a_log_without_its_index_is_not_completed() {
    let shop = Shop::new(SqliteJournalMode::Wal);
    let wal = shop.dir.path().join("shop ?#%.db-wal");
    std::fs::write(&wal, "").unwrap();
    assert_eq!(numbers(&ask(&shop.check(COUNT, false))), [("orders", 2.0)]);
    std::fs::write(&wal, "something").unwrap();
    let outcome = ask(&shop.check(COUNT, false));
    assert_eq!(outcome.cause, Some(Cause::LoneLog), "{outcome:?}");
    assert_eq!(shop.names(), ["shop ?#%.db", "shop ?#%.db-wal"]);
}

#[test]
fn a_kept_connection_does_not_go_on_reading_what_is_no_longer_there() {
    for journal in [SqliteJournalMode::Delete, SqliteJournalMode::Wal] {
        let (shop, other) = (Shop::new(journal), Shop::new(journal));
        other.write(journal, "DELETE FROM orders");
        let check = shop.check(COUNT, true);
        assert_eq!(numbers(&ask(&check)), [("orders", 2.0)]);
        std::fs::rename(other.path(), shop.path()).unwrap();
        assert_eq!(numbers(&ask(&check)), [("orders", 0.0)]);
        std::fs::remove_file(shop.path()).unwrap();
        assert_eq!(ask(&check).verdict, Verdict::Fail(Reason::NotFound));
    }
}

#[test]
fn an_empty_file_is_a_database_only_if_that_is_allowed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("empty.db");
    std::fs::write(&path, "").unwrap();
    let mut check = at(path, DEFAULT_QUERY, false);
    let outcome = ask(&check);
    assert_eq!(outcome.cause, Some(Cause::EmptyFile));
    check.allow_empty = true;
    assert_eq!(ask(&check).verdict, Verdict::Pass);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_transaction_that_was_cut_off_is_left_to_the_application() {
    let shop = Shop::new(SqliteJournalMode::Delete);
    let mut owner = shop.connect(SqliteJournalMode::Delete);
    let long = "PRAGMA cache_size = 1; BEGIN; WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 9999) \
                INSERT INTO orders SELECT x, 1, 1 FROM n";
    wait(sqlx::raw_sql(long).execute(&mut owner)).unwrap();
    let copy = tempfile::tempdir().unwrap();
    for name in shop.names() {
        std::fs::copy(shop.dir.path().join(&name), copy.path().join(&name)).unwrap();
    }
    let check = at(copy.path().join("shop ?#%.db"), COUNT, false);
    let outcome = ask(&check);
    assert_eq!(outcome.cause, Some(Cause::HotJournal), "{outcome:?}");
    assert_eq!(std::fs::read_dir(copy.path()).unwrap().count(), 2);
}

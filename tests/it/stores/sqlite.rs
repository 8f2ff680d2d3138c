//! Kind `sqlite` beside an application that is another user's process: it is told what stands in the database, and the
//! application never notices.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    time::SystemTime,
};

use serde_json::json;

use super::{SOON, Value, eventually};
use crate::harness::{
    agent::Launch,
    process::{Process, command, installed, output},
    scratch::Scratch,
    user::User,
};

const COUNT: &str = "select count(*) as orders from orders";

/// An application's database, in a folder that everybody may write to.
struct Shop {
    user: User,
    scratch: Scratch,
}

impl Shop {
    fn new(journal: &str) -> Self {
        let user = User::unprivileged(&["games"]);
        let shop = Self { user, scratch: Scratch::new("shop", user) };
        fs::set_permissions(shop.scratch.path(), fs::Permissions::from_mode(0o777)).unwrap();
        shop.sql(&format!("pragma journal_mode = {journal}; create table orders(id int);"));
        shop
    }

    fn path(&self) -> PathBuf {
        self.scratch.join("shop.db")
    }

    fn sqlite(&self, sql: &str) -> std::process::Command {
        let mut sqlite = command(installed("/usr/bin/sqlite3", "sqlite3"), self.user, "KILL");
        sqlite.current_dir(self.scratch.path()).arg("-bail").arg(self.path()).arg(sql);
        sqlite
    }

    #[track_caller]
    fn sql(&self, sql: &str) -> String {
        output(self.sqlite(sql)).trim_end().to_owned()
    }

    /// An application that has the database open after it ran `sql`, until it is killed.
    fn open(&self, sql: &str) -> Process {
        let held = format!("{sql}; select 'done';\n.system sleep 3600");
        let held = self.scratch.write("held.sql", &held, self.user);
        let app =
            Process::start("app", self.sqlite(&format!(".read '{}'", held.display())), self.scratch.path());
        app.ready("end of its work", SOON, || app.stdout().contains("done"));
        fs::remove_file(held).unwrap();
        app
    }

    fn check(&self, rest: &str) -> Value {
        let config = format!(
            "checks: {{ it: {{ kind: sqlite, timeout: 14s, path: '{}', query: '{COUNT}'{rest} }} }}",
            self.path().display()
        );
        Launch::new(&config).by_user(User::unprivileged(&[])).check()["it"].clone()
    }

    #[track_caller]
    fn orders(&self, expected: f64) {
        let it = self.check("");
        assert_eq!(it["details"]["orders"].as_f64(), Some(expected), "{it}");
    }

    /// Names, contents (in short) and times of the files of the database.
    fn files(&self) -> Vec<(String, u64, SystemTime)> {
        let entries = fs::read_dir(self.scratch.path()).unwrap().map(Result::unwrap);
        let mut files: Vec<_> = entries
            .map(|entry| (entry.file_name().into_string().unwrap(), entry))
            .filter(|(name, _)| name.starts_with("shop.db"))
            .map(|(name, entry)| {
                let mut contents = DefaultHasher::new();
                fs::read(entry.path()).unwrap().hash(&mut contents);
                (name, contents.finish(), entry.metadata().unwrap().modified().unwrap())
            })
            .collect();
        files.sort();
        files
    }
}

#[test]
fn sqlite_leaves_no_file_that_the_application_cannot_write() {
    for journal in ["wal", "delete"] {
        let shop = Shop::new(journal);
        let before = shop.files();
        assert_eq!(before.len(), 1);
        shop.orders(0.0);
        assert_eq!(shop.files(), before, "{journal}");
        shop.sql("insert into orders values (1)");
        shop.orders(1.0);
    }
}

#[test]
fn sqlite_reads_the_log_of_an_application_that_runs_or_was_killed() {
    let shop = Shop::new("wal");
    let app = shop.open("insert into orders values (1); insert into orders values (2)");
    let before = shop.files();
    assert_eq!(before.len(), 3);
    shop.orders(2.0);
    assert_eq!(shop.files(), before);
    app.kill();
    shop.orders(2.0);
    assert_eq!(shop.files(), before);
    assert_eq!(shop.sql("insert into orders values (3); select count(*) from orders"), "3");
}

#[test]
fn sqlite_says_which_file_beside_the_database_it_cannot_use() {
    let shop = Shop::new("wal");
    let app = shop.open("insert into orders values (1)");
    for file in ["-wal", "-shm"] {
        let path = shop.scratch.join(&format!("shop.db{file}"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let it = shop.check("");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        // Whoever is not root tries it as oneself, who may read it.
        if rustix::process::geteuid().is_root() {
            assert_eq!((&it["reason"], &it["cause"]), (&json!("denied"), &json!("side_file_denied")), "{it}");
        }
    }
    drop(app);
}

#[test]
fn sqlite_follows_a_file_that_is_replaced_while_its_connection_is_kept() {
    let (shop, restored) = (Shop::new("wal"), Shop::new("wal"));
    let config = format!(
        "checks: {{ it: {{ kind: sqlite, path: '{}', query: '{COUNT}', reuse: true, interval: 1s, timeout: 900ms }} }}",
        shop.path().display()
    );
    let work = "insert into orders values (1); select * from orders";
    let app = shop.open(work);
    let agent = Launch::new(&config).start();
    let orders = || agent.health()["checks"]["it"]["details"]["orders"].as_f64();
    eventually("what the application wrote", SOON, || orders() == Some(1.0));
    app.kill();
    let app = restored.open(&format!("{work}; {work}"));
    for file in ["shop.db-shm", "shop.db-wal", "shop.db"] {
        fs::rename(restored.scratch.join(file), shop.scratch.join(file)).unwrap();
    }
    eventually("what was restored", SOON, || orders() == Some(2.0));
    drop(app);
}

/// Whoever meant to limit a number finds out before the night when there is none.
#[test]
fn a_query_without_a_number_says_so_and_fails_where_a_limit_needs_one() {
    let shop = Shop::new("delete");
    let told = |query: &str, more: &str| {
        let path = shop.path();
        let config = format!(
            "checks: {{ it: {{ kind: sqlite, path: '{}', query: \"{query}\"{more} }} }}",
            path.display()
        );
        let done = Launch::new(&config).arg("check").arg("--format=json").arg("--log.level=warn").run();
        let health: Value = serde_json::from_str(&done.stdout).expect("JSON");
        (health["checks"]["it"].clone(), done.stderr)
    };
    for (query, why) in [
        ("select null as n", "the query's answer has no number in its first row, so nothing is measured"),
        ("select 'x' as n", "the query's answer has no number in its first row, so nothing is measured"),
        ("select 1 as n where false", "the query's answer has no row, so nothing is measured"),
    ] {
        let (it, log) = told(query, "");
        assert_eq!((&it["status"], &it["details"]["advice"]), (&json!("healthy"), &json!(why)), "{it}");
        assert!(log.contains("so nothing is measured") && log.contains("check=it"), "{query}: {log}");
        let (it, _) = told(query, ", thresholds: { n: { fail: 1000 } }");
        assert_eq!(
            (&it["status"], &it["cause"]),
            (&json!("unhealthy"), &json!("missing_measurement")),
            "{it}"
        );
        assert_eq!(it["error"], "the answer has no number called n");
    }
}

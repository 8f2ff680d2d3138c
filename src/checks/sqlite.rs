//! Kind `sqlite`: whether a SQLite database can be opened and read, and what numbers a query finds in it.
//!
//! Costs one read-only connection, which makes no file, neither the database nor one beside it, and writes to none; and
//! one row of an answer. A lock is waited for, and a query worked at, no longer than the run may take.
//!
//! A value may be as large as the file makes it, and a query may make larger ones; SQLite has no limit for that but one for
//! all the memory that it takes in a process. The agent sets it, as nobody else uses SQLite there; a program that embeds
//! the check may have databases of its own, so there it is left alone.
//!
//! SQLite blocks its thread, and on a file system that hangs nothing can end it; so this is a blocking check, of which
//! the runner starts no second one. The driver does SQLite's work on a thread of its own that ends with the connection.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Column, ConnectOptions, Connection, Row, TypeInfo, ValueRef};
use tokio::time::Instant;

use self::file::{Database, Manner, Unfit};
use super::kept::Kept;
use super::sql::query::{Dialect, statement};
use super::{BlockingCheck, Built, Kind, Probe, Run, Target, net, sql};
use crate::config::Fields;
use crate::model::{Measures, Outcome, Phase};

pub(super) mod failure;
mod file;

/// Reads the schema, so that it fails on a file that is not a database; `SELECT 1` would not touch the file.
const DEFAULT_QUERY: &str = "SELECT count(*) FROM sqlite_schema";
/// What a statement that reads begins with; some of the `pragma` do too.
const DIALECT: Dialect = Dialect { postgres: false, reads: &["select", "with", "values"] };
/// After how many steps of its virtual machine SQLite asks whether it may go on: well below a millisecond.
const STEPS: i32 = 10_000;
/// The most bytes of memory that SQLite takes in the agent: room for the pages of some dozens of databases. Pages give way
/// to whatever else is needed.
const MOST_MEMORY: &str = "67108864";

/// Whether the limit is set.
static LIMITED: AtomicBool = AtomicBool::new(false);

/// Limits the memory that SQLite takes in this process, from the next database on that is opened.
pub(crate) fn limit_memory() {
    LIMITED.store(true, Ordering::Relaxed);
}

/// See the module.
pub(super) struct Sqlite;

struct SqliteCheck {
    path: PathBuf,
    query: String,
    allow_empty: bool,
    /// The file that was at the path in the last run.
    database: Mutex<Option<Database>>,
    /// A connection to it, and how it was opened.
    kept: Kept<(SqliteConnection, Manner)>,
}

impl BlockingCheck for SqliteCheck {
    fn run(&self, run: &Run) -> Outcome {
        let found = self.look();
        if !matches!(found, Ok(Manner::Locked | Manner::Logged)) {
            drop(self.kept.take());
        }
        match found {
            Ok(manner) => self.block(run, manner),
            Err(unfit) => failure::of_file(&unfit),
        }
    }
}

impl SqliteCheck {
    /// Looks at the file without SQLite, which does not tell a missing or forbidden one apart.
    fn look(&self) -> Result<Manner, Unfit> {
        let mut database = self.database.lock();
        if database.take_if(|known| !known.is_at(&self.path)).is_some() {
            drop(self.kept.take());
        }
        let found = match database.take() {
            Some(known) => known,
            None => Database::open(&self.path)?,
        };
        database.insert(found).manner(&self.path, self.allow_empty)
    }

    fn block(&self, run: &Run, manner: Manner) -> Outcome {
        // The driver's futures wait for its thread, not for a runtime; this one only waits with them.
        match tokio::runtime::Builder::new_current_thread().build() {
            Ok(here) => here.block_on(self.answer(run, manner)),
            Err(error) => failure::of_file(&error.into()),
        }
    }

    async fn answer(&self, run: &Run, manner: Manner) -> Outcome {
        let answer = self.read(run, manner).await;
        // Somebody has opened it meanwhile, and what was read may be neither what it was nor what it is.
        let answer = match self.look() {
            Ok(now) if manner == Manner::Alone && now != manner => self.read(run, now).await,
            _ => answer,
        };
        match answer {
            Ok(row) if self.query != DEFAULT_QUERY => measure(row.as_ref()),
            Ok(_) => Outcome::pass(),
            Err(error) => failure::of_reading(&error),
        }
    }

    async fn read(&self, run: &Run, manner: Manner) -> Result<Option<SqliteRow>, sqlx::Error> {
        let mut connection = match self.kept.take() {
            Some((connection, opened)) if opened == manner => connection,
            _ => run.phase(Phase::Connect, self.open(run, manner)).await?,
        };
        let row = run.phase(Phase::Request, self.ask(run, &mut connection)).await?;
        let unkept = match manner {
            Manner::Alone => Some((connection, manner)),
            _ => self.kept.keep((connection, manner)),
        };
        if let Some((connection, _)) = unkept {
            connection.close().await?;
        }
        Ok(row)
    }

    async fn open(&self, run: &Run, manner: Manner) -> Result<SqliteConnection, sqlx::Error> {
        let mut options = SqliteConnectOptions::new();
        if LIMITED.load(Ordering::Relaxed) {
            options = options.pragma("hard_heap_limit", MOST_MEMORY);
        }
        options
            .filename(manner.uri(&self.path))
            .read_only(true)
            .create_if_missing(false)
            .busy_timeout(left(run))
            .statement_cache_capacity(0)
            .disable_statement_logging()
            .connect()
            .await
    }

    async fn ask(
        &self,
        run: &Run,
        connection: &mut SqliteConnection,
    ) -> Result<Option<SqliteRow>, sqlx::Error> {
        let until = net::patience(run);
        connection.lock_handle().await?.set_progress_handler(STEPS, move || Instant::now() < until);
        sqlx::raw_sql(AssertSqlSafe(self.query.as_str())).fetch_optional(connection).await
    }
}

/// How long a lock is waited for: until shortly before the run ends. A kept connection keeps what it was opened with.
fn left(run: &Run) -> Duration {
    net::patience(run).saturating_duration_since(Instant::now())
}

fn measure(row: Option<&SqliteRow>) -> Outcome {
    sql::measure(
        row.map(|row| row.columns().iter().map(|column| (column.name(), number(row, column.ordinal())))),
    )
}

fn number(row: &SqliteRow, column: usize) -> Option<f64> {
    let value = row.try_get_raw(column).ok().filter(|value| !value.is_null())?;
    match value.type_info().name() {
        "INTEGER" | "REAL" | "NUMERIC" | "BOOLEAN" => row.try_get_unchecked(column).ok(),
        _ => None,
    }
}

impl Kind for Sqlite {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["sqlite3"]
    }

    fn about(&self) -> &'static str {
        "Opens a SQLite database read-only and runs a query in it."
    }

    fn example(&self) -> &'static str {
        "path: /var/lib/shop/orders.db\nquery: \"select count(*) as unsent from outbox\"\n"
    }

    fn reasons(&self) -> &'static [crate::model::Reason] {
        failure::REASONS
    }

    fn measures(&self) -> Measures {
        Measures::open("numeric columns of the first row")
    }

    fn build(&self, fields: &mut Fields<'_>) -> Option<Built> {
        let path: Option<PathBuf> =
            fields.required("path", "the database file; also as a URL: sqlite:///path");
        let query = fields.or(
            "query",
            DEFAULT_QUERY.to_owned(),
            "one statement that reads; the numbers in the first row of its answer become measurements named as their \
             columns, in lower case and with _ for what a name cannot hold",
        );
        let reuse = fields.or(
            "reuse",
            false,
            "whether to keep the file open from one run to the next instead of opening it each time",
        );
        let allow_empty = fields.or(
            "allow_empty",
            false,
            "whether a file of 0 bytes is a database without tables, as SQLite sees it, instead of a failure",
        );
        let query =
            statement(&query, DIALECT).map(str::to_owned).map_err(|flaw| fields.problem("query", flaw)).ok();
        let path = file::path(&path?).map_err(|flaw| fields.problem("path", flaw)).ok();
        let (path, query) = (path?, query?);
        let target = Target {
            address: Some(path.display().to_string()),
            db_system: Some("sqlite"),
            ..Target::default()
        };
        let check =
            SqliteCheck { path, query, allow_empty, database: Mutex::default(), kept: Kept::new(reuse) };
        Some(Built { probe: Probe::blocking(check), target })
    }
}

#[cfg(test)]
mod tests;

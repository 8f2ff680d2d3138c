//! Kind `sqlite`: whether a SQLite database can be opened and read, and what numbers a query finds in it.
//!
//! Costs one read-only connection, which never makes the file and never writes to it, and one row of an answer. A lock is
//! waited for, and a query worked at, no longer than the run may take. A database in WAL mode that nobody else has open
//! gets its `-wal` and `-shm` files back for the length of the connection, if the directory may be written to.
//!
//! SQLite blocks its thread, and on a file system that hangs nothing can end it; so this is a blocking check, of which
//! the runner starts no second one. The driver does SQLite's work on a thread of its own that ends with the connection.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Column, ConnectOptions, Connection, Row, TypeInfo, ValueRef};
use tokio::time::Instant;

use super::kept::Kept;
use super::{BlockingCheck, Built, Kind, Probe, Run, Target, net, sql};
use crate::config::Fields;
use crate::model::{Measures, Outcome, Phase};

pub(super) mod failure;

/// Reads the schema, so that it fails on a file that is not a database; `SELECT 1` would not touch the file.
const DEFAULT_QUERY: &str = "SELECT count(*) FROM sqlite_schema";
/// After how many steps of its virtual machine SQLite asks whether it may go on: well below a millisecond.
const STEPS: i32 = 10_000;

/// See the module.
pub(super) struct Sqlite;

struct SqliteCheck {
    path: PathBuf,
    query: String,
    kept: Kept<SqliteConnection>,
}

impl BlockingCheck for SqliteCheck {
    fn run(&self, run: &Run) -> Outcome {
        if let Err(error) = look(&self.path) {
            return failure::of_file(&error);
        }
        // The driver's futures wait for its thread, not for a runtime; this one only waits with them.
        match tokio::runtime::Builder::new_current_thread().build() {
            Ok(here) => here.block_on(self.answer(run)).unwrap_or_else(|error| failure::of(&error)),
            Err(error) => failure::of_file(&error),
        }
    }
}

impl SqliteCheck {
    async fn answer(&self, run: &Run) -> Result<Outcome, sqlx::Error> {
        let mut connection = match self.kept.take() {
            Some(connection) => connection,
            None => run.phase(Phase::Connect, self.open(run)).await?,
        };
        let row = run.phase(Phase::Request, self.ask(run, &mut connection)).await?;
        if let Some(unkept) = self.kept.keep(connection) {
            unkept.close().await?;
        }
        Ok(row.map_or_else(Outcome::pass, |row| measure(&row)))
    }

    async fn open(&self, run: &Run) -> Result<SqliteConnection, sqlx::Error> {
        SqliteConnectOptions::new()
            .filename(&self.path)
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

/// Tells a missing or forbidden file apart, which SQLite does not, and keeps off anything that is no file: reading from
/// a pipe would wait for a writer.
fn look(path: &Path) -> io::Result<()> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file"));
    }
    File::open(path).map(drop)
}

fn measure(row: &SqliteRow) -> Outcome {
    let columns = row.columns().iter().map(|column| (column.name(), number(row, column.ordinal())));
    sql::measure(Outcome::pass(), columns)
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
        let path: Option<PathBuf> = fields.required("path", "the database file");
        let query = fields.or(
            "query",
            DEFAULT_QUERY.to_owned(),
            "what to read; the numbers in the first row of its answer become measurements named as their columns",
        );
        let reuse = fields.or(
            "reuse",
            false,
            "whether to keep the file open from one run to the next instead of opening it each time",
        );
        let path = path?;
        let target = Target {
            address: Some(path.display().to_string()),
            db_system: Some("sqlite"),
            ..Target::default()
        };
        let check = SqliteCheck { path, query, kept: Kept::new(reuse) };
        Some(Built { probe: Probe::blocking(check), target })
    }
}

#[cfg(test)]
mod tests;

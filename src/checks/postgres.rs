//! Kind `postgres`: whether a PostgreSQL server lets us in and answers a query, and what numbers the answer holds.
//!
//! Costs the server one connection, and one message that holds a whole read-only transaction: the server itself refuses
//! writes, ends the transaction in time, and sends one row. The query runs as a subquery in it, so a second statement
//! written by mistake is an error of syntax. One message also works through a connection pooler, where the session is the
//! application's next: whatever is set ends with the transaction. A connection that has answered is ended politely; one
//! whose run is dropped is closed with it.
//!
//! Must not know how often it runs, or what its numbers mean.

use std::io;

use sqlx::postgres::{PgRow, PgValueRef};
use sqlx::{AssertSqlSafe, Column, Row, TypeInfo, ValueRef};
use tokio::time::Instant;

use self::options::Server;
use self::session::{NoSession, Session};
use super::kept::Kept;
use super::net::Address;
use super::sql::query::{Dialect, statement};
use super::{Built, Check, Kind, Probe, Run, Target, net, reasons, sql};
use crate::config::{Fields, Secret, SecretUrl};
use crate::model::{Cause, Measures, Outcome, Phase, Reason};

mod encryption;
pub(super) mod failure;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;
mod handshake;
mod options;
mod session;

const DEFAULT_QUERY: &str = "SELECT 1";
/// What a statement begins with that can stand in another.
const DIALECT: Dialect = Dialect { postgres: true, reads: &["select", "with", "values", "table"] };

/// See the module.
pub(super) struct Postgres;

struct PostgresCheck {
    server: Server,
    /// Where it listens; `None` for a socket.
    address: Option<Address>,
    query: String,
    kept: Kept<Session>,
}

impl Check for PostgresCheck {
    async fn run(&self, run: &Run) -> Outcome {
        if let Some(mut kept) = self.kept.take() {
            match self.ask(run, &mut kept).await {
                // It died while nobody used it, which says nothing about the server.
                Err(error) if failure::is_lost(&error) => drop(kept),
                answer => return self.finish(kept, answer).await,
            }
        }
        match self.connect(run).await {
            Ok(mut connection) => {
                let answer = self.ask(run, &mut connection).await;
                self.finish(connection, answer).await
            }
            Err(failed) => failed,
        }
    }
}

impl PostgresCheck {
    async fn connect(&self, run: &Run) -> Result<Session, Outcome> {
        let encryption = &self.server.encryption;
        let attempt = async |mode| {
            let options = self.server.connect.clone().ssl_mode(mode);
            Session::open(run, &options, self.address.as_ref()).await
        };
        let mut opened = attempt(encryption.first()).await;
        if let Err(NoSession::Refused(first)) = opened {
            opened = match encryption.after(&first) {
                Some(mode) => attempt(mode).await.map_err(|second| match second {
                    NoSession::Refused(second) => NoSession::Refused(encryption.telling(first, second)),
                    unconnected @ NoSession::Unconnected(_) => unconnected,
                }),
                None => Err(NoSession::Refused(first)),
            };
        }
        opened.map_err(|none| match none {
            NoSession::Unconnected(error) => reasons::failed(error.failure, failure::REASONS).because(error),
            NoSession::Refused(sqlx::Error::Io(error))
                if self.address.is_none() && error.kind() == io::ErrorKind::NotFound =>
            {
                Outcome::caused_by(Cause::NoSocket).because(error)
            }
            NoSession::Refused(error) => failure::of(&error),
        })
    }

    async fn ask(&self, run: &Run, session: &mut Session) -> Result<Option<PgRow>, sqlx::Error> {
        let transaction = transaction(&self.server.application, &self.query, run);
        let (connection, carrier) = session.split();
        let asked = sqlx::raw_sql(AssertSqlSafe(transaction)).fetch_optional(connection);
        run.phase(Phase::Request, carrier.during(asked)).await
    }

    async fn finish(&self, session: Session, answer: Result<Option<PgRow>, sqlx::Error>) -> Outcome {
        match answer {
            Ok(row) => {
                if let Some(unkept) = self.kept.keep(session) {
                    unkept.close().await;
                }
                let outcome =
                    if self.query == DEFAULT_QUERY { Outcome::pass() } else { measure(row.as_ref()) };
                match self.server.encryption.advice() {
                    Some(advice) if outcome.advice.is_none() => outcome.advise(advice),
                    _ => outcome,
                }
            }
            Err(error) => {
                if matches!(error, sqlx::Error::Database(_)) {
                    give_up(session).await;
                }
                failure::of(&error)
            }
        }
    }
}

/// Ends the failed transaction before the connection, so that a pooler may go on with its own.
async fn give_up(mut session: Session) {
    let (connection, carrier) = session.split();
    if carrier.during(sqlx::raw_sql("ROLLBACK").execute(connection)).await.is_ok() {
        session.close().await;
    }
}

/// The one message of a run. The server gives up shortly before we do, and on a lock before that, to say what it was.
fn transaction(application: &str, query: &str, run: &Run) -> String {
    let left = net::patience(run).saturating_duration_since(Instant::now()).as_millis().max(2);
    let lock = left - left.div_ceil(10);
    let application = application.replace('\\', "\\\\").replace('\'', "''");
    // Before version 12 a server rounds numbers unless asked for all digits.
    format!(
        "BEGIN READ ONLY; SET LOCAL application_name = E'{application}'; SET LOCAL extra_float_digits = 2; \
         SET LOCAL statement_timeout = {left}; SET LOCAL lock_timeout = {lock};\n\
         SELECT * FROM (\n{query}\n) AS answer LIMIT 1;\nCOMMIT"
    )
}

fn measure(row: Option<&PgRow>) -> Outcome {
    sql::measure(row.map(|row| {
        let read = |at: usize| row.try_get_raw(at).ok().and_then(|value| number(&value));
        row.columns().iter().map(move |column| (column.name(), read(column.ordinal())))
    }))
}

/// Reads a value in text form, which is the form of every answer to a simple query.
fn number(value: &PgValueRef<'_>) -> Option<f64> {
    if value.is_null() {
        return None;
    }
    let text = value.as_str().ok()?;
    match value.type_info().name() {
        "BOOL" => Some(f64::from(u8::from(text == "t"))),
        "INT2" | "INT4" | "INT8" | "OID" | "FLOAT4" | "FLOAT8" | "NUMERIC" => text.parse().ok(),
        _ => None,
    }
}

impl Kind for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["postgresql", "pg", "pgsql", "pgbouncer", "timescaledb"]
    }

    fn about(&self) -> &'static str {
        "Logs in to PostgreSQL and runs a query in a read-only, time-limited transaction."
    }

    fn example(&self) -> &'static str {
        "url: \"postgres://monitor@db.internal/shop\"\n\
         query: \"select count(*) as open_orders from orders where state = 'open'\"\n"
    }

    fn reasons(&self) -> &'static [Reason] {
        failure::REASONS
    }

    fn measures(&self) -> Measures {
        Measures::open("numeric columns of the first row")
    }

    fn build(&self, fields: &mut Fields<'_>) -> Option<Built> {
        let url: Option<SecretUrl> = fields.required(
            "url",
            "where the database is: postgres://user@host:port/database, with sslmode, sslrootcert, sslcert and sslkey \
             as parameters",
        );
        let password: Option<Secret> =
            fields.optional("password", "password, instead of one in the URL or in the file .pgpass");
        let query: String = fields.or(
            "query",
            DEFAULT_QUERY.to_owned(),
            "one statement that reads; the numbers in the first row of its answer become measurements named as their \
             columns, in lower case and with _ for what a name cannot hold",
        );
        let reuse = fields.or(
            "reuse",
            false,
            "whether to keep the connection from one run to the next instead of a fresh one",
        );
        let query =
            statement(&query, DIALECT).map(str::to_owned).map_err(|flaw| fields.problem("query", flaw)).ok();
        let server =
            options::read(&url?, password.as_ref()).map_err(|problem| fields.problem("url", problem)).ok()?;
        Some(PostgresCheck::new(server, query?, reuse).built())
    }
}

impl PostgresCheck {
    fn new(server: Server, query: String, reuse: bool) -> Self {
        let (host, port) = (server.connect.get_host(), server.connect.get_port());
        // Without a host the driver looks where Debian has its sockets.
        let socket = server.connect.get_socket().is_some() || host.starts_with('/');
        Self {
            address: (!socket).then(|| Address { host: host.to_owned(), port }),
            server,
            query,
            kept: Kept::new(reuse),
        }
    }

    fn built(self) -> Built {
        let socket = self.server.connect.get_socket().map(|path| path.display().to_string());
        let target = Target {
            port: self.address.as_ref().map(|address| address.port),
            address: socket.or_else(|| Some(self.server.connect.get_host().to_owned())),
            db_system: Some("postgresql"),
            messaging_system: None,
        };
        Built { probe: Probe::new(self), target }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_query_is_one_statement_inside_a_limited_transaction() {
        let sql = transaction("it's \\", "select 1", &Run::new(Duration::from_secs(5_000)));
        assert!(sql.starts_with("BEGIN READ ONLY; SET LOCAL application_name = E'it''s \\\\'; "), "{sql}");
        assert!(sql.contains("; SET LOCAL statement_timeout = 49"), "{sql}");
        assert!(sql.ends_with("SELECT * FROM (\nselect 1\n) AS answer LIMIT 1;\nCOMMIT"), "{sql}");
        let late = transaction("me", "select 1", &Run::new(Duration::ZERO));
        assert!(late.contains("statement_timeout = 2; SET LOCAL lock_timeout = 1;"), "{late}");
    }
}

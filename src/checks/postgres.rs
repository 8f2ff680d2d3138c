//! Kind `postgres`: whether a PostgreSQL server lets us in and answers a query, and what numbers the answer holds.
//!
//! Costs the server one connection, and two round trips for a read-only transaction: it refuses writes, ends the
//! transaction in time, and sends one row. The query goes alone, so that no text of it can leave the transaction, which is
//! rolled back: that also works through a connection pooler, where the session is the application's next. A connection that
//! has answered is ended politely; one whose run is dropped is closed with it.
//!
//! The protocol is spoken here, over a connection of ours, with the messages of the crate postgres-protocol: the drivers
//! make room for whatever length a server announces, read for as long as something comes, and send no query alone without
//! asking the server's catalogue for types. sqlx reads the URL.
//!
//! Must not know how often it runs, or what its numbers mean.

use fallible_iterator::FallibleIterator;
use tokio::time::Instant;

use self::encryption::Attempt;
use self::failure::Error;
use self::options::Server;
use self::session::{Place, Row, Session};
use super::kept::Kept;
use super::sql::query::{Dialect, statement};
use super::{Built, Check, Kind, Probe, Run, Target, net, sql};
use crate::config::{Fields, Secret, SecretUrl};
use crate::model::{Measures, Outcome, Phase, Reason};

mod encryption;
pub(super) mod failure;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;
mod login;
mod messages;
mod options;
mod session;

const DEFAULT_QUERY: &str = "SELECT 1";
/// What a statement begins with that can stand in another.
const DIALECT: Dialect = Dialect { postgres: true, reads: &["select", "with", "values", "table"] };

/// See the module.
pub(super) struct Postgres;

struct PostgresCheck {
    server: Server,
    query: String,
    kept: Kept<Session>,
}

impl Check for PostgresCheck {
    async fn run(&self, run: &Run) -> Outcome {
        if let Some(mut kept) = self.kept.take() {
            kept.renew();
            match self.ask(run, &mut kept).await {
                // It died while nobody used it, which says nothing about the server.
                Err(error) if error.is_lost() => drop(kept),
                answer => return self.finish(kept, answer).await,
            }
        }
        match self.connect(run).await {
            Ok(mut session) => {
                let answer = self.ask(run, &mut session).await;
                self.finish(session, answer).await
            }
            Err(error) => error.outcome(),
        }
    }
}

impl PostgresCheck {
    async fn connect(&self, run: &Run) -> Result<Session, Error> {
        let Server { place, login, encryption, .. } = &self.server;
        let open = async |attempt: Attempt| Session::open(run, place, encryption, attempt, login).await;
        match open(encryption.first).await {
            Err(first) => match encryption.after(&first) {
                Some(attempt) => open(attempt).await.map_err(|second| encryption.telling(first, second)),
                None => Err(first),
            },
            opened => opened,
        }
    }

    async fn ask(&self, run: &Run, session: &mut Session) -> Result<Option<Row>, Error> {
        let begin = beginning(&self.server.application, run);
        run.phase(Phase::Request, session.ask(&begin, &self.query)).await
    }

    async fn finish(&self, session: Session, answer: Result<Option<Row>, Error>) -> Outcome {
        let measured = match answer {
            Ok(_) if self.query == DEFAULT_QUERY => Ok(Outcome::pass()),
            Ok(row) => measure(row.as_ref()),
            Err(error) => Err(error),
        };
        let offered = session.offered;
        match &measured {
            Ok(_) => {
                if let Some(unkept) = self.kept.keep(session) {
                    unkept.close().await;
                }
            }
            // It has ended the transaction, and a pooler may go on with its own connection.
            Err(Error::Server(_)) => session.close().await,
            Err(_) => drop(session),
        }
        let outcome = match measured {
            Ok(outcome) => outcome,
            Err(error) => return error.outcome(),
        };
        match self.server.encryption.advice(offered) {
            Some(advice) if outcome.advice.is_none() => outcome.advise(advice),
            _ => outcome,
        }
    }
}

/// Begins the transaction of a run. The server gives up shortly before we do, and on a lock before that, to say what it
/// was. Nothing is set for longer than the transaction.
fn beginning(application: &str, run: &Run) -> String {
    let left = net::patience(run).saturating_duration_since(Instant::now()).as_millis().max(2);
    let lock = left - left.div_ceil(10);
    let application = application.replace('\\', "\\\\").replace('\'', "''");
    // Before version 12 a server rounds numbers unless asked for all digits.
    format!(
        "BEGIN READ ONLY; SET LOCAL application_name = E'{application}'; SET LOCAL extra_float_digits = 2; \
         SET LOCAL statement_timeout = {left}; SET LOCAL lock_timeout = {lock}"
    )
}

fn measure(row: Option<&Row>) -> Result<Outcome, Error> {
    let Some(Row { columns, values }) = row else {
        return Ok(sql::measure(None::<std::iter::Empty<(&str, Option<f64>)>>));
    };
    let broken = |error: std::io::Error| Error::Protocol(error.to_string());
    if columns.fields().count().map_err(broken)? != values.ranges().count().map_err(broken)? {
        return Err(Error::unexpected("what was said of the columns"));
    }
    let pairs = columns.fields().zip(values.ranges()).map(|(field, range)| {
        let value = range.and_then(|range| values.buffer().get(range));
        Ok((field.name(), value.and_then(|value| number(field.type_oid(), value))))
    });
    // One more than is measured says that there are more.
    let pairs: Vec<_> = pairs.take(sql::MOST + 1).collect().map_err(broken)?;
    Ok(sql::measure(Some(pairs.into_iter())))
}

/// Reads a value in text form. The types have fixed numbers.
fn number(kind: u32, value: &[u8]) -> Option<f64> {
    const BOOL: u32 = 16;
    /// int8, int2, int4, oid, float4, float8, numeric.
    const NUMBERS: [u32; 7] = [20, 21, 23, 26, 700, 701, 1700];
    let text = std::str::from_utf8(value).ok()?;
    match kind {
        BOOL => Some(f64::from(u8::from(text == "t"))),
        kind if NUMBERS.contains(&kind) => text.parse().ok(),
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
        Self { server, query, kept: Kept::new(reuse) }
    }

    fn built(self) -> Built {
        let (address, port) = match &self.server.place {
            Place::Port(address) => (address.host.clone(), Some(address.port)),
            Place::Socket(path) => (path.parent().unwrap_or(path).display().to_string(), None),
        };
        let target =
            Target { address: Some(address), port, db_system: Some("postgresql"), messaging_system: None };
        Built { probe: Probe::new(self), target }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_transaction_is_read_only_and_limited() {
        let sql = beginning("it's \\", &Run::new(Duration::from_secs(5_000)));
        assert!(sql.starts_with("BEGIN READ ONLY; SET LOCAL application_name = E'it''s \\\\'; "), "{sql}");
        assert!(sql.contains("; SET LOCAL statement_timeout = 49"), "{sql}");
        assert!(sql.split("; ").skip(1).all(|part| part.starts_with("SET LOCAL ")), "{sql}");
        let late = beginning("me", &Run::new(Duration::ZERO));
        assert!(late.contains("statement_timeout = 2; SET LOCAL lock_timeout = 1"), "{late}");
    }

    #[test]
    fn numbers_are_read_by_their_type() {
        for (kind, text, expected) in [
            (16, "t", Some(1.0)),
            (16, "f", Some(0.0)),
            (23, "-7", Some(-7.0)),
            (701, "0.1", Some(0.1)),
            (1700, "12345678901234567890.5", Some(12_345_678_901_234_567_000.0)),
            (25, "7", None),
            (23, "", None),
        ] {
            assert_eq!(number(kind, text.as_bytes()), expected, "{kind} {text}");
        }
        assert_eq!(number(23, b"\xff"), None);
    }
}

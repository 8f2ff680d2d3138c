//! A check of a database through the pool of the embedding program, which tells a pool without a free connection from a
//! database that does not answer.
//!
//! The pool itself does not tell: it waits for a free connection and for a database that is down alike, and its error is
//! the same. So when it gives nothing in time, one connection is opened beside it, and the answer to that decides. Costs
//! at most one connection, of the pool or beside it. A connection that did not answer is closed, not given back.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use sqlx::{ConnectOptions, Connection, Database, Error, Pool};
use tokio::runtime::Handle;
use tokio::time::{timeout, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::{Check, Run, net};
use crate::model::{Outcome, Phase, Reason, Verdict};
use crate::supervisor;

type Options<DB> = <<DB as Database>::Connection as Connection>::Options;

/// The longest that a free connection is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// A database whose pools can be checked: PostgreSQL and SQLite.
pub trait PoolDatabase: Database + sealed::Sealed {
    /// Asks something that the database must answer.
    #[doc(hidden)]
    fn ask(connection: &mut Self::Connection) -> impl Future<Output = Result<(), Error>> + Send;

    /// The outcome that an error stands for.
    #[doc(hidden)]
    fn failure(error: &Error) -> Outcome;

    /// The options for a connection beside the pool.
    #[doc(hidden)]
    fn beside(options: Options<Self>) -> Options<Self>;
}

mod sealed {
    pub trait Sealed {}
    #[cfg(feature = "postgres")]
    impl Sealed for sqlx::Postgres {}
    #[cfg(feature = "sqlite")]
    impl Sealed for sqlx::Sqlite {}
}

#[cfg(feature = "postgres")]
impl PoolDatabase for sqlx::Postgres {
    async fn ask(connection: &mut Self::Connection) -> Result<(), Error> {
        sqlx::raw_sql("SELECT 1").execute(connection).await.map(drop)
    }

    fn failure(error: &Error) -> Outcome {
        super::postgres::failure::of(error)
    }

    fn beside(options: Options<Self>) -> Options<Self> {
        options.statement_cache_capacity(0).disable_statement_logging()
    }
}

#[cfg(feature = "sqlite")]
impl PoolDatabase for sqlx::Sqlite {
    async fn ask(connection: &mut Self::Connection) -> Result<(), Error> {
        sqlx::raw_sql("SELECT count(*) FROM sqlite_schema").execute(connection).await.map(drop)
    }

    fn failure(error: &Error) -> Outcome {
        super::sqlite::failure::of(error)
    }

    fn beside(options: Options<Self>) -> Options<Self> {
        options.create_if_missing(false).statement_cache_capacity(0).disable_statement_logging()
    }
}

/// See the module.
pub(crate) struct PoolCheck<DB: PoolDatabase> {
    pool: Pool<DB>,
    /// The runtime of the program; `None` for the one that the check runs on.
    home: Option<Handle>,
}

impl<DB: PoolDatabase> PoolCheck<DB> {
    /// A check of `pool`, which is asked on the runtime that this is called on.
    pub(crate) fn new(pool: &Pool<DB>) -> Self {
        Self { pool: pool.clone(), home: Handle::try_current().ok() }
    }
}

impl<DB: PoolDatabase> Check for PoolCheck<DB> {
    async fn run(&self, run: &Run) -> Outcome {
        let asked = ask(self.pool.clone(), run.clone());
        let outcome = match &self.home {
            None => asked.await,
            Some(home) => match AbortOnDropHandle::new(supervisor::task_on(home, asked)).await {
                Ok(outcome) => outcome,
                Err(error) if error.is_panic() => Outcome::failed(Reason::Panic).because(error),
                Err(error) => Outcome::fail("the runtime of the pool has ended").because(error),
            },
        };
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        outcome
            .detail("connections", i64::from(self.pool.size()))
            .detail("connections_idle", count(self.pool.num_idle()))
            .detail("connections_limit", i64::from(self.pool.options().get_max_connections()))
    }
}

async fn ask<DB: PoolDatabase>(pool: Pool<DB>, run: Run) -> Outcome {
    let (until, wait) = (net::patience(&run), (run.timeout() / 3).min(PATIENCE));
    let mut connection = match timeout(wait, run.phase(Phase::Connect, pool.acquire())).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(Error::PoolClosed)) => return Outcome::fail("the pool is closed"),
        Ok(Err(Error::PoolTimedOut)) | Err(_) => return decide(&pool, &run).await,
        Ok(Err(error)) => return DB::failure(&error),
    };
    let outcome = match timeout_at(until, run.phase(Phase::Request, DB::ask(&mut connection))).await {
        Ok(Ok(())) => return Outcome::pass(),
        Ok(Err(error)) => DB::failure(&error),
        Err(_) => Outcome::failed(Reason::Timeout),
    };
    drop(connection.detach());
    outcome
}

/// Decides, by a connection beside the pool, whether it is the pool or the database that gives nothing.
async fn decide<DB: PoolDatabase>(pool: &Pool<DB>, run: &Run) -> Outcome {
    let exhausted = pool.num_idle() == 0 && pool.size() >= pool.options().get_max_connections();
    let options = DB::beside((*pool.connect_options()).clone());
    let beside = async {
        let mut connection = run.phase(Phase::Connect, options.connect()).await?;
        run.phase(Phase::Request, DB::ask(&mut connection)).await?;
        // It has answered; whether it also takes leave properly says nothing more.
        let _ = connection.close().await;
        Ok(())
    };
    match timeout_at(net::patience(run), beside).await {
        Ok(Ok(())) if exhausted => full("every connection of the pool is in use, while the database answers"),
        Ok(Ok(())) => full("the pool gave no connection in time, while the database answers"),
        Ok(Err(error)) => match DB::failure(&error) {
            // The database answers, only that it has no more connections to give than those that the pool holds.
            failure if exhausted && failure.verdict == Verdict::Fail(Reason::PoolExhausted) => {
                full("every connection of the pool is in use, and the database gives no further one")
            }
            failure => failure,
        },
        Err(_) => Outcome::failed(Reason::Timeout),
    }
}

fn full(message: &'static str) -> Outcome {
    Outcome { verdict: Verdict::Warn(Reason::PoolExhausted), ..Outcome::warn(message) }
}

impl<DB: PoolDatabase> fmt::Debug for PoolCheck<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PoolCheck")
    }
}

#[cfg(test)]
#[cfg(feature = "sqlite")]
mod tests {
    use sqlx::sqlite::SqlitePoolOptions;

    use super::*;

    fn pool(path: &std::path::Path) -> Pool<sqlx::Sqlite> {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
        SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options)
    }

    async fn ask(pool: &Pool<sqlx::Sqlite>) -> Outcome {
        PoolCheck::new(pool).run(&Run::new(Duration::from_secs(20))).await
    }

    #[tokio::test]
    async fn a_full_pool_is_no_failure_of_the_database() {
        let folder = tempfile::tempdir().unwrap();
        let pool = pool(&folder.path().join("orders.db"));
        // To open the file may take a slow machine longer than the check waits for a connection.
        drop(pool.acquire().await.unwrap());
        assert_eq!(ask(&pool).await.verdict, Verdict::Pass);
        let held = pool.acquire().await.unwrap();
        assert_eq!(ask(&pool).await.verdict, Verdict::Warn(Reason::PoolExhausted));
        drop(held);
        assert_eq!(ask(&pool).await.verdict, Verdict::Pass);
        pool.close().await;
        assert_eq!(ask(&pool).await.verdict, Verdict::Fail(Reason::Other));
    }

    #[tokio::test]
    async fn a_pool_without_a_database_fails_and_makes_none() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("no/orders.db");
        assert!(matches!(ask(&pool(&missing)).await.verdict, Verdict::Fail(_)));
    }
}

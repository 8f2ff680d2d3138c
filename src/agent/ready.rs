//! Checks of what only an embedding program has: its runtimes, its groups of tasks, its connection pools.

use tokio::runtime::Handle;

use crate::checks::{GroupTasks, RuntimeTasks, tasks_threshold};
use crate::collect::TaskGroup;

use super::function::{FunctionCheck, check};

/// A check of how many tasks the runtime behind `handle` has: its measurement `tasks` warns from 100 on, unless
/// [`FunctionCheck::threshold`] says otherwise.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), vitalsign::agent::InvalidCheck> {
/// let mut plan = vitalsign::Plan::default();
/// plan.add(vitalsign::tasks_of_runtime("tasks", &tokio::runtime::Handle::current()))?;
/// # Ok(())
/// # }
/// ```
pub fn tasks_of_runtime(name: &str, handle: &Handle) -> FunctionCheck {
    limited(check(name, RuntimeTasks { handle: Some(handle.clone()) }))
}

/// A check of how much work a group has going on: its measurement `tasks` warns from 100 on, unless
/// [`FunctionCheck::threshold`] says otherwise. Keeps the group and its metrics alive.
pub fn tasks_of_group(name: &str, group: &TaskGroup) -> FunctionCheck {
    limited(check(name, GroupTasks(group.clone())))
}

fn limited(check: FunctionCheck) -> FunctionCheck {
    tasks_threshold().into_iter().fold(check, FunctionCheck::threshold)
}

/// A check of a database through the program's own connection pool: it takes a connection and asks a question.
///
/// A pool that has no connection to give within a third of the check's time limit, one second at most, is degraded
/// where the database answers a connection beside the pool, for then it is load and not failure; it fails, for the
/// reason that the connection beside it fails for, where the database does not.
///
/// What is asked of the pool is asked on the runtime that this is called on, which should be the pool's: connections
/// belong to the runtime that opened them, and the check may open one for the pool.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// # let pool = sqlx::postgres::PgPool::connect("postgres://orders@db/shop").await?;
/// let mut plan = vitalsign::Plan::default();
/// plan.add(vitalsign::pool("orders_db", &pool).critical())?;
/// # Ok(())
/// # }
/// ```
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub fn pool<DB: crate::checks::PoolDatabase>(name: &str, pool: &sqlx::Pool<DB>) -> FunctionCheck {
    check(name, crate::checks::PoolCheck::new(pool))
}

//! Pools of database connections that the embedding program hands over: how full they are, and what waiting costs.
//!
//! Size and idle connections are the pool's own numbers, read when somebody reads the page. What waiting costs the pool
//! does not tell, so it is known only of connections that are taken through the wrapper here.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::{Database, Error, Pool};
use tokio::time::Instant;

use crate::metrics::{Counter, Gauge, Histogram, Observe, Scope, Store};
use crate::model::{Definition, Instrument};

const BY_POOL: &[&str] = &["db.client.connection.pool.name"];

static COUNT: Definition = Definition {
    name: "db.client.connection.count",
    instrument: Instrument::UpDownCounter,
    unit: "{connection}",
    attributes: &["db.client.connection.pool.name", "db.client.connection.state"],
    help: "Number of connections that the pool has, by whether they are in use",
};
static MAX: Definition = Definition {
    name: "db.client.connection.max",
    instrument: Instrument::UpDownCounter,
    unit: "{connection}",
    attributes: BY_POOL,
    help: "Number of connections that the pool may have",
};
static PENDING: Definition = Definition {
    name: "db.client.connection.pending_requests",
    instrument: Instrument::UpDownCounter,
    unit: "{request}",
    attributes: BY_POOL,
    help: "Number of requests that wait for a connection, of those that are measured",
};
static TIMEOUTS: Definition = Definition {
    name: "db.client.connection.timeouts",
    instrument: Instrument::Counter,
    unit: "{timeout}",
    attributes: BY_POOL,
    help: "Number of requests that the pool had no connection for in time, of those that are measured",
};
static WAIT_TIME: Definition = Definition {
    name: "db.client.connection.wait_time",
    instrument: Instrument::Histogram(&[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0]),
    unit: "s",
    attributes: BY_POOL,
    help: "How long it took to get a connection, of requests that are measured and got one",
};

/// The metrics that this part fills.
pub(crate) static DEFINITIONS: &[&Definition] = &[&COUNT, &MAX, &PENDING, &TIMEOUTS, &WAIT_TIME];

/// Shows the metrics of a pool until the last clone is dropped, and hands out its connections.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// # use sqlx::postgres::PgPool;
/// use vitalsign::{PoolMetrics, metrics::Store};
///
/// let store = Store::new();
/// let pool = PgPool::connect("postgres://orders@db/shop").await?;
/// let orders = PoolMetrics::register(&store, "orders", pool.clone());
/// // Taken here it is known how long it took; `pool.acquire()` works as before.
/// let mut connection = orders.acquire().await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "the metrics go when this is dropped"]
pub struct PoolMetrics<DB: Database> {
    watched: Arc<Watched<DB>>,
    /// The same, as the store knows it.
    _erased: Arc<dyn Observe>,
}

struct Watched<DB: Database> {
    pool: Pool<DB>,
    idle: Gauge,
    used: Gauge,
    max: Gauge,
    pending: Gauge,
    timeouts: Counter,
    wait_time: Histogram,
    _scope: Scope,
}

impl<DB: Database> PoolMetrics<DB> {
    /// Shows the metrics of `pool` in `store`, as those of `name`, which no other pool has.
    pub fn register(store: &Store, name: &str, pool: Pool<DB>) -> Self {
        let mut scope = store.scope();
        let pending = scope.gauge(&PENDING, &[name]);
        pending.add(0.0);
        let watched = Arc::new(Watched {
            pool,
            idle: scope.gauge(&COUNT, &[name, "idle"]),
            used: scope.gauge(&COUNT, &[name, "used"]),
            max: scope.gauge(&MAX, &[name]),
            pending,
            timeouts: scope.counter(&TIMEOUTS, &[name]),
            wait_time: scope.histogram(&WAIT_TIME, &[name]),
            _scope: scope,
        });
        let erased: Arc<dyn Observe> = Arc::clone(&watched) as _;
        store.observe(&erased);
        Self { watched, _erased: erased }
    }

    /// The pool.
    #[must_use]
    pub fn pool(&self) -> &Pool<DB> {
        &self.watched.pool
    }

    /// Takes a connection out of the pool, and notes how long that took.
    ///
    /// # Errors
    /// Those of `Pool::acquire`.
    pub fn acquire(&self) -> impl Future<Output = Result<PoolConnection<DB>, Error>> + Send + 'static {
        let watched = Arc::clone(&self.watched);
        async move {
            let started = Instant::now();
            let _pending = Pending::begin(&watched.pending);
            let acquired = watched.pool.acquire().await;
            match &acquired {
                Ok(_) => watched.wait_time.observe(started.elapsed().as_secs_f64()),
                Err(Error::PoolTimedOut) => watched.timeouts.increment(),
                Err(_) => {}
            }
            acquired
        }
    }
}

impl<DB: Database> Clone for PoolMetrics<DB> {
    fn clone(&self) -> Self {
        Self { watched: Arc::clone(&self.watched), _erased: Arc::clone(&self._erased) }
    }
}

impl<DB: Database> fmt::Debug for PoolMetrics<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pool = self.pool();
        f.debug_struct("PoolMetrics").field("size", &pool.size()).field("idle", &pool.num_idle()).finish()
    }
}

impl<DB: Database> Observe for Watched<DB> {
    fn observe(&self) {
        // Read one after the other, so for a moment more may seem idle than there are.
        let (size, idle) = (self.pool.size() as usize, self.pool.num_idle());
        self.idle.set(idle as f64);
        self.used.set(size.saturating_sub(idle) as f64);
        self.max.set(f64::from(self.pool.options().get_max_connections()));
    }
}

/// A request that waits; dropped with it, however it ends.
struct Pending<'a>(&'a Gauge);

impl<'a> Pending<'a> {
    fn begin(gauge: &'a Gauge) -> Self {
        gauge.add(1.0);
        Self(gauge)
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.0.add(-1.0);
    }
}

#[cfg(test)]
#[cfg(feature = "sqlite")]
mod tests {
    use std::time::Duration;

    use sqlx::sqlite::SqlitePoolOptions;

    use super::*;
    use crate::metrics::{Format, Pages, violations};

    /// What a page says that is made at `hour`, so that every page reads anew.
    fn page(store: &Store, hour: &mut Instant) -> String {
        *hour += Duration::from_secs(3600);
        String::from_utf8(
            Pages::new(store.clone(), Vec::new()).page(*hour, Format::Text, false).text().to_vec(),
        )
        .unwrap()
    }

    fn value(store: &Store, hour: &mut Instant, series: &str) -> f64 {
        let text = page(store, hour);
        let found = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok());
        found.unwrap_or_else(|| panic!("{series} is not on {text}"))
    }

    #[test]
    fn every_definition_keeps_the_rules() {
        let found: Vec<_> = DEFINITIONS.iter().flat_map(|definition| violations(definition)).collect();
        assert_eq!(found, [""; 0]);
    }

    #[tokio::test]
    async fn shows_how_full_a_pool_is_and_what_waiting_cost() {
        let store = Store::new();
        let options = SqlitePoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(2));
        let pool = options.connect_lazy("sqlite::memory:").unwrap();
        let metrics = PoolMetrics::register(&store, "orders", pool.clone());
        let name = "db_client_connection_pool_name=\"orders\"";
        let hour = std::cell::RefCell::new(Instant::now());
        let now = |what: &str| {
            value(&store, &mut hour.borrow_mut(), &format!("db_client_connection_{what}{{{name}}}"))
        };
        let count = |state: &str| {
            let state = format!("db_client_connection_state=\"{state}\"");
            value(&store, &mut hour.borrow_mut(), &format!("db_client_connection_count{{{name},{state}}}"))
        };
        assert_eq!((count("idle"), count("used"), now("max")), (0.0, 0.0, 2.0));
        let held = (metrics.acquire().await.unwrap(), metrics.clone().acquire().await.unwrap());
        assert_eq!((count("idle"), count("used")), (0.0, 2.0));
        assert!(matches!(metrics.acquire().await, Err(Error::PoolTimedOut)));
        let mut waits = Box::pin(metrics.acquire());
        let first = tokio::time::timeout(Duration::from_millis(5), &mut waits).await;
        assert!(first.is_err());
        assert_eq!(now("pending_requests"), 1.0);
        drop(waits);
        assert_eq!(now("pending_requests"), 0.0);
        assert_eq!(now("timeouts_total"), 1.0);
        assert_eq!(now("wait_time_seconds_count"), 2.0);
        drop(held);
        drop(metrics);
        assert!(!page(&store, &mut hour.borrow_mut()).contains("orders"));
    }
}

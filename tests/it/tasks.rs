//! What an embedding program hands over: its pool on a real PostgreSQL, its groups and runtimes on a real page.

use std::time::Duration;

use sqlx::postgres::{PgPool, PgPoolOptions};
use tokio::runtime::Handle;
use vitalsign::health::{Board, Judged};
use vitalsign::metrics::Store;
use vitalsign::model::{Limit, Name, Reason, State, Threshold};
use vitalsign::{
    Agent, FunctionCheck, Plan, PoolMetrics, RuntimeMetrics, TaskGroup, pool, tasks_of_group,
    tasks_of_runtime,
};

use crate::harness::{
    eventually::{eventually_async, same},
    http,
    postgres::Postgres,
    scrape::Scrape,
};

const SOON: Duration = Duration::from_secs(60);

/// Runs a check once.
async fn once(check: FunctionCheck) -> Judged {
    let mut plan = Plan::default();
    plan.add(check).unwrap();
    let name = plan.checks[0].name.clone();
    let store = Store::new();
    let board = Board::new(store.clone());
    vitalsign::runner::run_once(plan.checks, &board, &store).await.unwrap();
    board.check(name.as_str(), tokio::time::Instant::now()).unwrap()
}

/// The state and the reason of a check that is run once through `pool`.
async fn ask(connections: &PgPool) -> (State, Option<Reason>) {
    let judged = once(pool("orders_db", connections).timeout(Duration::from_secs(10))).await;
    (judged.state, judged.standing.unwrap().failing.as_ref().map(|failing| failing.reason))
}

fn pool_of_two(postgres: &Postgres) -> PgPool {
    // Its own patience is longer than that of the check, as it is in most programs.
    let options = PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(30));
    options.connect_lazy(&postgres.url()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exhausted_pool_is_told_apart_from_a_database_that_does_not_answer() {
    let mut postgres = Postgres::start();
    let pool = pool_of_two(&postgres);
    // To log in may take a slow machine longer than the check waits for a connection.
    drop(pool.acquire().await.unwrap());
    assert_eq!(ask(&pool).await, (State::Healthy, None));

    let held = (pool.acquire().await.unwrap(), pool.acquire().await.unwrap());
    assert_eq!(ask(&pool).await, (State::Degraded, Some(Reason::PoolExhausted)));

    // The pool looks the same, but now it is because of the database.
    postgres.freeze();
    assert_eq!(ask(&pool).await, (State::Unhealthy, Some(Reason::Timeout)));
    postgres.thaw();
    assert_eq!(ask(&pool).await, (State::Degraded, Some(Reason::PoolExhausted)));
    drop(held);
    eventually_async("the pool to have its connections back", SOON, async || {
        same(ask(&pool).await, &(State::Healthy, None))
    })
    .await;

    // With free connections, too.
    postgres.freeze();
    assert_eq!(ask(&pool).await, (State::Unhealthy, Some(Reason::Timeout)));
    postgres.thaw();
    postgres.kill();
    assert_eq!(ask(&pool).await, (State::Unhealthy, Some(Reason::ConnectionRefused)));
    postgres.restart();
    eventually_async("the pool to be back", SOON, async || same(ask(&pool).await, &(State::Healthy, None)))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_that_the_database_lets_in_no_more_fails() {
    let postgres = Postgres::start();
    let pool = pool_of_two(&postgres);
    postgres.psql("alter role vitalsign connection limit 2");
    let held = (pool.acquire().await.unwrap(), pool.acquire().await.unwrap());
    assert_eq!(ask(&pool).await, (State::Degraded, Some(Reason::PoolExhausted)));
    drop(held);
    pool.close().await;

    postgres.psql("alter role vitalsign nologin");
    assert_eq!(ask(&pool_of_two(&postgres)).await, (State::Unhealthy, Some(Reason::Auth)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checks_leave_the_pool_as_it_was() {
    let postgres = Postgres::start();
    let pool = pool_of_two(&postgres);
    let held = (pool.acquire().await.unwrap(), pool.acquire().await.unwrap());
    for _ in 0..3 {
        ask(&pool).await;
    }
    drop(held);
    let sessions = "select count(*) from pg_stat_activity where usename = 'vitalsign'";
    eventually_async("the sessions beside the pool to end", SOON, async || {
        same(postgres.psql(sessions), &"2".to_owned())
    })
    .await;
    eventually_async("the pool to be idle", SOON, async || same(pool.num_idle(), &2)).await;
}

#[tokio::test]
async fn many_tasks_are_a_warning() {
    let group = TaskGroup::new(&Store::new(), "mailer");
    let work: Vec<_> = (0..100).map(|_| group.start()).collect();
    let judged = once(tasks_of_group("mailer", &group)).await;
    assert_eq!(
        (judged.state, judged.standing.unwrap().failing.as_ref().map(|failing| failing.reason)),
        (State::Degraded, Some(Reason::Threshold))
    );
    let higher = Threshold {
        measurement: Name::new("tasks").unwrap(),
        bound: vitalsign::model::Bound::Upper,
        warn: Some(Limit { enter: 1000.0, leave: 1000.0 }),
        fail: None,
        lasting: Duration::ZERO,
    };
    assert_eq!(once(tasks_of_group("mailer", &group).threshold(higher)).await.state, State::Healthy);
    drop(work);
    assert_eq!(once(tasks_of_group("mailer", &group)).await.state, State::Healthy);
    assert_eq!(once(tasks_of_runtime("tasks", &Handle::current())).await.state, State::Healthy);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_program_hands_over_is_on_the_page() {
    let postgres = Postgres::start();
    let store = Store::new();
    let plan = Plan { listen: vec!["127.0.0.1:0".parse().unwrap()], ..Plan::default() };
    let agent = Agent::start(plan, &store).unwrap();
    let address = agent.addresses()[0];

    let _runtime = RuntimeMetrics::register(&store, RuntimeMetrics::MAIN, &Handle::current());
    let mailer = TaskGroup::new(&store, "mailer").limit(5);
    let orders = PoolMetrics::register(&store, "orders", pool_of_two(&postgres));
    let registry = prometheus::Registry::new();
    let placed = prometheus::IntCounter::new("orders_placed_total", "Orders accepted").unwrap();
    registry.register(Box::new(placed.clone())).unwrap();
    store.join(&registry).unwrap();

    placed.inc_by(3);
    let _mail = mailer.start();
    let _connection = orders.acquire().await.unwrap();
    let scrape = eventually_async("fresh numbers", SOON, async || {
        let page = tokio::task::block_in_place(|| http::get(address, "/metrics"));
        let scrape = Scrape::parse(page.text());
        let used = [("db_client_connection_pool_name", "orders"), ("db_client_connection_state", "used")];
        (scrape.value("db_client_connection_count", &used) == Some(1.0)).then_some(scrape)
    })
    .await;
    scrape.expect("orders_placed_total", &[], 3.0);
    scrape.expect("taskgroup_active", &[("taskgroup_name", "mailer")], 1.0);
    scrape.expect("taskgroup_limit", &[("taskgroup_name", "mailer")], 5.0);
    scrape.expect("tokio_workers", &[("tokio_runtime_name", "main")], 2.0);
    scrape.expect("db_client_connection_max", &[("db_client_connection_pool_name", "orders")], 2.0);
    scrape.expect(
        "db_client_connection_wait_time_seconds_count",
        &[("db_client_connection_pool_name", "orders")],
        1.0,
    );
    agent.stop().await;
}

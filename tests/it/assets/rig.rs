//! What the dashboards are shown with: a real agent that checks a real PostgreSQL, Redis, RabbitMQ and HTTP server, a
//! program that embeds the library, and a Prometheus that scrapes both.

use std::{net::SocketAddr, time::Duration};

use sqlx::{Postgres as Driver, postgres::PgPoolOptions};
use tokio::runtime::Runtime;
use vitalsign::{InFlight, Plan, PoolMetrics, RuntimeMetrics, TaskGroup, check, metrics::Store};

use crate::harness::{
    agent::Agent, http, ports, postgres::Postgres, prometheus::Prometheus, rabbitmq::RabbitMq, redis::Redis,
};

/// All of it; dropped, it ends.
pub(super) struct Rig {
    pub(super) prometheus: Prometheus,
    pub(super) program: Program,
    pub(super) redis: Redis,
    _agent: Agent,
    _postgres: Postgres,
    _asked: Agent,
}

impl Rig {
    /// Starts everything, healthy but for one check that never succeeds.
    pub(super) fn start() -> Self {
        let (postgres, redis) = (Postgres::start(), Redis::start());
        let asked = Agent::start("checks: { memory: { kind: memory } }");
        RabbitMq::shared().declare_queue("dashboards");
        let agent = Agent::start(&format!(
            "collectors: {{ clock: {{ enabled: true }}, file_descriptors: {{ enabled: true }} }}\n\
             checks:\n\
             \x20 orders_db: {{ kind: postgres, url: '{}', criticality: critical, {OFTEN} }}\n\
             \x20 open_orders: {{ kind: postgres, url: '{}', query: 'select 120 as open_orders', thresholds: {{ \
             open_orders: {{ warn: 500, fail: 2000 }} }}, {OFTEN} }}\n\
             \x20 cache: {{ kind: redis, url: '{}', criticality: critical, {OFTEN} }}\n\
             \x20 jobs: {{ kind: amqp, url: '{}', queue: dashboards, thresholds: {{ messages: {{ warn: 100, fail: 1000 \
             }} }}, {OFTEN} }}\n\
             \x20 payments: {{ kind: http, url: 'http://localhost:{}/health/live', {OFTEN} }}\n\
             \x20 mail: {{ kind: tcp, address: '127.0.0.1:{}', criticality: informational, {OFTEN} }}\n\
             \x20 cpu: {{ kind: cpu, {OFTEN} }}\n\
             \x20 memory: {{ kind: memory, {OFTEN} }}\n\
             \x20 disk: {{ kind: disk, {OFTEN} }}\n",
            postgres.url(),
            postgres.url(),
            redis.url(),
            RabbitMq::shared().url(),
            asked.addr().port(),
            ports::free(),
        ));
        let program = Program::start(&postgres);
        let jobs = [("agent", agent.addr()), ("orders", program.addr)];
        Self {
            prometheus: Prometheus::start(&jobs, RULES),
            _agent: agent,
            program,
            _postgres: postgres,
            redis,
            _asked: asked,
        }
    }
}

/// A rule that fires at once; what the real ones do has tests of its own.
const RULES: &str = "groups: [{ name: now, rules: [{ alert: VitalsignCheckFailing, labels: { severity: critical }, expr: \
                     \"max by (job, instance, healthcheck_name) (healthcheck_up{healthcheck_name!='mail'}) == 0\" }] }]\n";

/// How often the checks run: often, so that there is something to see soon.
const OFTEN: &str = "interval: 1s, timeout: 900ms";

/// A program that embeds the library and hands over what it has.
pub(super) struct Program {
    addr: SocketAddr,
    mailer: TaskGroup,
    _working: Vec<InFlight>,
    orders: PoolMetrics<Driver>,
    runtime: Runtime,
    _agent: vitalsign::Agent,
    _watched: RuntimeMetrics,
}

impl Program {
    fn start(postgres: &Postgres) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let store = Store::new();
        let mut plan = Plan { listen: vec![([127, 0, 0, 1], 0).into()], ..Plan::default() };
        plan.add(check("ledger", async || true).critical()).expect("a check");
        let agent = vitalsign::Agent::start(plan, &store).expect("an agent");
        let registry = prometheus::Registry::new();
        let placed =
            prometheus::IntGauge::new("orders_open", "Orders that are not yet paid").expect("a gauge");
        placed.set(17);
        registry.register(Box::new(placed)).expect("one gauge of that name");
        store.join(&registry).expect("names of its own");
        let _entered = runtime.enter();
        let options = PgPoolOptions::new().max_connections(4).acquire_timeout(Duration::from_secs(30));
        let pool = options.connect_lazy(&postgres.url()).expect("a pool");
        let mailer = TaskGroup::new(&store, "mailer").limit(5);
        mailer.heartbeat();
        Self {
            addr: agent.addresses()[0],
            _working: vec![mailer.start(), mailer.start()],
            mailer,
            orders: PoolMetrics::register(&store, "orders", pool),
            _watched: RuntimeMetrics::register(&store, RuntimeMetrics::MAIN, runtime.handle()),
            _agent: agent,
            runtime,
        }
    }

    /// Does a little of everything: a mail, a question to the database, a request that finds nothing.
    pub(super) fn work(&self) {
        self.runtime.block_on(async {
            self.mailer.run(tokio::task::yield_now()).await;
            drop(self.orders.acquire().await);
        });
        http::get(self.addr, "/orders/1");
        http::get(self.addr, "/health/ready");
    }
}

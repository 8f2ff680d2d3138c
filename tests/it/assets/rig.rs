//! What the dashboards are shown with: a real agent that checks a real PostgreSQL, Redis, RabbitMQ and HTTP server, one in
//! a container, which pushes and asks over TLS, a program that embeds the library, and a Prometheus that scrapes them.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use sqlx::{Postgres as Driver, postgres::PgPoolOptions};
use tokio::runtime::Runtime;
use vitalsign::{
    BlockingCheck, FunctionCheck, InFlight, Outcome, Plan, PoolMetrics, Run, RuntimeMetrics, TaskGroup,
    check, metrics::Store,
};

use crate::harness::{
    agent::Agent,
    http,
    inside::{Door, Gate},
    machine::Machine,
    otlp::{Collector, Protocol, Step},
    ports,
    postgres::Postgres,
    prometheus::Prometheus,
    rabbitmq::RabbitMq,
    redis::Redis,
    scratch::Scratch,
    tls::{self, Authority, Front},
    user::User,
};

/// All of it; dropped, it ends.
pub(super) struct Rig {
    pub(super) prometheus: Prometheus,
    program: Program,
    redis: Redis,
    machine: Machine,
    collector: Collector,
    /// How often there was something to do.
    worked: AtomicU64,
    _agents: [Agent; 3],
    _postgres: Postgres,
    _front: Front,
    _trust: Scratch,
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
        let (machine, collector, authority) =
            (Machine::new(), Collector::start(Protocol::Http), Authority::new());
        let next_year = SystemTime::now() + Duration::from_hours(24 * 365);
        let certified = authority.certify("localhost", next_year);
        let front = Front::start(asked.addr(), tls::showing(tls::server().with_no_client_auth(), &certified));
        let trust = Scratch::new("trust", User::oneself());
        let contained = Agent::start(&format!(
            "collectors: {{ root_path: {} }}\notlp: {{ endpoint: 'http://{}', metrics: {{ interval: 250ms }} }}\nchecks: \
             {{ shop: {{ kind: http, url: 'https://localhost:{}/health/live', ca_file: {}, {OFTEN} }} }}\n",
            machine.path().display(),
            collector.addr,
            front.addr.port(),
            trust.write("ca.pem", authority.pem(), User::oneself()).display(),
        ));
        let program = Program::start(&postgres);
        let jobs = [("agent", agent.addr()), ("container", contained.addr()), ("orders", program.addr)];
        Self {
            prometheus: Prometheus::start(&jobs, RULES),
            _agents: [agent, asked, contained],
            program,
            machine,
            collector,
            worked: AtomicU64::new(0),
            _postgres: postgres,
            redis,
            _front: front,
            _trust: trust,
        }
    }

    /// Does a little of everything.
    pub(super) fn work(&self) {
        self.program.work();
        self.machine.count(self.worked.fetch_add(1, Ordering::Relaxed));
        RabbitMq::shared().publish("dashboards", 1);
    }

    /// Takes Redis away, lets a check and a reading hang, and has what is pushed refused.
    pub(super) fn fail(&self) {
        self.redis.kill();
        self.collector.otherwise(Step::Refuse(400, None));
        self.collector.script_spans(vec![Step::Refuse(400, None); 100]);
        self.machine.hide_load();
        self.program.audit.close();
    }

    /// Does the same as ever, and makes more series than are allowed.
    pub(super) fn work_badly(&self) {
        self.work();
        self.program.make_too_many_series();
    }
}

/// A rule that fires at once; what the real ones do has tests of its own.
const RULES: &str = "groups: [{ name: now, rules: [{ alert: VitalsignCheckFailing, labels: { severity: critical }, expr: \
                     \"max by (job, instance, healthcheck_name) (healthcheck_up{healthcheck_name!='mail'}) == 0\" }] }]\n";

/// How often the checks run: often, so that there is something to see soon.
const OFTEN: &str = "interval: 1s, timeout: 900ms";

/// How many series the program may have.
const SERIES: usize = 2_000;

/// A check that hangs while its gate is closed.
struct Audit(Door);

impl BlockingCheck for Audit {
    fn run(&self, _run: &Run) -> Outcome {
        self.0.pass();
        Outcome::pass()
    }
}

/// A program that embeds the library and hands over what it has.
struct Program {
    addr: SocketAddr,
    mailer: TaskGroup,
    _working: Vec<InFlight>,
    store: Store,
    audit: Gate,
    orders: PoolMetrics<Driver>,
    runtime: Runtime,
    _agent: vitalsign::Agent,
    _watched: RuntimeMetrics,
}

impl Program {
    fn start(postgres: &Postgres) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let (store, audit) = (Store::with_limit(SERIES), Gate::default());
        let mut plan = Plan { listen: vec![([127, 0, 0, 1], 0).into()], ..Plan::default() };
        plan.add(check("ledger", async || true).critical()).expect("a check");
        let often = Duration::from_millis(500);
        let blocking = FunctionCheck::blocking("audit", Audit(audit.door())).every(often).timeout(often / 2);
        plan.add(blocking).expect("a check");
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
            store,
            audit,
        }
    }

    fn make_too_many_series(&self) {
        // Each of them has more than four.
        let groups = (0..SERIES / 4).map(|number| TaskGroup::new(&self.store, &format!("group_{number}")));
        drop(groups.collect::<Vec<_>>());
    }

    /// A mail, a question to the database, a request that finds nothing.
    fn work(&self) {
        self.runtime.block_on(async {
            self.mailer.run(tokio::task::yield_now()).await;
            drop(self.orders.acquire().await);
        });
        http::get(self.addr, "/orders/1");
        http::get(self.addr, "/health/ready");
    }
}

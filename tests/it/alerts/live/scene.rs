//! Everything that the alerts are about, with the files of the demonstration: servers, agents, Prometheus, Alertmanager,
//! receivers. Most of it is out of order from the start, so that the windows of the rules hold nothing good.

use std::{
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use rustix::process::Signal;
use rustls::ServerConfig;

use super::{
    SOON, fast,
    heard::Receivers,
    road::Road,
    service::{Program, Service},
};
use crate::harness::{
    agent::{Agent, Launch},
    alertmanager::Alertmanager,
    eventually::eventually,
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

/// Limits that everything is over.
const LOW: &str = "warn: 1e-7, fail: 2e-7";
/// As low a limit, with which nothing fails.
const LOW_WARNING: &str = "warn: 1e-7";
/// Limits that nothing is over for so long.
const HIGH: &str = "warn: 99.9%, fail: 100%, lasting: 1h";

/// A check of the machine with limits from which it warns and fails.
fn limited(name: &str, kind: &str, limits: &str) -> String {
    format!(
        "  {name}: {{ kind: {kind}, thresholds: {{ usage_ratio: {{ {limits} }} }}, interval: 1s, \
         timeout: 900ms }}\n"
    )
}

/// Checks of the machine with these limits, one of them with limits of its own.
fn machine(limits: &str, full: &str) -> String {
    limited("cpu", "cpu", limits)
        + &limited("memory", "memory", limits)
        + &limited("disk_filling", "disk", limits)
        + &limited("disk_full", "disk", full)
}

/// How late a request arrives that takes the long way.
const LATE: Duration = Duration::from_secs(6);
/// Checks that say at once what they see.
const OFTEN: &str = "interval: 1s, timeout: 900ms, fail_after: 1, recover_after: 1, breaker: false";

/// A check that is there, then not, then again.
pub(super) const GIVEN_UP: &str = "  given_up: { kind: memory, interval: 1s, timeout: 900ms }";
/// The queue that is too long.
pub(super) const QUEUE: &str = "alerts";

/// All of it; dropped, it ends.
pub(super) struct Scene {
    pub(super) receivers: Receivers,
    pub(super) alertmanager: Alertmanager,
    pub(super) prometheus: Prometheus,
    /// The agent of the demonstration; not scraped at first.
    pub(super) shop: Agent,
    /// An agent with checks that are over their limits.
    pub(super) limits: Agent,
    /// An agent with nothing but a busy processor to tell of.
    pub(super) idle: Agent,
    /// An agent that pushes, and watches the machine and what is encrypted.
    pub(super) pusher: Agent,
    pub(super) machine: Machine,
    /// The long way to the idle agent.
    pub(super) road: Road,
    pub(super) program: Program,
    pub(super) postgres: Postgres,
    pub(super) redis: Redis,
    pub(super) collector: Collector,
    service: Option<Service>,
    service_port: u16,
    limits_port: u16,
    authority: Authority,
    /// What stands before the HTTP service, with certificates that end soon.
    fronts: [Front; 2],
    rules: Scratch,
    _trust: Scratch,
}

impl Scene {
    pub(super) fn start() -> Self {
        let (postgres, redis) = (Postgres::start(), Redis::start());
        let (service_port, limits_port) = (ports::free(), ports::free());
        postgres.kill();
        redis.freeze();
        let shop = shop(&postgres, &redis, service_port);
        RabbitMq::shared().declare_queue(QUEUE);
        RabbitMq::shared().publish(QUEUE, 3);
        let limits = limits(limits_port, service_port, &(machine(LOW_WARNING, LOW) + GIVEN_UP));
        // Of the machine it tells nothing else: this one may be under pressure.
        let idle = Agent::start(&format!(
            "collectors: {{ pressure: {{ enabled: false }} }}\nchecks:\n{}",
            limited("cpu", "cpu", LOW_WARNING)
        ));
        let collector = Collector::start(Protocol::Http);
        collector.otherwise(Step::Refuse(400, None));
        let (machine, authority) = (Machine::new(), Authority::new());
        let fronts = [2, 14]
            .map(|days| Front::start(([127, 0, 0, 1], service_port).into(), certified(&authority, days)));
        let trust = Scratch::new("trust", User::oneself());
        let ca = trust.write("ca.pem", authority.pem(), User::oneself());
        let encrypted = |name: &str, front: &Front| {
            format!(
                "  {name}: {{ kind: http, url: 'https://localhost:{}/ping', ca_file: {}, {OFTEN} }}\n",
                front.addr.port(),
                ca.display()
            )
        };
        let pusher = Launch::new(&format!(
            "collectors: {{ root_path: {} }}\notlp: {{ endpoint: 'http://{}', traces: {{ enabled: false }}, metrics: {{ \
             interval: 250ms }} }}\nchecks:\n{}{}  new: {{ kind: http, url: 'http://127.0.0.1:{service_port}/new', \
             {OFTEN} }}\n",
            machine.path().display(),
            collector.addr,
            encrypted("certificate", &fronts[0]),
            encrypted("next_certificate", &fronts[1]),
        ))
        .stand_in(&machine.script())
        .start();
        let program = Program::start();
        for (agent, state, checks) in [
            (&limits, "unhealthy", &["payments", "search"][..]),
            (&limits, "degraded", &["jobs", "cpu"]),
            (&idle, "degraded", &["cpu"]),
        ] {
            eventually("the first verdicts", SOON, || are(agent, state, checks));
        }
        let (receivers, rules) = (Receivers::start(), fast::rules_folder());
        let alertmanager = Alertmanager::start(&fast::alertmanager(&receivers.address()));
        let road = Road::to(idle.addr());
        road.be_late(LATE);
        let targets = [
            format!("127.0.0.1:{limits_port}"),
            idle.addr().to_string(),
            pusher.addr().to_string(),
            program.addr().to_string(),
        ];
        let manager = alertmanager.addr().to_string();
        let config = fast::prometheus(&rules, &manager, &targets, &format!("'{}'", road.addr()));
        // What it sends before it has found Alertmanager is lost, and sent again after this time.
        let again = ["--rules.alert.resend-delay=10s"];
        let prometheus = Prometheus::start_installed(&config, "", &again);
        Self {
            receivers,
            alertmanager,
            prometheus,
            shop,
            limits,
            idle,
            pusher,
            machine,
            road,
            program,
            postgres,
            redis,
            collector,
            service: None,
            service_port,
            limits_port,
            authority,
            fronts,
            rules,
            _trust: trust,
        }
    }

    /// Lets Prometheus scrape these too, beside the agent with limits, the one that pushes, the program and the service;
    /// nothing that is far away.
    pub(super) fn scrape(&self, more: &[SocketAddr]) {
        let mut targets =
            vec![self.limits_instance(), self.pusher.addr().to_string(), self.program.addr().to_string()];
        targets.extend(
            more.iter().copied().chain(self.service.as_ref().map(Service::addr)).map(|addr| addr.to_string()),
        );
        let alertmanager = self.alertmanager.addr().to_string();
        self.prometheus.reconfigure(&fast::prometheus(&self.rules, &alertmanager, &targets, ""));
    }

    pub(super) fn limits_instance(&self) -> String {
        format!("127.0.0.1:{}", self.limits_port)
    }

    /// Starts the HTTP service.
    pub(super) fn start_service(&mut self) {
        self.service = Some(Service::start(self.service_port));
    }

    /// The HTTP service, once it was started.
    #[track_caller]
    pub(super) fn service(&self) -> &Service {
        self.service.as_ref().expect("the service was started")
    }

    /// How many restarts of the agent with limits Prometheus has seen.
    pub(super) fn restarts_of_limits(&self) -> f64 {
        self.of_limits("resets", "[30m]").unwrap_or(0.0)
    }

    /// Starts the agent with limits again, now within them and with this check more, and waits until Prometheus has seen
    /// the new one.
    pub(super) fn restart_limits(&mut self, more: &str) {
        // So long that the next one is younger when it is seen.
        eventually("an agent that has run for a while", SOON, || {
            self.of_limits("max", "").is_some_and(|uptime| uptime > 4.0)
        });
        let before = self.restarts_of_limits();
        self.limits.signal(Signal::KILL);
        self.limits.wait_exit();
        self.limits = limits(self.limits_port, self.service_port, &(machine(HIGH, HIGH) + more));
        eventually("the new agent to be seen", SOON, || {
            self.restarts_of_limits() > before || self.of_limits("max", "").is_some_and(|uptime| uptime > 4.0)
        });
    }

    /// A number that Prometheus makes of the uptime of the agent with limits.
    fn of_limits(&self, function: &str, window: &str) -> Option<f64> {
        let query =
            format!("{function}(process_uptime_seconds{{instance='{}'}}{window})", self.limits_instance());
        let found = self.prometheus.query(&query).expect("an answer");
        found.first()?["value"][1].as_str()?.parse().ok()
    }

    /// Puts certificates for the next quarter before the service.
    pub(super) fn renew_certificates(&self) {
        for front in &self.fronts {
            front.change(certified(&self.authority, 90));
        }
    }
}

/// Settings with a certificate for so many days.
fn certified(authority: &Authority, days: u64) -> ServerConfig {
    let until = SystemTime::now() + Duration::from_hours(24 * days);
    tls::showing(tls::server().with_no_client_auth(), &authority.certify("localhost", until))
}

/// Whether these checks of `agent` are in that state.
pub(super) fn are(agent: &Agent, state: &str, checks: &[&str]) -> Result<(), String> {
    let health = agent.health();
    if checks.iter().all(|check| agent.get(&format!("/health/checks/{check}")).json()["status"] == state) {
        Ok(())
    } else {
        Err(health.to_string())
    }
}

/// The agent of the demonstration, which runs its checks every second.
fn shop(postgres: &Postgres, redis: &Redis, service: u16) -> Agent {
    let often = "interval: 1s\n    timeout: 900ms";
    let config = fast::replaced(
        "vitalsign.yaml",
        &fast::mounted("deploy/vitalsign/vitalsign.yaml"),
        &[
            ("kind: postgres", &format!("kind: postgres\n    {often}")),
            ("kind: redis", &format!("kind: redis\n    {often}")),
            ("kind: amqp", &format!("kind: amqp\n    {often}")),
            ("kind: http", &format!("kind: http\n    {often}")),
            ("monitor@postgres/shop", &format!("vitalsign@127.0.0.1:{}/postgres", postgres.port())),
            ("redis:6379", &format!("127.0.0.1:{}", redis.port())),
            ("monitor@rabbitmq", &format!("guest@127.0.0.1:{}", RabbitMq::shared().port())),
            ("grafana:3000", &format!("127.0.0.1:{service}")),
        ],
    );
    Launch::new(&config)
        .env("POSTGRES_PASSWORD", postgres.password())
        .env("REDIS_PASSWORD", redis.password())
        .env("RABBITMQ_PASSWORD", "guest")
        .start()
}

fn limits(port: u16, service: u16, checks: &str) -> Agent {
    let amqp = RabbitMq::shared().url();
    Launch::new(&format!(
        "checks:
  jobs: {{ kind: amqp, url: '{amqp}', queue: {QUEUE}, thresholds: {{ messages: {{ warn: 1, fail: 1000 }} }}, {OFTEN} }}
  payments: {{ kind: http, url: 'http://127.0.0.1:{service}/api/health', criticality: critical, {OFTEN} }}
  search: {{ kind: http, url: 'http://127.0.0.1:{service}/api/health', {OFTEN} }}
  ping: {{ kind: http, url: 'http://127.0.0.1:{service}/ping', {OFTEN} }}
  shaky: {{ kind: http, url: 'http://127.0.0.1:{service}/ping', interval: 1s, timeout: 900ms }}
  late: {{ kind: http, url: 'http://127.0.0.1:{service}/late', interval: 3s, timeout: 2200ms, breaker: false }}
{checks}"
    ))
    .arg(format!("--web.listen-address=127.0.0.1:{port}"))
    .start()
}

//! The page that most of these tests look at, of a real agent that checks real servers; and what promtool says of one.

use std::{
    collections::BTreeSet,
    io::Write,
    process::{Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use vitalsign::checks::KINDS;

use crate::harness::{
    agent::Agent,
    eventually::eventually,
    otlp::{Collector, Protocol, Taken},
    ports,
    postgres::Postgres,
    rabbitmq::RabbitMq,
    redis::Redis,
    scratch::Scratch,
    user::User,
};

const SOON: Duration = Duration::from_secs(60);

/// What an agent showed, and what it pushed after that.
pub(super) struct Shown {
    pub(super) protocol: Protocol,
    pub(super) page: String,
    pub(super) pushed: Vec<Taken>,
}

/// A page of an agent with one check of every kind that passes and one, `broken`, that does not.
pub(super) fn page() -> &'static str {
    &shown()[0].page
}

/// That page and what the same agent pushed, for each protocol.
pub(super) fn shown() -> &'static [Shown; 2] {
    static SHOWN: OnceLock<[Shown; 2]> = OnceLock::new();
    SHOWN.get_or_init(|| {
        let (postgres, redis) = (Postgres::start(), Redis::start());
        let other = Agent::start("checks: { memory: { kind: memory } }");
        let folder = Scratch::new("sqlite", User::oneself());
        let database = folder.write("empty.db", "", User::oneself());
        RabbitMq::shared().declare_queue("exposition");
        // Time enough for the first run of each to pass: none may have failed on this page.
        let mut checks = format!(
            "checks:\n  broken: {{ kind: tcp, address: '127.0.0.1:{}', criticality: critical }}\n\
             \x20 absent: {{ kind: process, name: no-such-program }}\n",
            ports::free()
        );
        for kind in KINDS.iter().map(|kind| kind.name()) {
            let settings = match kind {
                "postgres" => format!("url: '{}', query: 'select 7 as seats'", postgres.url()),
                "sqlite" => format!("path: {}, allow_empty: true", database.display()),
                "redis" => format!("url: '{}'", redis.url()),
                "amqp" => format!("url: '{}', queue: exposition", RabbitMq::shared().url()),
                "http" => format!("url: 'http://localhost:{}/health/live'", other.addr().port()),
                "tcp" => format!("address: '{}'", other.addr()),
                "disk" => "thresholds: { usage_ratio: { warn: 99.9%, fail: 100%, lasting: 1h } }".to_owned(),
                "cpu" | "memory" => "thresholds: { usage_ratio: { warn: 100%, lasting: 1h } }".to_owned(),
                "tasks" => "of: threads, thresholds: { tasks: { warn: 1000000 } }".to_owned(),
                "process" => "name: vitalsign".to_owned(),
                new => panic!("say here how a check of the kind {new} is configured"),
            };
            checks.push_str(&format!(
                "  of_{kind}: {{ kind: {kind}, {settings}, interval: 60s, timeout: 59s }}\n"
            ));
        }
        let running = [Protocol::Http, Protocol::Grpc].map(|protocol| Running::start(protocol, &checks));
        running.map(Running::show)
    })
}

/// An agent, and the collector that it pushes to.
struct Running {
    protocol: Protocol,
    collector: Collector,
    agent: Agent,
}

impl Running {
    fn start(protocol: Protocol, checks: &str) -> Self {
        let collector = Collector::start(protocol);
        let word = if protocol == Protocol::Http { "http/protobuf" } else { "grpc" };
        let agent = Agent::start(&format!(
            "collectors: {{ clock: {{ enabled: true }}, file_descriptors: {{ enabled: true }} }}\notlp: {{ endpoint: 'http://{}', protocol: {word}, \
             metrics: {{ interval: 500ms }}, traces: {{ delay: 500ms }}, \
             logs: {{ enabled: true }} }}\n{checks}",
            collector.addr
        ));
        Self { protocol, collector, agent }
    }

    fn show(self) -> Shown {
        let Self { protocol, collector, agent } = self;
        eventually("an answer of every check", SOON, || {
            let health = agent.health();
            let checks = health["checks"].as_object().ok_or("no checks")?;
            let wrong: Vec<_> = checks
                .iter()
                .filter(|(name, check)| {
                    check["status"]
                        != if ["broken", "absent"].contains(&name.as_str()) { "unhealthy" } else { "healthy" }
                })
                .collect();
            if wrong.is_empty() { Ok(()) } else { Err(format!("{wrong:?}")) }
        });
        agent.scrape(); // so that a request for a page is on the page
        let page = eventually("numbers that need two readings, or a collector", SOON, || {
            let page = agent.get("/metrics").text().to_owned();
            let all = [
                "system_cpu_utilization_ratio{",
                "vitalsign_otlp_last_success_timestamp_seconds{signal=\"metrics\"}",
                "vitalsign_otlp_last_success_timestamp_seconds{signal=\"traces\"}",
                "vitalsign_otlp_last_success_timestamp_seconds{signal=\"logs\"}",
            ];
            all.iter().all(|line| page.contains(&format!("\n{line}"))).then_some(page)
        });
        let before = collector.taken().len();
        let pushed = eventually("a batch that is made after the page", SOON, || {
            // The one that comes next may have been made before.
            let taken = collector.taken();
            (taken.len() > before + 1).then(|| taken[before + 1..].to_vec())
        });
        Shown { protocol, page, pushed }
    }
}

/// What `promtool check metrics` says of a page, and its exit code.
pub(super) fn promtool(page: &str) -> (BTreeSet<String>, Option<i32>) {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is not installed: run tests/run, or apt-get install prometheus");
    promtool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let done = promtool.wait_with_output().unwrap();
    let said = [done.stdout, done.stderr].concat();
    (String::from_utf8(said).unwrap().lines().map(str::to_owned).collect(), done.status.code())
}

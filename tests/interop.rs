//! What becomes of our metrics on either way into a real Prometheus 3: scraped, or pushed through a real OpenTelemetry
//! Collector. Both must end in the same series, and every panel must answer on both. Run by `tests/interop`, which builds
//! the two programs; the configurations are those of the demonstration with the addresses of this test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that meets something unexpected fails there and then"
)]
#![allow(dead_code, reason = "the harness offers what tests may need, also while no test needs it")]

mod harness;

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use harness::{
    agent::{Agent, Launch},
    eventually::eventually,
    http, ports,
    postgres::Postgres,
    process::{Process, command},
    prometheus::Prometheus,
    redis::Redis,
    scratch::Scratch,
    user::User,
};
use serde_json::Value;

/// Two Prometheus and a collector on two cores.
const SOON: Duration = Duration::from_secs(180);
/// What scrapes, pushes and evaluates here.
const EVERY: &str = "2s";

/// What only one of the two ways has, and why.
const ONLY_SCRAPED: &[(&str, &str)] = &[
    ("up", "Prometheus' own, about the scrape"),
    ("scrape_", "Prometheus' own, about the scrape"),
    ("process_", "the client libraries' set; over OTLP the same numbers have OpenTelemetry's names"),
];

/// Labels that tell where a series came from, not what it is.
const ORIGIN: &[&str] = &["job", "instance"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn program(name: &str) -> PathBuf {
    let folder = env::var("VITALSIGN_INTEROP_PROGRAMS").expect("no programs to test with: run tests/interop");
    Path::new(&folder).join(name)
}

/// A configuration of the demonstration, as it is but for these.
fn configuration(file: &str, instead: &[(&str, &str)]) -> String {
    let mut text = fs::read_to_string(root().join("deploy").join(file)).unwrap();
    for (there, here) in instead {
        assert!(text.contains(there), "{file}: no {there}");
        text = text.replace(there, here);
    }
    text
}

fn prometheus(file: &str, more: &[(&str, &str)], args: &[&str]) -> Prometheus {
    let alerts = root().join("alerts").display().to_string();
    let mut instead =
        vec![("15s", EVERY), ("/etc/prometheus/alerts", &*alerts), ("alertmanager:9093", "127.0.0.1:9")];
    instead.extend_from_slice(more);
    Prometheus::start_program(&program("prometheus"), &configuration(file, &instead), "", args)
}

/// The collector of the demonstration.
struct Collector {
    http: SocketAddr,
    process: Process,
    scratch: Scratch,
}

impl Collector {
    fn start(prometheus: SocketAddr) -> Self {
        let scratch = Scratch::new("collector", User::oneself());
        let (http, grpc) = (([127, 0, 0, 1], ports::free()).into(), ports::free());
        let config = configuration(
            "otel-collector/config.yaml",
            &[
                ("0.0.0.0:4318", &format!("{http}")),
                ("0.0.0.0:4317", &format!("127.0.0.1:{grpc}")),
                ("prometheus:9090", &prometheus.to_string()),
            ],
        );
        let file = scratch.write("config.yaml", &config, User::oneself());
        let mut collector = command(program("collector"), User::oneself(), "KILL");
        collector.current_dir(scratch.path()).arg(format!("--config={}", file.display()));
        let process = Process::start("collector", collector, scratch.path());
        process.ready("answer", SOON, || http::send(http, b"GET / HTTP/1.0\r\n\r\n").map(drop));
        Self { http, process, scratch }
    }
}

/// An agent that is scraped and that pushes; what it checks is alive, but for one.
fn agent(collector: &Collector, postgres: &Postgres, redis: &Redis) -> Agent {
    Launch::new(&format!(
        "service: shop\nchecks:\n\
         \x20 orders_db: {{ kind: postgres, url: '{}', query: 'select 120 as open_orders', thresholds: {{ open_orders: \
         {{ warn: 500, fail: 2000 }} }}, criticality: critical, interval: {EVERY}, timeout: 1s }}\n\
         \x20 cache: {{ kind: redis, url: '{}', interval: {EVERY}, timeout: 1s }}\n\
         \x20 mail: {{ kind: tcp, address: '127.0.0.1:{}', interval: {EVERY}, timeout: 1s }}\n\
         \x20 cpu: {{ kind: cpu }}\n  memory: {{ kind: memory }}\n  disk: {{ kind: disk }}\n",
        postgres.url(),
        redis.url(),
        ports::free(),
    ))
    .env("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{}", collector.http))
    .env("OTEL_METRIC_EXPORT_INTERVAL", "2000")
    .start()
}

/// The series of each name, as the labels that they have beside where they came from; a bound as the number that it is.
fn series(prometheus: &Prometheus) -> Result<BTreeMap<String, BTreeSet<String>>, String> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for found in prometheus.query("{__name__=~\".+\"}")? {
        let labels = found["metric"].as_object().unwrap();
        let name = labels["__name__"].as_str().unwrap();
        if ONLY_SCRAPED
            .iter()
            .any(|(only, _)| if only.ends_with('_') { name.starts_with(only) } else { name == *only })
        {
            continue;
        }
        let shown =
            labels.iter().filter(|(label, _)| *label != "__name__" && !ORIGIN.contains(&label.as_str()));
        let shown =
            shown.map(|(label, value)| match (label.as_str(), value.as_str().unwrap().parse::<f64>()) {
                ("le", Ok(bound)) => format!("le={bound}"),
                _ => format!("{label}={value}"),
            });
        all.entry(name.to_owned()).or_default().insert(shown.collect::<Vec<_>>().join(","));
    }
    Ok(all)
}

/// The expressions of every panel, with values for what Grafana puts in.
fn panels() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for file in fs::read_dir(root().join("dashboards")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let dashboard: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let from = format!("{}: {}", path.file_stem().unwrap().display(), panel["title"]);
                all.push((from, put_in(target["expr"].as_str().unwrap(), &dashboard)));
            }
        }
    }
    all.sort();
    all
}

fn put_in(expression: &str, dashboard: &Value) -> String {
    let mut expression = expression.to_owned();
    for (built_in, value) in
        [("$__rate_interval", "30s"), ("$__range_s", "300"), ("$__range", "5m"), ("$__interval", "30s")]
    {
        expression = expression.replace(built_in, value);
    }
    let variables = dashboard["templating"]["list"].as_array().into_iter().flatten();
    let mut names: Vec<&str> = variables.filter_map(|variable| variable["name"].as_str()).collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    for name in names {
        expression = expression.replace(&format!("${name}"), ".*");
    }
    expression
}

#[test]
fn scraped_and_pushed_end_in_the_same_series_and_every_panel_answers_on_both() {
    let (postgres, redis) = (Postgres::start(), Redis::start());
    let pushed = prometheus("prometheus/prometheus-otlp.yml", &[], &["--web.enable-otlp-receiver"]);
    let collector = Collector::start(pushed.addr());
    let agent = agent(&collector, &postgres, &redis);
    let scraped = prometheus("prometheus/prometheus.yml", &[("agent:10464", &agent.addr().to_string())], &[]);

    let all = eventually("the same series on both ways", SOON, || {
        let (scraped, pushed) = (series(&scraped)?, series(&pushed)?);
        let names = |one: &BTreeMap<String, BTreeSet<String>>| one.keys().cloned().collect::<BTreeSet<_>>();
        let (left, right) = (names(&scraped), names(&pushed));
        let apart: Vec<_> = left.symmetric_difference(&right).collect();
        if !apart.is_empty() || !left.contains("healthcheck_failures_total") {
            return Err(format!(
                "{} names scraped, {} pushed, on one side only: {apart:?}",
                left.len(),
                right.len()
            ));
        }
        for (name, series) in &scraped {
            let apart: Vec<_> = series.symmetric_difference(&pushed[name]).take(5).collect();
            if !apart.is_empty() {
                return Err(format!("series of {name} on one side only: {apart:?}"));
            }
        }
        Ok(scraped)
    });
    println!(
        "{} names and {} series are the same on both ways",
        all.len(),
        all.values().map(BTreeSet::len).sum::<usize>()
    );

    // Rates need two points, and recording rules a round of their own.
    let mut answered = 0;
    let panels = panels();
    eventually("the same panels to answer on both ways", SOON, || {
        answered = 0;
        for (panel, expression) in &panels {
            let answers = |prometheus: &Prometheus| {
                prometheus
                    .query(expression)
                    .map(|series| !series.is_empty())
                    .map_err(|why| format!("{panel}: {why}"))
            };
            let (scraped, pushed) = (answers(&scraped)?, answers(&pushed)?);
            if scraped != pushed {
                return Err(format!("{panel}: scraped {scraped}, pushed {pushed}: {expression}"));
            }
            answered += usize::from(scraped);
        }
        Ok(())
    });
    println!(
        "{answered} of {} expressions of panels have data on both ways, the others on neither",
        panels.len()
    );
    assert!(answered > panels.len() / 2);
}

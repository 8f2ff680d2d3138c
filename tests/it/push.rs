//! What a real agent pushes to a real collector, and what it does while there is none.

use std::collections::BTreeSet;

use rustix::process::Signal;

use crate::harness::{
    agent::{Agent, Launch},
    eventually::eventually,
    otlp::{ARRIVES, Collector, Protocol, Step, Taken, tls},
    ports,
    scratch::Scratch,
    user::User,
};
#[path = "push/faults.rs"]
mod faults;
#[path = "push/outage.rs"]
mod outage;
#[path = "push/refusals.rs"]
mod refusals;

/// A launch that pushes to `endpoint` ten times a second and checks nothing else.
fn pushing(endpoint: &str, more: &str) -> Launch {
    Launch::new(&format!(
        "checks: {{}}\notlp:\n  endpoint: {endpoint}\n  metrics: {{ interval: 100ms }}\n{more}"
    ))
}

/// Where a collector is, as the end of a line of a configuration and what belongs below it.
fn url(collector: &Collector, protocol: Protocol) -> String {
    let protocol = if protocol == Protocol::Grpc { "\n  protocol: grpc" } else { "" };
    format!("http://{}{protocol}", collector.addr)
}

/// A number of the push of metrics.
fn own(agent: &Agent, name: &str, labels: &[(&str, &str)]) -> f64 {
    of_signal(agent, "metrics", name, labels)
}

/// A number of the push of `signal`.
pub(crate) fn of_signal(agent: &Agent, signal: &str, name: &str, labels: &[(&str, &str)]) -> f64 {
    let labels: Vec<_> = [("signal", signal)].into_iter().chain(labels.iter().copied()).collect();
    agent.scrape().value(&format!("vitalsign_otlp_{name}"), &labels).unwrap_or(f64::NAN)
}

fn said(agent: &Agent, what: &str) -> usize {
    agent.log().lines().filter(|line| line.contains(what)).count()
}

#[track_caller]
fn batches(collector: &Collector, at_least: usize) -> Vec<Taken> {
    eventually("batches", ARRIVES, || {
        let taken = collector.taken();
        if taken.len() >= at_least { Ok(taken) } else { Err(format!("{} batches", taken.len())) }
    })
}

#[test]
fn needs_no_more_than_one_variable() {
    for protocol in [Protocol::Http, Protocol::Grpc] {
        let collector = Collector::start(protocol);
        let mut launch = Launch::without_config()
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://{}", collector.addr))
            .env("OTEL_EXPORTER_OTLP_HEADERS", "x-token=se%20cret")
            .env("OTEL_SERVICE_NAME", "orders");
        if protocol == Protocol::Grpc {
            launch = launch.env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
        }
        let agent = launch.start();
        let first = batches(&collector, 1).remove(0);
        assert_eq!(first.path, if protocol == Protocol::Http { "/v1/metrics" } else { "Export" });
        assert_eq!(first.header("x-token"), Some("se cret"));
        assert!(first.header("user-agent").is_some_and(|agent| agent.starts_with("vitalsign/")), "{first:?}");
        assert_eq!(first.value("vitalsign.build_info"), Some(1.0));
        let attributes = &first.request.resource_metrics[0].resource.as_ref().unwrap().attributes;
        assert!(attributes.iter().any(|attribute| attribute.key == "service.name"), "{attributes:?}");
        eventually("the success to show", ARRIVES, || {
            own(&agent, "points_total", &[("outcome", "sent")]) > 0.0
        });
        assert!(own(&agent, "last_success_timestamp_seconds", &[]) > 1e9);
        let line = agent.health()["details"]["otlp"].as_str().unwrap().to_owned();
        assert!(line.starts_with("sending, "), "{line}");
        for path in ["/health/live", "/health/ready"] {
            assert!(!agent.get(path).text().contains("otlp"), "{path}");
        }
    }
}

#[test]
fn the_command_line_says_where_settings_come_from_and_what_is_wrong() {
    let launch = || {
        Launch::without_config()
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
            .env("OTEL_EXPORTER_OTLP_HEADERS", "authorization=canary")
            .env("OTEL_SERVICE_NAME", "orders")
            .env("OTEL_RESOURCE_ATTRIBUTES", "team=a%20$b,service.namespace=shop")
    };
    let shown = launch().arg("config").arg("show").run();
    let line =
        "  endpoint: http://collector:4318/  # from the environment variable OTEL_EXPORTER_OTLP_ENDPOINT\n";
    assert!(shown.status.success() && shown.stdout.contains(line), "{}", shown.stdout);
    let line = "service: orders  # from the environment variable OTEL_SERVICE_NAME\n";
    assert!(shown.stdout.contains(line), "{}", shown.stdout);
    for line in ["team: \"a $$b\"", "service.namespace: shop"] {
        let line = format!("  {line}  # from the environment variable OTEL_RESOURCE_ATTRIBUTES\n");
        assert!(shown.stdout.contains(&line), "{line}{}", shown.stdout);
    }
    assert!(!shown.stdout.contains("canary"), "{}", shown.stdout);
    let wrong = [("OTEL_METRIC_EXPORT_INTERVAL", "10s"), ("OTEL_METRICS_EXPORTER", "console")];
    let launch = || wrong.iter().fold(launch(), |launch, (name, value)| launch.env(name, value));
    let checked = launch().arg("config").arg("check").run();
    assert!(checked.status.success(), "what is set for all programs must not stop one: {}", checked.stderr);
    for warning in [
        "warning: OTEL_METRIC_EXPORT_INTERVAL is ignored: expected a whole number of milliseconds, such as 10000\n",
        "warning: OTEL_METRICS_EXPORTER is ignored: only otlp, prometheus and none are supported\n",
    ] {
        assert_eq!(checked.stderr.matches(warning).count(), 1, "{}", checked.stderr);
    }
    let agent = launch().start();
    assert_eq!(said(&agent, "warning: OTEL_METRIC_EXPORT_INTERVAL is ignored"), 1, "{}", agent.log());
}

/// Asks for this compression, once in the file and once in the environment, and looks at what arrives.
fn is_compressed(word: Option<&str>) {
    for protocol in [Protocol::Http, Protocol::Grpc] {
        for in_file in [true, false] {
            let collector = Collector::start(protocol);
            let asked = word.unwrap_or("none");
            let more = if in_file { format!("  compression: {asked}\n") } else { String::new() };
            let launch = pushing(&url(&collector, protocol), &more);
            let launch = if in_file { launch } else { launch.env("OTEL_EXPORTER_OTLP_COMPRESSION", asked) };
            let agent = launch.start();
            let taken = batches(&collector, 2).remove(1);
            let header = if protocol == Protocol::Http { "content-encoding" } else { "grpc-encoding" };
            assert_eq!(taken.header(header), word, "{protocol:?}, in the file: {in_file}");
            assert_eq!(taken.value("vitalsign.build_info"), Some(1.0));
            assert_eq!(agent.get("/health/live").status, 200);
            eventually("a span", ARRIVES, || !collector.spans().is_empty());
        }
    }
}

#[test]
fn leaves_compressed_by_gzip_or_not_at_all() {
    is_compressed(Some("gzip"));
    is_compressed(None);
}

#[cfg(feature = "zstd")]
#[test]
fn leaves_compressed_by_zstd() {
    is_compressed(Some("zstd"));
}

#[cfg(not(feature = "zstd"))]
#[test]
fn says_what_it_was_built_without() {
    let built = Launch::new("checks: {}").env("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd");
    let warned = built.arg("config").arg("check").run();
    let said = "OTEL_EXPORTER_OTLP_COMPRESSION is ignored: this program was built without `zstd`";
    assert!(warned.status.success() && warned.stderr.contains(said), "{}", warned.stderr);
}

#[test]
fn speaks_tls_and_shows_its_certificate() {
    for (protocol, alpn) in [(Protocol::Http, "http/1.1"), (Protocol::Grpc, "h2")] {
        let collector = Collector::start(protocol);
        let front = tls::front(collector.addr, alpn);
        let launch = || {
            let word = if protocol == Protocol::Http { "http/protobuf" } else { "grpc" };
            Launch::new("checks: {}")
                .env(
                    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
                    &format!("https://localhost:{}/v1/metrics", front.addr.port()),
                )
                .env("OTEL_EXPORTER_OTLP_PROTOCOL", word)
                .env("OTEL_METRIC_EXPORT_INTERVAL", "100")
        };
        let path = |path: &std::path::Path| path.display().to_string();
        let ca = |launch: Launch| launch.env("OTEL_EXPORTER_OTLP_CERTIFICATE", &path(&front.ca));
        let all = ca(launch())
            .env("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", &path(&front.certificate))
            .env("OTEL_EXPORTER_OTLP_CLIENT_KEY", &path(&front.key));
        let _agent = all.start();
        batches(&collector, 2);
        drop(_agent);

        let stranger = launch().start();
        eventually("a stranger's failure", ARRIVES, || {
            own(&stranger, "export_failures_total", &[("error_type", "tls")]) > 0.0
        });
        let before = collector.requests();
        let nameless = ca(launch()).start();
        eventually("a failure without certificate", ARRIVES, || {
            own(&nameless, "exports_total", &[]) > 0.0 && said(&nameless, "metrics cannot be sent") == 1
        });
        assert_eq!(collector.requests(), before);
    }
}

#[test]
fn the_last_batch_leaves_when_it_stops() {
    let collector = Collector::start(Protocol::Http);
    let config = format!(
        "checks: {{}}\notlp: {{ endpoint: '{}', metrics: {{ interval: 1h }} }}",
        url(&collector, Protocol::Http)
    );
    let agent = Launch::new(&config).start();
    batches(&collector, 1);
    agent.signal(Signal::TERM);
    assert_eq!(agent.wait_exit().code(), Some(0), "{}", agent.log());
    assert_eq!(collector.taken().len(), 2);
}

#[test]
fn pushing_ends_before_http_does() {
    let collector = Collector::start(Protocol::Http);
    collector.script([Step::Take]);
    collector.otherwise(Step::Hang);
    let agent = pushing(&url(&collector, Protocol::Http), "  timeout: 5m\nstop: { within: 20s }").start();
    eventually("a request that hangs", ARRIVES, || collector.requests() == 2);
    agent.signal(Signal::TERM);
    eventually("the end of being ready", ARRIVES, || agent.get("/health/ready").status == 503);
    assert_eq!(agent.wait_exit().code(), Some(0), "{}", agent.log());
    assert_eq!(said(&agent, "end with this process"), 1, "{}", agent.log());
}

#[test]
fn starting_and_stopping_wait_for_no_collector() {
    let port = ports::free();
    let agent = pushing(&format!("http://127.0.0.1:{port}"), "ready_without_checks: true").start();
    eventually("a failure", ARRIVES, || {
        own(&agent, "export_failures_total", &[("error_type", "connection_refused")]) > 0.0
    });
    assert_eq!(agent.get("/health/ready").status, 200);
    let line = agent.health()["details"]["otlp"].as_str().unwrap().to_owned();
    assert!(line.starts_with("failing since ") && line.contains("connection refused"), "{line}");
    agent.signal(Signal::TERM);
    assert_eq!(agent.wait_exit().code(), Some(0), "{}", agent.log());
    assert_eq!(said(&agent, "metrics cannot be sent"), 1, "{}", agent.log());
    assert_eq!(said(&agent, "end with this process"), 1, "{}", agent.log());
}

//! Spans and all that carries their ids: one run of a check is the same span at the collector, at the target, in the log
//! and behind the exemplar.

use std::time::Duration;

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{
    agent::{Agent, Launch},
    eventually::eventually,
    http,
    openmetrics::{Exemplar, OpenMetrics},
    otlp::{ARRIVES, Collector, Protocol, Step},
    ports,
    recorder::{Received, Recorder},
};

const SOON: Duration = Duration::from_secs(30);
const OPENMETRICS: (&str, &str) = ("accept", "application/openmetrics-text;version=1.0.0,*/*;q=0.1");

pub(crate) fn checks(target: &Recorder) -> String {
    format!(
        "service: shop\nversion: 1.2.3\nlog: {{ level: debug, format: json }}\nchecks:\n  web: {{ kind: http, url: \
         'http://{}/ping', interval: 1s, timeout: 900ms }}\n  down: {{ kind: http, url: \
         'http://canary-user:canary-password@127.0.0.1:{}/?token=canary-token', interval: 1s, timeout: 900ms }}\n",
        target.addr(),
        ports::free(),
    )
}

fn sending_to(collector: &Recorder, delay: &str, target: &Recorder) -> Launch {
    let traces = format!("endpoint: 'http://{}/v1/traces', delay: {delay}", collector.addr());
    Launch::new(&format!("{}otlp: {{ traces: {{ {traces} }} }}\n", checks(target)))
}

/// Sends spans and metrics to one collector.
fn pushing_to(collector: &Collector, more: &str, target: &Recorder) -> Launch {
    let endpoint = format!("endpoint: 'http://{}', metrics: {{ interval: 200ms }}", collector.addr);
    Launch::new(&format!("{}otlp: {{ {endpoint}, {more} }}\n", checks(target)))
}

fn exemplars(agent: &Agent, name: &str, labels: &[(&str, &str)]) -> Vec<Exemplar> {
    let page = http::get_with(agent.addr(), "/metrics", &[OPENMETRICS]);
    assert_eq!(
        page.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    let page = OpenMetrics::parse(page.text());
    page.of(name, labels).filter_map(|sample| sample.exemplar.clone()).collect()
}

/// A number of the push of traces.
fn own(agent: &Agent, name: &str, labels: &[(&str, &str)]) -> f64 {
    crate::push::of_signal(agent, "traces", name, labels)
}

/// How many spans became this.
fn spans(agent: &Agent, outcome: &str) -> f64 {
    own(agent, "points_total", &[("outcome", outcome)])
}

/// The span that an exemplar, a log line or a header leads to, once it has arrived.
#[track_caller]
fn arrives(collector: &Recorder, trace: &str, span: &str) -> Received {
    eventually(&format!("span {span} of trace {trace}"), SOON, || {
        collector.spans().into_iter().find(|received| received.trace() == trace && received.id() == span)
    })
}

fn parent_of(request: &crate::harness::recorder::Request) -> (String, String) {
    let parts: Vec<&str> = request.headers["traceparent"].split('-').collect();
    let [version, trace, span, flags] = parts.as_slice() else { panic!("{parts:?}") };
    assert_eq!((*version, *flags), ("00", "01"), "a recorded trace");
    ((*trace).to_owned(), (*span).to_owned())
}

#[test]
fn a_run_is_one_span_for_collector_target_and_exemplar() {
    let (collector, target) = (Recorder::start(), Recorder::start());
    let agent = sending_to(&collector, "100ms", &target).start();

    let asked = eventually("a request to the target", SOON, || target.requests().into_iter().next());
    let (trace, id) = parent_of(&asked);
    let run = arrives(&collector, &trace, &id);
    assert_eq!((run.span.name.as_str(), run.parent()), ("healthcheck web", String::new()));
    assert_eq!(run.kind(), opentelemetry_proto::tonic::trace::v1::span::SpanKind::Client);
    assert_eq!(run.error(), None);
    assert_eq!(
        (run.resource["service.name"].as_str(), run.resource["service.version"].as_str()),
        ("shop", "1.2.3")
    );
    let attributes = run.attributes();
    for (key, value) in [
        ("healthcheck.name", "web".to_owned()),
        ("healthcheck.kind", "http".to_owned()),
        ("server.address", "127.0.0.1".to_owned()),
        ("server.port", target.addr().port().to_string()),
    ] {
        assert_eq!(attributes.get(key), Some(&value), "{attributes:?}");
    }
    assert!(!attributes.contains_key("error.type"), "{attributes:?}");
    for phase in ["connect", "request"] {
        let child = eventually(&format!("the phase {phase}"), SOON, || {
            collector.spans().into_iter().find(|span| span.parent() == id && span.span.name == phase)
        });
        assert_eq!(child.trace(), trace);
        assert!(
            run.span.start_time_unix_nano <= child.span.start_time_unix_nano,
            "{phase} begins in the run"
        );
        assert!(child.span.end_time_unix_nano <= run.span.end_time_unix_nano, "{phase} ends in the run");
    }

    let labels = [("healthcheck_name", "web")];
    let shown = eventually("an exemplar", SOON, || {
        exemplars(&agent, "healthcheck_duration_seconds_bucket", &labels).into_iter().next()
    });
    let run = arrives(&collector, &shown.labels["trace_id"], &shown.labels["span_id"]);
    assert_eq!(run.span.name, "healthcheck web");
    let asked = target.requests();
    assert!(asked.iter().any(|request| parent_of(request) == (run.trace(), run.id())), "{asked:?}");
    let text = agent.get("/metrics");
    assert!(!text.text().contains("trace_id") && !text.text().contains(" # "), "{}", text.text());
}

#[test]
fn a_failed_run_says_why_and_nothing_more() {
    let (collector, target) = (Recorder::start(), Recorder::start());
    let agent = sending_to(&collector, "100ms", &target).start();
    let failed = eventually("the span of a failed run", SOON, || {
        collector.spans().into_iter().find(|span| span.span.name == "healthcheck down")
    });
    assert_eq!(failed.error().as_deref(), Some("connection_refused"));
    assert_eq!(failed.attributes()["error.type"], "connection_refused");
    assert!(failed.span.events.is_empty(), "log lines stay in the log: {:?}", failed.span.events);
    let spans = format!("{:?}", collector.spans());
    assert!(!spans.contains("canary"), "{spans}");

    let line: Value = eventually("the log line of that run", SOON, || {
        let lines = agent.log();
        let mut lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.find(|line| line["message"] == "run failed" && line["check"] == "down")
    });
    let id = |name: &str| line[name].as_str().unwrap_or_else(|| panic!("{name} in {line}")).to_owned();
    assert_eq!(arrives(&collector, &id("trace_id"), &id("span_id")).span.name, "healthcheck down");
    let listening = agent.log().lines().find(|line| line.contains("listening")).unwrap().to_owned();
    assert!(!listening.contains("trace_id"), "not in a span: {listening}");
}

#[test]
fn a_request_to_us_is_a_child_of_who_asks_and_the_last_ones_are_sent_when_stopping() {
    let (collector, target) = (Recorder::start(), Recorder::start());
    let agent = sending_to(&collector, "50m", &target).start();
    let (trace, caller) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let header = format!("00-{trace}-{caller}-01");
    let answer = http::get_with(agent.addr(), "/health/live?canary", &[("traceparent", &header)]);
    assert_eq!(answer.status, 200);
    assert_eq!(agent.get("/nowhere/at/all").status, 404);
    let labels = [("http_route", "/health/live")];
    let shown = exemplars(&agent, "http_server_request_duration_seconds_bucket", &labels);
    assert_eq!(shown[0].labels["trace_id"], trace);
    assert!(collector.requests().is_empty(), "it is too early to send anything");

    agent.signal(Signal::TERM);
    assert_eq!(agent.wait_exit().code(), Some(0), "{}", agent.log());
    let spans = collector.spans();
    let ours = spans.iter().find(|span| span.trace() == trace).unwrap();
    assert_eq!((ours.span.name.as_str(), ours.parent().as_str()), ("GET /health/live", caller));
    assert_eq!(ours.id(), shown[0].labels["span_id"]);
    let attributes = ours.attributes();
    for (key, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/health/live"),
        ("http.response.status_code", "200"),
        ("url.path", "/health/live"),
        ("url.scheme", "http"),
    ] {
        assert_eq!(attributes.get(key).map(String::as_str), Some(value), "{attributes:?}");
    }
    let nowhere = spans
        .iter()
        .find(|span| span.attributes().get("url.path").is_some_and(|path| path == "/nowhere/at/all"));
    assert_eq!(nowhere.map(|span| (span.span.name.as_str(), span.error())), Some(("GET", None)));
    assert!(!format!("{spans:?}").contains("canary"), "{spans:?}");
}

/// Without an endpoint nothing has an id; with one and a sampler that records nothing, only the header says so.
#[test]
fn what_is_not_recorded_leads_nowhere() {
    let (collector, target) = (Recorder::start(), Recorder::start());
    let off = Launch::new(&checks(&target)).start();
    let asked = eventually("a request to the target", SOON, || target.requests().into_iter().next());
    assert_eq!(asked.headers.get("traceparent"), None);
    eventually("a failed run in the log", SOON, || off.log().contains("run failed"));
    assert!(!off.log().contains("trace_id"), "{}", off.log());
    off.signal(Signal::TERM);
    off.wait_exit();

    let before = target.requests().len();
    let unsampled = Launch::new(&checks(&target))
        .env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &format!("http://{}/v1/traces", collector.addr()))
        .env("OTEL_TRACES_SAMPLER", "always_off")
        .start();
    let asked = eventually("a request to the target", SOON, || target.requests().into_iter().nth(before));
    assert!(asked.headers["traceparent"].ends_with("-00"), "{asked:?}");
    let runs = || unsampled.scrape().value("healthcheck_runs_total", &[("healthcheck_name", "web")]);
    eventually("a run that was counted", SOON, || runs().is_some_and(|runs| runs > 0.0));
    let shown = exemplars(&unsampled, "healthcheck_duration_seconds_bucket", &[("healthcheck_name", "web")]);
    assert!(shown.is_empty(), "{shown:?}");
    unsampled.signal(Signal::TERM);
    assert_eq!(unsampled.wait_exit().code(), Some(0));
    assert!(collector.spans().is_empty());
}

/// The same ids in what is pushed: a distribution leads to its trace where nobody reads the page.
#[test]
fn a_pushed_exemplar_leads_to_its_span() {
    let (collector, target) = (Collector::start(Protocol::Http), Recorder::start());
    let _agent = pushing_to(&collector, "traces: { delay: 100ms }", &target).start();
    let ids = eventually("an exemplar of a run", SOON, || {
        let taken = collector.taken();
        let mut metrics = taken.last()?.metrics();
        let duration = metrics.find(|metric| metric.name == "healthcheck.duration")?;
        let Some(Data::Histogram(histogram)) = &duration.data else { panic!("{duration:?}") };
        let exemplar = histogram.data_points.iter().find_map(|point| point.exemplars.first())?;
        Some((exemplar.trace_id.clone(), exemplar.span_id.clone()))
    });
    let run = eventually("its span", SOON, || {
        let spans = collector.spans().into_iter();
        spans.map(|received| received.span).find(|span| (&span.trace_id, &span.span_id) == (&ids.0, &ids.1))
    });
    assert!(run.name.starts_with("healthcheck "), "{run:?}");
}

/// Over gRPC too, where a collector that has no time at once gets all of them later, and says what it refuses for good.
#[test]
fn spans_arrive_over_grpc_and_none_is_lost_on_the_way() {
    answers(Protocol::Grpc, 14);
}

#[test]
fn spans_arrive_over_http_and_none_is_lost_on_the_way() {
    answers(Protocol::Http, 503);
}

fn answers(protocol: Protocol, later: u16) {
    let (collector, target) = (Collector::start(protocol), Recorder::start());
    collector.script_spans([Step::Refuse(later, Some("1")), Step::Refuse(later, None), Step::TakePartly(1)]);
    let spoken = if protocol == Protocol::Grpc { "grpc" } else { "http/protobuf" };
    let more = format!("protocol: {spoken}, compression: none, traces: {{ delay: 100ms, timeout: 60s }}");
    let agent = pushing_to(&collector, &more, &target)
        // It is ours to read: the library that sends must not.
        .env("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "zstd")
        .env("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json")
        .start();
    let asked = eventually("a request to the target", SOON, || target.requests().into_iter().next());
    let (trace, id) = parent_of(&asked);
    let run = eventually("its span", ARRIVES, || {
        collector.spans().into_iter().find(|received| received.trace() == trace && received.id() == id)
    });
    assert_eq!(run.span.name, "healthcheck web");
    assert_eq!(run.resource["service.name"], "shop");
    eventually("what was refused", SOON, || spans(&agent, "rejected") == 1.0);
    eventually("spans that were taken", SOON, || spans(&agent, "sent") > 0.0);
    assert_eq!(spans(&agent, "dropped"), 0.0);
    assert_eq!(own(&agent, "export_failures_total", &[("error_type", "unexpected_status")]), 2.0);
    assert!(own(&agent, "exports_total", &[]) > 2.0);
    assert_eq!(own(&agent, "dropped_batches_total", &[("reason", "expired")]), 0.0);
    assert!(own(&agent, "last_success_timestamp_seconds", &[]) > 1e9);
    let line = agent.health()["details"]["otlp_traces"].as_str().unwrap().to_owned();
    assert!(line.starts_with("sending, ") && line.contains("last sent at 20"), "{line}");
    assert!(!agent.log().contains("not taken"), "{}", agent.log());
    // Its words, in a refusal and in an answer, and a password in a URL.
    assert!(!agent.log().contains("canary"), "{}", agent.log());
}

/// What a collector takes only in parts arrives in parts, each span once.
#[test]
fn spans_that_are_too_many_at_once_arrive_in_parts() {
    let words = "grpc: received message larger than max (94112 vs. 65536)";
    for protocol in [Protocol::Http, Protocol::Grpc] {
        let (collector, target) = (Collector::start(protocol), Recorder::start());
        collector.script_spans([Step::TooLarge(words), Step::TooLarge(words)]);
        let spoken = if protocol == Protocol::Grpc { "grpc" } else { "http/protobuf" };
        // Long enough for several runs to be in the first batch.
        let more = format!("protocol: {spoken}, traces: {{ delay: 3s }}");
        let agent = pushing_to(&collector, &more, &target).start();
        let asked = eventually("requests to the target", SOON, || {
            Some(target.requests()).filter(|requests| requests.len() >= 3)
        });
        for (trace, id) in asked.iter().map(parent_of) {
            let found = || {
                let spans = collector.spans();
                spans.iter().filter(|span| span.trace() == trace && span.id() == id).count()
            };
            eventually("the span of a run", ARRIVES, || found() > 0);
            assert_eq!(found(), 1, "{trace} {id}");
        }
        eventually("all of it to be counted", SOON, || {
            // What arrived before the page was made is on it.
            let arrived = collector.spans().len();
            let sent = spans(&agent, "sent");
            #[expect(clippy::cast_precision_loss, reason = "a handful")]
            let counted = sent >= arrived as f64;
            if counted { Ok(()) } else { Err(format!("{arrived} arrived, {sent} are counted")) }
        });
        assert_eq!((spans(&agent, "rejected"), spans(&agent, "dropped")), (0.0, 0.0), "{}", agent.log());
        assert_eq!(own(&agent, "export_failures_total", &[("error_type", "unexpected_status")]), 2.0);
    }
}

/// A collector that is away costs two log lines, however long, and no run.
#[test]
fn a_collector_that_is_away_is_told_once() {
    let target = Recorder::start();
    let away =
        format!("endpoint: 'http://127.0.0.1:{}/v1/traces', delay: 100ms, timeout: 200ms", ports::free());
    let agent = Launch::new(&format!("{}otlp: {{ traces: {{ {away} }} }}\n", checks(&target))).start();
    let lost = || spans(&agent, "dropped");
    let first = eventually("lost spans", SOON, || Some(lost()).filter(|lost| *lost > 0.0));
    eventually("more of them", SOON, || lost() > first);
    let told = agent.log().lines().filter(|line| line.contains("traces are not taken")).count();
    assert_eq!(told, 1, "{}", agent.log());
    assert!(own(&agent, "export_failures_total", &[("error_type", "connection_refused")]) > 1.0);
    assert!(own(&agent, "dropped_batches_total", &[("reason", "expired")]) > 0.0);
    let line = agent.health()["details"]["otlp_traces"].as_str().unwrap().to_owned();
    assert!(line.starts_with("failing since ") && line.contains("connection refused"), "{line}");
    let runs = agent.scrape().value("healthcheck_runs_total", &[("healthcheck_name", "web")]);
    assert!(runs.is_some_and(|runs| runs > 0.0));
    agent.signal(Signal::TERM);
    assert_eq!(agent.wait_exit().code(), Some(0));
}

//! The log over OTLP: what it shows arrives, with the ids that the lines on standard error and the spans have, and nothing
//! follows from sending it.

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{
    agent::{Agent, Launch},
    eventually::{eventually, same},
    otlp::{ARRIVES, Collector, Line, Protocol, Step},
    recorder::Recorder,
};
use crate::{push::of_signal, traces::checks};

/// An agent without checks that sends its log and, ten times a second, its metrics.
fn quiet(collector: &Collector, logs: &str) -> Launch {
    let endpoint = format!("endpoint: 'http://{}', metrics: {{ interval: 100ms }}", collector.addr);
    Launch::new(&format!(
        "log: {{ level: trace }}\nchecks: {{}}\notlp: {{ {endpoint}, logs: {{ {logs} }} }}\n"
    ))
}

fn points(agent: &Agent, outcome: &str) -> f64 {
    of_signal(agent, "logs", "points_total", &[("outcome", outcome)])
}

fn bodies(collector: &Collector) -> Vec<String> {
    collector.lines().iter().map(Line::body).collect()
}

/// Waits until so many more batches of metrics have come and gone.
fn pushes_go_on(collector: &Collector, batches: usize) {
    let before = collector.taken().len();
    eventually("more pushes", ARRIVES, || collector.taken().len() >= before + batches);
}

fn lines_on_standard_error(agent: &Agent) -> Vec<Value> {
    agent.log().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_line_is_the_same_on_standard_error_at_the_collector_and_in_its_trace() {
    for (protocol, word) in [(Protocol::Http, "http/protobuf"), (Protocol::Grpc, "grpc")] {
        let (collector, target) = (Collector::start(protocol), Recorder::start());
        let agent = Launch::new(&format!(
            "{}otlp: {{ endpoint: 'http://{}', protocol: {word}, traces: {{ delay: 100ms }} }}\n",
            checks(&target),
            collector.addr
        ))
        .env("OTEL_LOGS_EXPORTER", "otlp")
        .env("OTEL_BLRP_SCHEDULE_DELAY", "100")
        .start();
        let line = eventually("a failed run in the log", ARRIVES, || {
            let lines = lines_on_standard_error(&agent).into_iter();
            lines.into_iter().find(|line| line["message"] == "run failed" && line["check"] == "down")
        });
        let text = |name: &str| line[name].as_str().unwrap_or_else(|| panic!("{name} in {line}")).to_owned();
        let ids = (text("trace_id"), text("span_id"));
        let sent = eventually("the same line", ARRIVES, || {
            collector.lines().into_iter().find(|line| line.ids() == ids && line.body() == "run failed")
        });
        eventually("its span", ARRIVES, || {
            let mut spans = collector.spans().into_iter();
            spans.any(|span| (span.trace(), span.id()) == ids && span.span.name == "healthcheck down")
        });
        let record = &sent.record;
        assert_eq!((record.severity_number, record.severity_text.as_str()), (5, "DEBUG"));
        assert!(record.time_unix_nano > 0 && record.event_name.is_empty(), "{record:?}");
        assert_eq!(sent.scope, "vitalsign::runner::cycle");
        for name in ["check", "reason", "driver"] {
            assert_eq!(sent.attributes().get(name), Some(&text(name)), "{sent:?}");
        }
        assert_eq!(
            (sent.resource["service.name"].as_str(), sent.resource["service.version"].as_str()),
            ("shop", "1.2.3")
        );
        eventually("the success in /health", ARRIVES, || {
            let line = agent.health()["details"]["otlp_logs"].as_str().unwrap().to_owned();
            if line.starts_with("sending, ") { Ok(()) } else { Err(line) }
        });

        agent.signal(Signal::TERM);
        assert_eq!(agent.wait_exit().code(), Some(0), "{}", agent.log());
        let messages =
            |lines: Vec<Value>| lines.into_iter().map(|line| line["message"].as_str().unwrap().to_owned());
        let mut shown: Vec<String> = messages(lines_on_standard_error(&agent)).collect();
        let mut arrived = bodies(&collector);
        assert!(arrived.iter().any(|body| body == "stopped"), "{arrived:?}");
        shown.sort();
        arrived.sort();
        assert_eq!(arrived, shown, "each line once, to the last one");
        let all = format!("{:?}", collector.lines());
        assert!(!all.contains("canary"), "{all}");
    }
}

#[test]
fn the_log_stays_here_unless_it_is_asked_for() {
    let collector = Collector::start(Protocol::Http);
    let agent = quiet(&collector, "delay: 10ms").start();
    eventually("spans", ARRIVES, || {
        agent.get("/health/live");
        !collector.spans().is_empty()
    });
    assert!(collector.lines().is_empty());
    assert!(points(&agent, "sent").is_nan());
}

/// Were a line the consequence of sending one, there would be no end to it.
#[test]
fn sending_the_log_is_not_told_in_it() {
    let collector = Collector::start(Protocol::Http);
    // The first batch is refused for good: two lines are due, that it is, and that the next one is not.
    collector.script_logs([Step::Refuse(400, None)]);
    let agent = quiet(&collector, "enabled: true, delay: 10ms").start();
    let told = ["logs are not taken: what comes meanwhile is lost", "logs are taken again"];
    let both = || {
        let bodies = bodies(&collector);
        if told.iter().all(|line| bodies.iter().any(|body| body == line)) {
            Ok(bodies)
        } else {
            Err(format!("{bodies:?}"))
        }
    };
    let bodies_then = eventually("both lines", ARRIVES, both);
    pushes_go_on(&collector, 20);
    assert_eq!(bodies(&collector).len(), bodies_then.len(), "{:?}", bodies(&collector));
    for line in told {
        assert_eq!(agent.log().matches(line).count(), 1, "{}", agent.log());
    }
    assert!(points(&agent, "rejected") >= 1.0);
    let lost = of_signal(&agent, "logs", "dropped_batches_total", &[("reason", "rejected")]);
    assert_eq!(lost, 1.0);
    assert_eq!(points(&agent, "dropped"), 0.0);
}

#[test]
fn a_collector_that_hangs_costs_lines_and_nothing_else() {
    let (collector, target) = (Collector::start(Protocol::Http), Recorder::start());
    collector.script_logs(std::iter::repeat_n(Step::Hang, 100));
    let logs = "enabled: true, timeout: 5m, queue_size: 2, batch_size: 1";
    let config = format!(
        "{}otlp: {{ endpoint: 'http://{}', logs: {{ {logs} }} }}\nstop: {{ within: 3s }}\n",
        checks(&target),
        collector.addr
    );
    let agent = Launch::new(&config).start();
    eventually("dropped lines", ARRIVES, || points(&agent, "dropped") >= 3.0);
    let runs = || agent.scrape().value("healthcheck_runs_total", &[("healthcheck_name", "web")]);
    let before = runs();
    eventually("more runs", ARRIVES, || runs() > before);
    eventually("two that wait and one on its way", ARRIVES, || {
        same(of_signal(&agent, "logs", "queue_batches", &[]), &3.0)
    });
    assert!(collector.lines().is_empty());
    agent.signal(Signal::TERM);
    assert_eq!(agent.wait_exit().code(), Some(0), "{}", agent.log());
}

#[test]
fn spans_that_cannot_be_sent_leave_time_for_the_last_lines() {
    let (collector, target) = (Collector::start(Protocol::Http), Recorder::start());
    collector.script_spans(std::iter::repeat_n(Step::Hang, 100));
    let config = format!(
        "{}otlp: {{ endpoint: 'http://{}', traces: {{ delay: 10ms, timeout: 5m }}, logs: {{ enabled: true }} }}\n\
         stop: {{ within: 8s }}\n",
        checks(&target),
        collector.addr
    );
    let agent = Launch::new(&config).start();
    eventually("spans on their way", ARRIVES, || of_signal(&agent, "traces", "queue_age_seconds", &[]) > 0.5);
    agent.signal(Signal::TERM);
    assert_eq!(agent.wait_exit().code(), Some(0), "{}", agent.log());
    assert!(collector.spans().is_empty());
    let arrived = bodies(&collector);
    assert!(arrived.iter().any(|body| body == "stopped"), "{arrived:?}");
}

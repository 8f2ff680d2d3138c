//! Collectors that answer, but not well.

use super::*;

/// Runs an agent against this script, until everything that it made before the end of the script was taken.
fn through(protocol: Protocol, steps: &[Step], more: &str) -> (Collector, Agent) {
    let collector = Collector::start(protocol);
    // Something good in between: failures in a row are waited for longer and longer.
    collector.script(steps.iter().flat_map(|step| [Step::Take, step.clone()]));
    let agent = pushing(&url(&collector, protocol), more).start();
    eventually("the end of the script", ARRIVES * 2, || match collector.steps_left() {
        0 => Ok(()),
        left => Err(format!("{left} steps left\n{}", agent.log())),
    });
    let after = collector.taken().len();
    batches(&collector, after + 2);
    (collector, agent)
}

/// The times of the batches are in order, and none arrived twice but those whose answer was lost.
#[track_caller]
fn in_order(collector: &Collector) {
    let times: Vec<u64> = collector.taken().iter().map(Taken::time).collect();
    assert!(times.is_sorted(), "{times:?}");
    let twice = times.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert!(twice <= collector.answers_lost(), "{twice} twice, {} answers lost", collector.answers_lost());
}

fn failures(agent: &Agent, reason: &str) -> f64 {
    own(agent, "export_failures_total", &[("error_type", reason)])
}

#[test]
fn what_may_be_sent_again_is_sent_again_over_http() {
    let steps = [
        Step::Refuse(503, None),
        Step::Refuse(429, Some("1")),
        Step::Refuse(502, Some("Sun, 06 Nov 1994 08:49:37 GMT")),
        Step::Refuse(504, None),
        Step::CutRequest,
        Step::LoseAnswer,
        Step::CutAnswer,
    ];
    let (collector, agent) = through(Protocol::Http, &steps, "");
    in_order(&collector);
    assert_eq!(collector.answers_lost(), 1);
    assert_eq!(failures(&agent, "unexpected_status"), 4.0, "{}", agent.log());
    assert_eq!(failures(&agent, "connection_reset"), 2.0, "{}", agent.log());
    assert_eq!(own(&agent, "points_total", &[("outcome", "rejected")]), 0.0);
    assert_eq!(own(&agent, "points_total", &[("outcome", "dropped")]), 0.0);
    assert_eq!(said(&agent, "metrics cannot be sent"), 6);
    assert_eq!(said(&agent, "sending metrics works again"), 6);
    assert!(!agent.log().contains("canary"), "{}", agent.log());
}

#[test]
fn what_may_be_sent_again_is_sent_again_over_grpc() {
    // CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED with a time, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS
    let codes = [(1, None), (4, None), (8, Some("1")), (10, None), (11, None), (14, Some("1")), (15, None)];
    let steps = codes.map(|(code, after)| Step::Refuse(code, after));
    let (collector, agent) = through(Protocol::Grpc, &steps, "");
    in_order(&collector);
    assert_eq!(failures(&agent, "unexpected_status") + failures(&agent, "timeout"), 7.0, "{}", agent.log());
    assert_eq!(own(&agent, "points_total", &[("outcome", "rejected")]), 0.0);
    assert!(!agent.log().contains("canary"), "{}", agent.log());
}

#[test]
fn a_connection_that_is_cut_costs_no_batch_over_grpc() {
    let steps = [Step::CutRequest, Step::LoseAnswer, Step::CutRequest, Step::LoseAnswer];
    let (collector, agent) = through(Protocol::Grpc, &steps, "");
    in_order(&collector);
    let times: Vec<u64> = collector.taken().iter().map(Taken::time).collect();
    let twice = times.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert_eq!(
        (twice, collector.answers_lost()),
        (2, 2),
        "twice where the answer was lost, and nowhere else"
    );
    assert_eq!(failures(&agent, "connection_reset"), 4.0, "{}", agent.log());
    assert_eq!(own(&agent, "points_total", &[("outcome", "rejected")]), 0.0);
    assert_eq!(own(&agent, "points_total", &[("outcome", "dropped")]), 0.0);
    assert_eq!(said(&agent, "metrics cannot be sent"), 4, "{}", agent.log());
}

#[test]
fn what_will_never_be_taken_is_dropped_after_one_attempt() {
    let http = [400, 401, 403, 404, 500, 501, 302].map(|status| Step::Refuse(status, None));
    // UNKNOWN, INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED, RESOURCE_EXHAUSTED without a time, INTERNAL, UNAUTHENTICATED
    let grpc = [2, 3, 5, 7, 8, 13, 16].map(|code| Step::Refuse(code, None));
    for (protocol, steps) in [(Protocol::Http, http), (Protocol::Grpc, grpc)] {
        let (collector, agent) = through(protocol, &steps, "");
        in_order(&collector);
        let dropped = |reason| own(&agent, "dropped_batches_total", &[("reason", reason)]);
        assert_eq!(dropped("rejected"), 7.0, "{}", agent.log());
        assert_eq!(dropped("queue_full") + dropped("expired") + dropped("corrupt"), 0.0);
        assert!(own(&agent, "points_total", &[("outcome", "rejected")]) > 7.0);
        assert_eq!(failures(&agent, "auth"), 1.0);
        assert_eq!(failures(&agent, "denied"), 1.0);
        assert_eq!(said(&agent, "metrics are refused"), 7);
    }
}

#[test]
fn a_collector_that_hangs_is_given_up_and_asked_again() {
    for protocol in [Protocol::Http, Protocol::Grpc] {
        let (collector, agent) = through(protocol, &[Step::Hang], "  timeout: 3s");
        assert_eq!(failures(&agent, "timeout"), 1.0, "{}", agent.log());
        let times: Vec<u64> = collector.taken().iter().map(Taken::time).collect();
        assert!(times.is_sorted(), "{times:?}");
    }
}

#[test]
fn what_is_too_large_is_split() {
    let words = "grpc: received message larger than max (94112 vs. 65536)";
    for protocol in [Protocol::Http, Protocol::Grpc] {
        let steps = [Step::TooLarge(words), Step::TooLarge(words)];
        let collector = Collector::start(protocol);
        collector.script(steps);
        let agent = pushing(&url(&collector, protocol), "").start();
        let times: Vec<u64> = batches(&collector, 5).iter().map(Taken::time).collect();
        assert!(times.is_sorted(), "{times:?}");
        let taken = collector.taken();
        let parts: Vec<&Taken> = taken.iter().filter(|taken| taken.time() == times[0]).collect();
        assert_eq!(parts.len(), 3, "two quarters and a half");
        let mut families = BTreeSet::new();
        for metric in parts.iter().flat_map(|part| part.metrics()) {
            let points = format!("{:?}", metric.data);
            assert!(families.insert((metric.name.clone(), points)), "{} twice", metric.name);
        }
        let points: usize = parts.iter().map(|part| part.points()).sum();
        let whole = taken.iter().find(|taken| taken.time() > times[0]).unwrap().points();
        assert!(points.abs_diff(whole) < whole / 4, "{points} in parts, {whole} in the next one");
        assert_eq!(own(&agent, "points_total", &[("outcome", "rejected")]), 0.0, "{}", agent.log());
    }
}

#[test]
fn what_is_refused_in_part_is_counted() {
    for protocol in [Protocol::Http, Protocol::Grpc] {
        let (collector, agent) = through(protocol, &[Step::TakePartly(7)], "");
        in_order(&collector);
        assert_eq!(own(&agent, "points_total", &[("outcome", "rejected")]), 7.0);
        assert_eq!(said(&agent, "the collector refuses some"), 1);
        assert!(!agent.log().contains("canary"), "{}", agent.log());
    }
}

#[test]
fn a_collector_that_takes_nothing_for_its_size_is_asked_a_handful_of_times() {
    let words = "grpc: received message larger than max (94112 vs. 1)";
    for protocol in [Protocol::Http, Protocol::Grpc] {
        let collector = Collector::start(protocol);
        collector.otherwise(Step::TooLarge(words));
        let endpoint = url(&collector, protocol);
        let config = format!("checks: {{}}\notlp:\n  endpoint: {endpoint}\n  metrics: {{ interval: 1h }}\n");
        let agent = Launch::new(&config).start();
        let dropped = || own(&agent, "dropped_batches_total", &[("reason", "rejected")]);
        eventually("the only batch to be given up", ARRIVES, || dropped() == 1.0);
        assert_eq!(own(&agent, "queue_batches", &[]), 0.0, "all of it");
        assert_eq!(collector.requests(), 5, "{}", agent.log());
        assert_eq!(own(&agent, "points_total", &[("outcome", "sent")]), 0.0);
        assert!(own(&agent, "points_total", &[("outcome", "rejected")]) > 50.0);
        assert_eq!(said(&agent, "larger than what the collector takes"), 1, "{}", agent.log());
    }
}

#[test]
fn a_page_is_no_answer() {
    let html = Step::Page(Some("text/html; charset=utf-8"), "<html>canary: log in</html>");
    let text = Step::Page(Some("text/plain"), "canary");
    let json = Step::Page(Some("application/json"), "{\"error\":\"canary\"}");
    let bytes = Step::Page(Some("application/x-protobuf"), "canary");
    let nothing = Step::Page(None, "canary");
    for (protocol, steps) in [
        (Protocol::Http, vec![html.clone(), text, json, bytes, nothing]),
        (Protocol::Grpc, vec![html.clone()]),
    ] {
        let (collector, agent) = through(protocol, &steps, "");
        in_order(&collector);
        #[expect(clippy::cast_precision_loss, reason = "a handful")]
        let pages = steps.len() as f64;
        assert_eq!(failures(&agent, "protocol"), pages, "{}", agent.log());
        assert_eq!(own(&agent, "dropped_batches_total", &[("reason", "rejected")]), 0.0, "it waits");
        assert_eq!(
            said(&agent, "the answer is not that of an OTLP receiver"),
            steps.len(),
            "{}",
            agent.log()
        );
        assert!(!agent.log().contains("canary"), "{}", agent.log());
        let taken: f64 = batches(&collector, 1).len() as f64;
        assert!(own(&agent, "points_total", &[("outcome", "sent")]) >= taken);
    }
}

#[test]
fn an_answer_in_the_json_of_otlp_counts() {
    let steps = [
        Step::Page(Some("application/json"), "{}"),
        Step::Page(Some("Application/JSON"), "{\"partialSuccess\":{\"rejectedDataPoints\":\"3\"}}"),
        Step::Page(Some("text/html"), ""),
    ];
    let (_collector, agent) = through(Protocol::Http, &steps, "");
    assert_eq!(failures(&agent, "protocol"), 0.0, "{}", agent.log());
    assert_eq!(own(&agent, "points_total", &[("outcome", "rejected")]), 3.0);
}

#[test]
fn a_redirect_names_the_host_and_is_not_followed() {
    for protocol in [Protocol::Http, Protocol::Grpc] {
        let elsewhere = Collector::start(protocol);
        let away = format!("http://canary:canary@localhost:{}/canary?canary=1", elsewhere.addr.port()).leak();
        let steps = [Step::Redirect(307, away), Step::Redirect(302, "/canary")];
        let (_collector, agent) = through(protocol, &steps, "");
        for line in
            ["status 307, a redirect to localhost, which", "status 302, a redirect to 127.0.0.1, which"]
        {
            assert_eq!(said(&agent, line), 1, "{line}: {}", agent.log());
        }
        assert!(!agent.log().contains("canary"), "{}", agent.log());
        assert_eq!(elsewhere.requests(), 0);
        assert_eq!(own(&agent, "dropped_batches_total", &[("reason", "rejected")]), 2.0);
    }
}

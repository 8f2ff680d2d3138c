//! Kind `amqp` with a real broker: what it measures, what it tells apart when it fails, and what it leaves behind.

use std::time::Duration;

use crate::harness::{
    agent::{Agent, check_once},
    amqp::Amqp,
    eventually::{eventually, same},
    ports,
    rabbitmq::RabbitMq,
};
use crate::kinds;

const SOON: Duration = Duration::from_secs(60);

/// The only check of one run of `vitalsign check`, and its measurements.
fn check(settings: &str) -> serde_json::Value {
    check_once(&format!("kind: amqp, {settings}"))
}

#[track_caller]
fn fails(settings: &str, reason: &str, error: &str) {
    let q = check(settings);
    let told = [&q["status"], &q["reason"], &q["error"]].map(|text| text.as_str().unwrap_or_default());
    assert_eq!(told, ["unhealthy", reason, error], "{q}");
}

#[test]
fn a_queue_is_measured_and_left_as_it_is() {
    let broker = RabbitMq::shared();
    broker.declare_queue("amqp-measured");
    broker.publish("amqp-measured", 5);
    let agent = Agent::start(&format!(
        "checks: {{ q: {{ kind: amqp, url: '{}', queue: amqp-measured, interval: 2s, timeout: 1900ms }} }}",
        broker.url()
    ));
    let labels = [
        ("healthcheck_name", "q"),
        ("messaging_system", "rabbitmq"),
        ("messaging_destination_name", "amqp-measured"),
    ];
    let measured = |messages: f64, consumers: f64| {
        eventually("the numbers of the queue", SOON, || {
            let page = agent.scrape();
            let numbers = (
                page.value("healthcheck_queue_messages", &labels),
                page.value("healthcheck_queue_consumers", &labels),
            );
            if numbers == (Some(messages), Some(consumers)) { Ok(()) } else { Err(format!("{numbers:?}")) }
        });
    };
    measured(5.0, 0.0);
    assert_eq!(broker.messages("amqp-measured"), 5);
    let health = agent.health();
    assert_eq!(health["checks"]["q"]["status"], "healthy", "{health}");
    let page = agent.scrape();
    assert!(kinds::measured(&page, "q").iter().eq(kinds::declared("amqp", &["queue"])));
    for phase in ["connect", "auth", "request"] {
        let labels = [("healthcheck_name", "q"), ("healthcheck_phase", phase)];
        assert!(page.value("healthcheck_phase_duration_seconds", &labels).is_some(), "{phase}");
    }

    let mut consumer = Amqp::connect(broker.port()).unwrap();
    consumer.consume("amqp-measured").unwrap();
    measured(0.0, 1.0);
}

#[test]
fn what_a_broker_refuses_is_told_apart() {
    let broker = RabbitMq::shared();
    let (url, port) = (broker.url(), broker.port());
    assert_eq!(check(&format!("url: '{url}'"))["status"], "healthy");
    let right = format!("url: 'amqp://guest@127.0.0.1:{port}', password: guest");
    assert_eq!(check(&right)["status"], "healthy");

    fails(&format!("url: '{url}', queue: amqp-missing"), "not_found", "the queue does not exist");
    let queues = broker.ctl(&["list_queues", "name"]);
    assert!(!queues.contains("amqp-missing"), "the check made the queue:\n{queues}");
    fails(&format!("url: '{url}', password: wrong"), "auth", "credentials refused");
    let at = |vhost: &str| format!("url: 'amqp://guest:guest@127.0.0.1:{port}/{vhost}'");
    fails(&at("missing"), "not_found", "the virtual host does not exist");
    broker.ctl(&["add_vhost", "not ours"]);
    fails(&at("not%20ours"), "denied", "access to the virtual host refused");
    fails(&format!("url: 'amqps://guest:guest@127.0.0.1:{port}'"), "tls", "the server answers without TLS");
    fails(&format!("url: 'amqp://127.0.0.1:{}'", ports::free()), "connection_refused", "connection refused");
}

#[test]
fn a_broker_hears_a_name_and_a_good_bye_also_when_the_queue_is_missing() {
    let broker = RabbitMq::start();
    broker.declare_queue("here");
    for queue in ["here", "missing"] {
        check(&format!("url: '{}', queue: {queue}", broker.url()));
    }
    let log = eventually("both ends in the log", SOON, || {
        let log = broker.log();
        let ends = log.lines().filter(|line| line.contains("closing AMQP connection"));
        let named = ends.filter(|line| line.contains("vitalsign")).count();
        if named == 2 { Ok(log) } else { Err(log) }
    });
    assert!(!log.contains("client unexpectedly closed"), "{log}");
}

#[test]
fn a_broker_that_is_short_of_memory_or_disk_space_is_degraded() {
    let broker = RabbitMq::start();
    broker.declare_queue("waits");
    broker.publish("waits", 3);
    // The heartbeat by which the broker notices that a check has gone is in proportion to the time limit.
    let ask = |more: &str| check(&format!("timeout: 10s, url: '{}', queue: waits{more}", broker.url()));
    let is = |q: &serde_json::Value, status: &str, alarm: f64| {
        assert_eq!(
            (q["status"].as_str(), q["details"]["alarm"].as_f64()),
            (Some(status), Some(alarm)),
            "{q}"
        );
        assert_eq!(q["details"]["messages"], 3.0, "{q}");
    };
    is(&ask(""), "healthy", 0.0);
    let of_alarm = |wanted: &str, text: &str| {
        eventually(wanted, SOON, || {
            let q = ask("");
            if q["error"] == text { Ok(q) } else { Err(q.to_string()) }
        })
    };
    broker.ctl(&["set_vm_memory_high_watermark", "0"]);
    is(&of_alarm("alarm of memory", "the broker is short of memory and takes no messages"), "degraded", 1.0);
    is(&ask(", thresholds: { alarm: { fail: 1 } }"), "unhealthy", 1.0);
    let connections = || broker.ctl(&["list_connections", "pid"]).lines().count();
    eventually("no connection left, alarm or not", SOON, || same(connections(), &0));

    broker.ctl(&["set_vm_memory_high_watermark", "0.9"]);
    broker.ctl(&["set_disk_free_limit", "1000000GB"]);
    is(
        &of_alarm("alarm of disk", "the broker is short of disk space and takes no messages"),
        "degraded",
        1.0,
    );
    broker.ctl(&["set_disk_free_limit", "1"]);
    eventually("no alarm", SOON, || ask("")["status"] == "healthy");
    assert_eq!(broker.messages("waits"), 3, "nothing was published");
}

#[test]
fn a_frozen_or_killed_broker_leaves_no_socket_behind() {
    let broker = RabbitMq::start();
    let agent = Agent::start(&format!(
        "checks: {{ q: {{ kind: amqp, url: '{}', interval: 2s, timeout: 1500ms, fail_after: 1 }} }}",
        broker.url()
    ));
    let reason = |wanted: &str| {
        eventually(wanted, SOON, || {
            let q = agent.get("/health/checks/q").json();
            if q["reason"] == wanted { Ok(()) } else { Err(q.to_string()) }
        });
    };
    eventually("a good run", SOON, || agent.get("/health/checks/q").json()["status"] == "healthy");
    broker.freeze();
    reason("timeout");
    eventually("no socket", SOON, || agent.sockets_to(broker.port()) == 0);
    broker.kill();
    reason("connection_refused");
    assert_eq!(agent.sockets_to(broker.port()), 0);
}

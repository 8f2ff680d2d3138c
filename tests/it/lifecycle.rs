//! The life of the real program: how it stops, and what it says in its log meanwhile.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::ExitStatus,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{
    agent::{Agent, Launch},
    eventually::{eventually, same},
    ports,
};

const SOON: Duration = Duration::from_secs(60);

/// A mail server that greets when the test says so.
struct Mail(TcpListener);

impl Mail {
    fn start() -> Self {
        // A port that no client of another test can be given when this server ends and another takes its place.
        Self(TcpListener::bind(("127.0.0.1", ports::free())).unwrap())
    }

    fn address(&self) -> String {
        self.0.local_addr().unwrap().to_string()
    }

    /// The next client, waiting for its greeting.
    fn client(&self) -> TcpStream {
        self.0.accept().unwrap().0
    }
}

/// Lines of the log as JSON, of an agent that logs so.
fn lines(agent: &Agent) -> Vec<Value> {
    agent
        .log()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect()
}

fn said(agent: &Agent, message: &str) -> usize {
    lines(agent).iter().filter(|line| line["message"] == message).count()
}

fn ready(agent: &Agent) -> (u16, Value) {
    let answer = agent.get("/health/ready");
    (answer.status, answer.json()["message"].clone())
}

fn draining() -> (u16, Value) {
    (503, "draining".into())
}

fn finish(agent: &Agent) -> ExitStatus {
    let status = agent.wait_exit();
    assert!(!agent.log().contains("panic"), "{}", agent.log());
    status
}

#[test]
fn sigterm_drains_then_ends_runs_then_http_then_the_process() {
    let mail = Mail::start();
    let config = format!(
        "log: {{ level: debug, format: json }}\nstop: {{ within: 5m }}\nchecks:\n  mail: {{ kind: tcp, address: \
         '{}', expect: '220', timeout: 10m, interval: 20m, criticality: critical }}\n",
        mail.address()
    );
    let agent = Agent::start(&config);
    let mut in_flight = mail.client();
    // A request whose second half comes when all else has ended.
    let mut asking = TcpStream::connect(agent.addr()).unwrap();
    asking.write_all(b"GET /health/checks/mail HTTP/1.1\r\nhost: x\r\n").unwrap();
    assert_eq!(ready(&agent), (503, "no check has answered yet".into()));

    agent.signal(Signal::TERM);
    eventually("ready to say so", SOON, || same(ready(&agent), &draining()));
    assert_eq!(agent.get("/health/live").status, 200);
    assert_eq!(agent.get("/metrics").status, 200);
    agent.scrape().expect("healthcheck_active_runs", &[("healthcheck_name", "mail")], 1.0);
    assert_eq!(said(&agent, "stopped"), 0, "a run is in flight");

    in_flight.write_all(b"220 at your service\r\n").unwrap();
    eventually("the verdict of that run", SOON, || same(said(&agent, "check state changed"), &1));
    asking.write_all(b"connection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    asking.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"status\": \"healthy\""), "{answer}");

    assert_eq!(finish(&agent).code(), Some(0), "{}", agent.log());
    let log = lines(&agent);
    let at = |message: &str| log.iter().position(|line| line["message"] == message).unwrap();
    assert!(at("stopping") < at("check state changed") && at("check state changed") < at("stopped"));
}

#[test]
fn it_goes_on_as_before_for_the_drain_time() {
    let mail = Mail::start();
    let drained_for = |time: &str| {
        Agent::start(&format!(
            "stop: {{ drain: {time}, within: 60m }}\nchecks:\n  mail: {{ kind: tcp, address: '{}', interval: 500ms, \
             timeout: 450ms }}\n",
            mail.address()
        ))
    };
    let agent = drained_for("50m");
    eventually("all is well", SOON, || same(ready(&agent), &(200, Value::Null)));
    agent.signal(Signal::TERM);
    eventually("ready to say so", SOON, || same(ready(&agent), &draining()));
    let runs = || agent.scrape().value("healthcheck_runs_total", &[("healthcheck_name", "mail")]).unwrap();
    let before = runs();
    // The server listens on, checks go on.
    eventually("more runs while draining", SOON, || runs() >= before + 2.0);
    assert_eq!(ready(&agent), draining());

    // And ends by itself when that time is over.
    let agent = drained_for("1s");
    agent.signal(Signal::TERM);
    assert_eq!(finish(&agent).code(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mail = Mail::start();
    let config = format!(
        "stop: {{ drain: 50m, within: 60m }}\nchecks:\n  mail: {{ kind: tcp, address: '{}', expect: '220', timeout: \
         10m, interval: 20m }}\n",
        mail.address()
    );
    for second in [Signal::TERM, Signal::INT] {
        let agent = Agent::start(&config);
        let _in_flight = mail.client();
        agent.signal(Signal::INT);
        eventually("ready to say so", SOON, || same(ready(&agent), &draining()));
        agent.signal(second);
        assert_eq!(finish(&agent).code(), Some(1));
        assert!(agent.log().contains("a second signal: ending at once"), "{}", agent.log());
    }
}

/// What does not end in time is left: a client that never finishes its request, a run that never answers.
#[test]
fn stopping_is_bounded_whatever_hangs() {
    let mail = Mail::start();
    let config = format!(
        "stop: {{ within: 1s }}\nchecks:\n  mail: {{ kind: tcp, address: '{}', expect: '220', timeout: 10m, interval: \
         20m }}\n",
        mail.address()
    );
    let agent = Agent::start(&config);
    let _in_flight = mail.client();
    let mut half = TcpStream::connect(agent.addr()).unwrap();
    half.write_all(b"GET /health HTT").unwrap();
    agent.signal(Signal::TERM);
    assert_eq!(finish(&agent).code(), Some(0), "{}", agent.log());
}

#[test]
fn the_log_has_a_line_for_each_change_and_none_for_healthy_runs() {
    let mail = Mail::start();
    let address = mail.address();
    let config = format!(
        "log: {{ format: json }}\nchecks:\n  mail: {{ kind: tcp, address: '{address}', interval: 500ms, timeout: 450ms, \
         criticality: critical }}\n"
    );
    let agent = Agent::start(&config);
    let runs =
        || agent.scrape().value("healthcheck_runs_total", &[("healthcheck_name", "mail")]).unwrap_or(0.0);
    eventually("some runs", SOON, || runs() >= 5.0);
    assert_eq!(said(&agent, "check state changed"), 0, "nothing is said while all is well: {}", agent.log());

    drop(mail);
    eventually("the change", SOON, || same(agent.health()["status"].clone(), &"unhealthy".into()));
    let before = runs();
    eventually("more runs", SOON, || runs() >= before + 2.0);
    let changes: Vec<Value> =
        lines(&agent).into_iter().filter(|line| line["message"] == "check state changed").collect();
    let [change] = changes.as_slice() else { panic!("{changes:?}") };
    for (field, value) in [
        ("level", "WARN"),
        ("check", "mail"),
        ("kind", "tcp"),
        ("from", "healthy"),
        ("to", "unhealthy"),
        ("reason", "connection_refused"),
        ("error", "connection refused"),
    ] {
        assert_eq!(change[field], value, "{change}");
    }
    assert_eq!(change["consecutive_failures"], 3);

    let _again = TcpListener::bind(address).unwrap();
    eventually("recovery", SOON, || same(agent.health()["status"].clone(), &"healthy".into()));
    assert_eq!(said(&agent, "check state changed"), 2);
    agent.signal(Signal::TERM);
    assert_eq!(finish(&agent).code(), Some(0));
}

#[test]
fn logfmt_lines_parse() {
    let agent = Launch::new("checks: { gone: { kind: tcp, address: '127.0.0.1:1' } }\n").start();
    eventually("a change", SOON, || agent.log().contains("check state changed"));
    agent.signal(Signal::TERM);
    assert_eq!(finish(&agent).code(), Some(0));
    let log = agent.log();
    for line in log.lines() {
        let pairs = logfmt(line).unwrap_or_else(|| panic!("no logfmt: {line}"));
        let keys: Vec<&str> = pairs.iter().map(|(key, _)| key.as_str()).collect();
        assert!(["ts", "level", "message"].iter().all(|key| keys.contains(key)), "{line}");
    }
    let change = log.lines().find(|line| line.contains("check state changed")).unwrap();
    let pairs = logfmt(change).unwrap();
    let value = |key: &str| pairs.iter().find(|(k, _)| k == key).map_or("", |(_, value)| value.as_str());
    assert_eq!((value("level"), value("message")), ("warn", "check state changed"));
    assert_eq!((value("check"), value("to")), ("gone", "unhealthy"));
    assert_eq!((value("reason"), value("error")), ("connection_refused", "connection refused"));
}

/// `key=value` pairs, values in quotes where they need it.
fn logfmt(line: &str) -> Option<Vec<(String, String)>> {
    let (mut pairs, mut rest) = (Vec::new(), line.trim_end());
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        if key.is_empty() || key.contains(|c: char| c.is_whitespace() || c == '"') {
            return None;
        }
        let (value, after) = if let Some(quoted) = after.strip_prefix('"') {
            let mut escaped = false;
            let end = quoted.find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            })?;
            (quoted.get(..end)?.replace("\\\"", "\""), quoted.get(end + 1..)?)
        } else {
            let end = after.find(' ').unwrap_or(after.len());
            (after.get(..end)?.to_owned(), after.get(end..)?)
        };
        pairs.push((key.to_owned(), value));
        rest = after.trim_start();
    }
    Some(pairs)
}

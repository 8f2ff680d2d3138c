//! What somebody on call is told of a check that fails, in the log and by `?verbose`: what was asked, which limit ran out,
//! when it is asked again, and where the instructions are.

use std::net::TcpListener;
use std::time::Duration;

use crate::harness::{
    agent::Agent,
    eventually::eventually,
    http::{self, Response},
    ports,
};

const SOON: Duration = Duration::from_secs(60);
const RUNBOOK: &str = "https://wiki.example/mail-down";

fn verbose(agent: &Agent, header: &str) -> Response {
    let request = format!("GET /health?verbose HTTP/1.0\r\nhost: localhost\r\n{header}\r\n");
    http::send(agent.addr(), request.as_bytes()).unwrap()
}

/// Waits until the log has a line with all of `words`.
#[track_caller]
fn logged(agent: &Agent, words: &[&str]) -> String {
    eventually(&words.join(" "), SOON, || {
        let log = agent.log();
        let line = log.lines().find(|line| words.iter().all(|word| line.contains(word)));
        line.map(str::to_owned).ok_or(log)
    })
}

#[test]
fn a_refused_connection_names_its_target_its_runbook_and_the_next_run() {
    let target = format!("127.0.0.1:{}", ports::free());
    let agent = Agent::start(&format!(
        "checks: {{ mail: {{ kind: tcp, address: '{target}', runbook: '{RUNBOOK}', interval: 200ms, timeout: 150ms }} }}"
    ));
    let (target_field, runbook_field) = (format!("target={target}"), format!("runbook={RUNBOOK}"));
    let words = ["check=mail", "to=unhealthy", "reason=connection_refused", "phase=connect"];
    logged(&agent, &[&words[..], &[&target_field, &runbook_field]].concat());
    logged(&agent, &["circuit breaker state changed", "state=open", "next_run_in_seconds=", &target_field]);

    let text = eventually("an open circuit breaker", SOON, || {
        let text = verbose(&agent, "").text().to_owned();
        if text.contains("circuit breaker: open, the next run ") { Ok(text) } else { Err(text) }
    });
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "[-] mail unhealthy: connection refused");
    for line in [format!("target: {target}"), "phase: connect".to_owned(), format!("runbook: {RUNBOOK}")] {
        assert!(lines.contains(&format!("      {line}").as_str()), "{line}: {text}");
    }
    let mail = agent.get("/health/checks/mail").json();
    assert!(mail["circuit_breaker_until"].as_str().is_some_and(|until| until.ends_with('Z')), "{mail}");

    let public = verbose(&agent, "x-forwarded-for: 203.0.113.7\r\n").text().to_owned();
    assert!(public.contains(RUNBOOK) && !public.contains(&target), "{public}");
}

#[test]
fn a_limit_that_ran_out_is_told_with_its_size() {
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let agent = Agent::start(&format!(
        "checks:\n  mail: {{ kind: tcp, address: '{}', expect: '220', interval: 400ms, timeout: 300ms }}\n  \
         full: {{ kind: disk, interval: 400ms, timeout: 300ms, thresholds: {{ usage_ratio: {{ warn: 0.000001 }} }} }}\n",
        silent.local_addr().unwrap()
    ));
    let late = "no answer within the time limit of 300ms";
    logged(&agent, &["check=mail", "reason=timeout", "phase=request", late]);
    logged(&agent, &["check=full", "reason=threshold", "is over its warn limit 0"]);
    eventually("both", SOON, || {
        let text = verbose(&agent, "").text().to_owned();
        let told =
            text.contains(&format!("[-] mail unhealthy: {late}\n")) && text.contains("over its warn limit");
        if told { Ok(()) } else { Err(text) }
    });
}

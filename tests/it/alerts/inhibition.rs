//! A real Alertmanager with the example's rules: of the alerts that one cause makes, one is heard.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use serde_json::{Value, json};

use super::rules;
use crate::harness::{
    eventually::{eventually, same},
    http, ports,
    process::{Process, command},
    scratch::Scratch,
    user::User,
};

const STARTS: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_secs(60);
const PROGRAM: &str = "/usr/bin/prometheus-alertmanager";

/// A running Alertmanager.
struct Alertmanager {
    addr: SocketAddr,
    _process: Process, // ends before its directory does
    _scratch: Scratch,
}

impl Alertmanager {
    fn start() -> Self {
        let installed = Path::new(PROGRAM).exists();
        assert!(installed, "not installed: run tests/run, or apt-get install prometheus-alertmanager");
        let scratch = Scratch::new("alertmanager", User::oneself());
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
        let mut manager = command(PROGRAM, User::oneself(), "KILL");
        manager
            .current_dir(scratch.path())
            .arg(format!("--config.file={}", rules::folder().join("alertmanager.example.yml").display()))
            .arg(format!("--web.listen-address={addr}"))
            .args(["--cluster.listen-address=", "--storage.path=data"]);
        let process = Process::start("alertmanager", manager, scratch.path());
        process.ready("answer", STARTS, || match http::send(addr, b"GET /-/ready HTTP/1.0\r\n\r\n") {
            Ok(answer) if answer.status == 200 => Ok(()),
            other => Err(format!("{other:?}")),
        });
        Self { addr, _process: process, _scratch: scratch }
    }

    fn fire(&self, alerts: &[Value]) {
        let alerts: Vec<Value> = alerts.iter().map(|labels| json!({ "labels": labels })).collect();
        let body = Value::Array(alerts).to_string();
        let request = format!(
            "POST /api/v2/alerts HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            self.addr,
            body.len()
        );
        let answer = http::request(self.addr, request.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// The alerts that it knows: those that are heard, and those that others hold back.
    fn heard(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let alerts = http::get(self.addr, "/api/v2/alerts").json();
        let named = |held: bool| {
            let alerts = alerts.as_array().expect("a list").iter();
            let wanted = alerts.filter(|alert| {
                held != alert["status"]["inhibitedBy"].as_array().expect("a list").is_empty()
            });
            wanted
                .map(|alert| {
                    format!(
                        "{} {}",
                        alert["labels"]["alertname"].as_str().unwrap(),
                        alert["labels"]["severity"].as_str().unwrap()
                    )
                })
                .collect()
        };
        (named(false), named(true))
    }
}

#[track_caller]
fn only_heard(alerts: &[Value], heard: &[&str]) {
    let manager = Alertmanager::start();
    manager.fire(alerts);
    let all: BTreeSet<String> = alerts
        .iter()
        .map(|labels| {
            format!("{} {}", labels["alertname"].as_str().unwrap(), labels["severity"].as_str().unwrap())
        })
        .collect();
    let heard: BTreeSet<String> = heard.iter().map(|name| (*name).to_owned()).collect();
    let expected = (heard.clone(), all.difference(&heard).cloned().collect());
    eventually("the alerts", SOON, || same(manager.heard(), &expected));
}

fn alert(name: &str, severity: &str) -> Value {
    json!({ "alertname": name, "severity": severity, "job": "orders", "instance": "web1:10464" })
}

fn of_check(name: &str, severity: &str, check: &str) -> Value {
    let mut labels = alert(name, severity);
    labels["healthcheck_name"] = json!(check);
    labels
}

#[test]
fn a_critical_check_that_fails_makes_one_page() {
    only_heard(
        &[
            alert("VitalsignServiceNotReady", "critical"),
            of_check("VitalsignCheckFailing", "critical", "db"),
            of_check("VitalsignCheckErrorBudgetBurn", "critical", "db"),
            of_check("VitalsignCircuitOpen", "warning", "db"),
            of_check("VitalsignCheckSlow", "warning", "db"),
            of_check("VitalsignCheckFailing", "warning", "cache"),
            of_check("VitalsignCircuitOpen", "warning", "cache"),
            alert("VitalsignCollectorFailing", "warning"),
            alert("VitalsignHostCpuPressure", "warning"),
        ],
        // Another check, and the machine, are other causes.
        &[
            "VitalsignServiceNotReady critical",
            "VitalsignCheckFailing warning",
            "VitalsignCollectorFailing warning",
            "VitalsignHostCpuPressure warning",
        ],
    );
}

#[test]
fn an_agent_that_is_gone_makes_one_page() {
    only_heard(
        &[
            alert("VitalsignAgentDown", "critical"),
            alert("VitalsignServiceNotReady", "critical"),
            of_check("VitalsignCheckFailing", "critical", "db"),
            alert("VitalsignHostMemoryPressure", "critical"),
        ],
        &["VitalsignAgentDown critical"],
    );
}

#[test]
fn no_agent_at_all_makes_one_page_beside_the_watchdog() {
    only_heard(
        &[
            json!({ "alertname": "VitalsignAgentAbsent", "severity": "critical" }),
            json!({ "alertname": "VitalsignWatchdog", "severity": "none" }),
            alert("VitalsignAgentDown", "critical"),
            alert("VitalsignServiceNotReady", "critical"),
        ],
        &["VitalsignAgentAbsent critical", "VitalsignWatchdog none"],
    );
}

#[test]
fn what_is_for_information_is_held_back_where_nothing_else_is_wrong() {
    only_heard(
        &[alert("VitalsignInfoInhibitor", "none"), of_check("VitalsignHostCpuHigh", "info", "cpu")],
        &["VitalsignInfoInhibitor none"],
    );
}

//! A real Alertmanager with the example's rules: of the alerts that one cause makes, one is heard.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};

use super::rules;
use crate::harness::{
    alertmanager::{Alertmanager, is_held},
    eventually::{eventually, same},
};

const SOON: Duration = Duration::from_secs(60);

/// The alerts that it knows: those that are heard, and those that others hold back.
fn heard(manager: &Alertmanager) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut heard, mut held) = (BTreeSet::new(), BTreeSet::new());
    for alert in manager.alerts() {
        let labels = &alert["labels"];
        let name =
            format!("{} {}", labels["alertname"].as_str().unwrap(), labels["severity"].as_str().unwrap());
        if is_held(&alert) { &mut held } else { &mut heard }.insert(name);
    }
    (heard, held)
}

#[track_caller]
fn only_heard(alerts: &[Value], expected: &[&str]) {
    let manager = Alertmanager::start(&rules::read("alertmanager.example.yml"));
    manager.fire(alerts);
    let all: BTreeSet<String> = alerts
        .iter()
        .map(|labels| {
            format!("{} {}", labels["alertname"].as_str().unwrap(), labels["severity"].as_str().unwrap())
        })
        .collect();
    let expected: BTreeSet<String> = expected.iter().map(|name| (*name).to_owned()).collect();
    let expected = (expected.clone(), all.difference(&expected).cloned().collect());
    eventually("the alerts", SOON, || same(heard(&manager), &expected));
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

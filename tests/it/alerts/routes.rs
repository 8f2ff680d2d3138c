//! The example for Alertmanager: amtool accepts it, and each alert goes where it should.

use std::process::Command;

use super::rules;

const CONFIG: &str = "alertmanager.example.yml";

#[test]
fn amtool_accepts_it() {
    amtool(&["check-config", CONFIG]);
}

#[test]
fn each_severity_goes_to_its_receiver() {
    for (receiver, labels) in [
        ("pager", &["alertname=VitalsignCheckFailing", "severity=critical", "healthcheck_name=db"][..]),
        ("pager", &["alertname=VitalsignAgentAbsent", "severity=critical"]),
        ("today", &["alertname=VitalsignCheckFailing", "severity=warning", "healthcheck_name=db"]),
        ("today", &["alertname=SomethingElse"]),
        ("log", &["alertname=VitalsignVersionSkew", "severity=info"]),
        ("dead-mans-switch", &["alertname=VitalsignWatchdog", "severity=none"]),
        ("nobody", &["alertname=VitalsignInfoInhibitor", "severity=none"]),
    ] {
        let verify = format!("--verify.receivers={receiver}");
        amtool(&[&["config", "routes", "test", "--config.file", CONFIG, &verify][..], labels].concat());
    }
    // Every alert that there is reaches somebody, or nobody on purpose.
    for rule in rules::alerts() {
        let receiver = match (rule.name.as_str(), rule.severity()) {
            ("VitalsignWatchdog", _) => "dead-mans-switch",
            ("VitalsignInfoInhibitor", _) => "nobody",
            (_, "critical") => "pager",
            (_, "warning") => "today",
            _ => "log",
        };
        let labels = [format!("alertname={}", rule.name), format!("severity={}", rule.severity())];
        let verify = format!("--verify.receivers={receiver}");
        amtool(&["config", "routes", "test", "--config.file", CONFIG, &verify, &labels[0], &labels[1]]);
    }
}

#[track_caller]
fn amtool(arguments: &[&str]) {
    let done = Command::new("amtool")
        .args(arguments)
        .current_dir(rules::folder())
        .output()
        .expect("amtool is not installed: run tests/run, or apt-get install prometheus-alertmanager");
    let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    assert!(done.status.success(), "amtool {arguments:?}:\n{said}");
}

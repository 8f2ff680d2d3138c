//! The rules pass promtool, and so do their tests; every alert is tested for when it fires and for when it does not.

use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
};

use promql_parser::util::parse_duration;
use serde_json::Value;

use super::{
    rules::{self, list, text},
    yaml,
};

/// How long before it fires an alert is looked at and silent, at most.
const ONE_STEP_SECONDS: u64 = 60;

/// Beginnings of the names of groups of tests in which nothing is wrong.
const QUIET: [&str; 3] = ["healthy", "a restart", "no data"];

/// What is tested of one alert.
#[derive(Debug, Default)]
struct Tested {
    cases: usize,
    fires: bool,
    /// It is silent shortly before, in the same group.
    step_before: bool,
    /// It is silent again later, in the same group.
    ends: bool,
    quiet: Vec<&'static str>,
}

#[test]
fn promtool_accepts_the_rules() {
    for file in rules::rule_files() {
        promtool(&["check", "rules", "--lint=all", "--lint-fatal", &file]).finish();
    }
}

#[test]
fn the_tests_of_the_rules_pass() {
    // All at once: each takes seconds.
    let running: Vec<_> = rules::test_files().iter().map(|file| promtool(&["test", "rules", file])).collect();
    running.into_iter().for_each(Running::finish);
}

#[test]
fn every_file_of_rules_has_tests_and_only_they() {
    let tests: Vec<String> = rules::files(|name| name.ends_with("_test.yml"));
    let mut expected: Vec<String> =
        rules::rule_files().iter().map(|name| name.replace(".yml", "_test.yml")).collect();
    expected.sort();
    assert_eq!(tests, expected);
}

#[test]
fn every_alert_is_tested_for_firing_and_for_silence() {
    let mut tested: BTreeMap<(String, String, String), Tested> = BTreeMap::new();
    let mut silent: BTreeMap<String, (usize, Vec<&'static str>)> = BTreeMap::new();
    for file in rules::test_files() {
        let document = yaml::parse(&file, &rules::read(&file));
        for group in list(&document["tests"]) {
            let name = text(&group["name"]);
            let cases = group.get("alert_rule_test").map(list).unwrap_or_default();
            for case in cases {
                let alert = text(&case["alertname"]);
                let expected = list(&case["exp_alerts"]);
                if expected.is_empty() {
                    let (count, quiet) = silent.entry(alert.to_owned()).or_default();
                    *count += 1;
                    quiet.extend(QUIET.into_iter().filter(|beginning| name.starts_with(beginning)));
                }
                for labels in expected {
                    assert_eq!(
                        labels["exp_annotations"].as_object().map(serde_json::Map::len),
                        Some(4),
                        "{file}: {name}: {alert}"
                    );
                    let one = tested.entry(key(alert, &labels["exp_labels"])).or_default();
                    one.cases += 1;
                    one.fires = true;
                    one.step_before |=
                        cases.iter().any(|before| precedes(before, case, &labels["exp_labels"]));
                    one.ends |= cases.iter().any(|after| is_over(after, case, &labels["exp_labels"]));
                }
            }
        }
    }
    let mut missing = Vec::new();
    for rule in rules::alerts() {
        let window = rule.labels.get("window").cloned().unwrap_or_default();
        let key = (rule.name.clone(), rule.severity().to_owned(), window);
        let mut one = tested.remove(&key).unwrap_or_default();
        if let Some((count, quiet)) = silent.get(&rule.name) {
            one.cases += count;
            one.quiet.extend(quiet);
        }
        // It fires always; an agent that is absent is what no data means.
        let expected: &[&str] = match rule.name.as_str() {
            "VitalsignWatchdog" => &[],
            "VitalsignAgentAbsent" => &["healthy", "a restart"],
            _ => &QUIET,
        };
        let quiet = expected.iter().all(|group| one.quiet.contains(group));
        let ends = one.ends || rule.keeps == 0;
        let enough = one.cases >= 3 && one.fires && quiet && ends && (one.step_before || expected.is_empty());
        if !enough {
            missing.push(format!("{}: {one:?}", rule.place()));
        }
    }
    assert!(missing.is_empty(), "not tested well enough:\n{}", missing.join("\n"));
    assert!(tested.is_empty(), "tests of alerts that are none: {tested:#?}");
}

fn key(alert: &str, labels: &Value) -> (String, String, String) {
    let get = |name: &str| labels.get(name).map(|value| text(value).to_owned()).unwrap_or_default();
    (alert.to_owned(), get("severity"), get("window"))
}

/// Whether `before` looks at the same alert a step earlier, and there is none with these labels.
fn precedes(before: &Value, case: &Value, labels: &Value) -> bool {
    let gap = seconds(case).checked_sub(seconds(before)).filter(|gap| *gap > 0);
    // Of burn rates over days a minute more or less says nothing.
    let step = if labels.get("window").is_some() { 5 * ONE_STEP_SECONDS } else { ONE_STEP_SECONDS };
    is_silent(before, case, labels) && gap.is_some_and(|gap| gap <= step)
}

/// Whether `after` looks at the same alert later, and there is none with these labels any more.
fn is_over(after: &Value, case: &Value, labels: &Value) -> bool {
    is_silent(after, case, labels) && seconds(after) > seconds(case)
}

fn is_silent(other: &Value, case: &Value, labels: &Value) -> bool {
    other["alertname"] == case["alertname"]
        && list(&other["exp_alerts"]).iter().all(|alert| alert["exp_labels"] != *labels)
}

fn seconds(case: &Value) -> u64 {
    parse_duration(text(&case["eval_time"])).expect("a time").as_secs()
}

/// A run of promtool.
struct Running(std::process::Child, String);

fn promtool(arguments: &[&str]) -> Running {
    let child = Command::new("promtool")
        .args(arguments)
        .current_dir(rules::folder())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is not installed: run tests/run, or apt-get install prometheus");
    Running(child, arguments.join(" "))
}

impl Running {
    #[track_caller]
    fn finish(self) {
        let done = self.0.wait_with_output().expect("promtool ends");
        let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        assert!(done.status.success(), "promtool {}:\n{said}", self.1);
    }
}

//! The mounted files as they are, but for addresses and for how long everything takes. Expressions stay: their windows
//! are the reason for what a test cannot provoke.

use promql_parser::util::parse_duration;
use serde_json::Value;

use crate::{
    alerts::{rules, yaml},
    harness::{scratch::Scratch, user::User},
};

/// How many times shorter the waits of the rules are.
const FASTER: u32 = 120;
/// What may differ in a copy of the rules.
const SHORTENED: &[&str] = &["for", "keep_firing_for", "interval"];

/// Text with these parts replaced, each of which must be there.
#[track_caller]
pub(super) fn replaced(name: &str, text: &str, instead: &[(&str, &str)]) -> String {
    instead.iter().fold(text.to_owned(), |text, (there, here)| {
        assert!(text.contains(there), "{name}: no {there}");
        text.replace(there, here)
    })
}

/// A file of the demonstration.
#[track_caller]
pub(super) fn mounted(path: &str) -> String {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A folder with a fast copy of each rule file.
pub(super) fn rules_folder() -> Scratch {
    let folder = Scratch::new("rules", User::oneself());
    for file in rules::rule_files() {
        let original = rules::read(&file);
        let copy: String = original.lines().map(|line| faster(line) + "\n").collect();
        let (was, is) = (yaml::parse(&file, &original), yaml::parse(&file, &copy));
        assert_eq!(without_waits(was), without_waits(is), "alerts/{file}: more than the waits was changed");
        folder.write(&file, &copy, User::oneself());
    }
    folder
}

/// A line of a rule file, faster where it says how long to wait.
fn faster(line: &str) -> String {
    let Some((key, value)) = line.split_once(": ") else { return line.to_owned() };
    if !SHORTENED.contains(&key.trim()) {
        return line.to_owned();
    }
    let waits = parse_duration(value).expect("a duration") / FASTER;
    format!("{key}: {}ms", waits.as_millis())
}

/// A document without the waits.
fn without_waits(document: Value) -> Value {
    match document {
        Value::Object(entries) => {
            let kept = entries.into_iter().filter(|(key, _)| !SHORTENED.contains(&key.as_str()));
            Value::Object(kept.map(|(key, value)| (key, without_waits(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_waits).collect()),
        scalar => scalar,
    }
}

/// The example for Alertmanager with receivers at `webhook`. What is grouped or repeated comes sooner, and what is for
/// information comes at any time of the day.
pub(super) fn alertmanager(webhook: &str) -> String {
    replaced(
        "alertmanager.example.yml",
        &rules::read("alertmanager.example.yml"),
        &[
            ("localhost:9095", webhook),
            ("group_wait: 30s", "group_wait: 4s"),
            ("group_interval: 5m", "group_interval: 2s"),
            ("group_interval: 1m", "group_interval: 2s"),
            ("mute_time_intervals: [outside-working-hours]", "mute_time_intervals: []"),
        ],
    )
}

/// Prometheus of the demonstration with these targets, and one more that is far away.
pub(super) fn prometheus(rules: &Scratch, alertmanager: &str, targets: &[String], far: &str) -> String {
    let far = format!(
        "scrape_configs:\n  - {{ job_name: far, scrape_interval: 10s, scrape_timeout: 10s, static_configs: [{{ targets: \
         [{far}] }}] }}"
    );
    replaced(
        "prometheus.yml",
        &mounted("deploy/prometheus/prometheus.yml"),
        &[
            ("15s", "1s"),
            ("/etc/prometheus/alerts", &rules.path().display().to_string()),
            ("alertmanager:9093", alertmanager),
            ("agent:10464", &targets.join("\", \"")),
            ("scrape_configs:", &far),
        ],
    )
}

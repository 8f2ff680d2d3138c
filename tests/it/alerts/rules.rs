//! The rule files, read: which rules there are, in which file.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use promql_parser::util::parse_duration;
use serde_json::Value;

use super::yaml;

/// The folder that they are in.
pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts")
}

/// A rule.
#[derive(Debug)]
pub(super) struct Rule {
    /// The file that it stands in.
    pub(super) file: String,
    /// The name of the alert, or of the series that it records.
    pub(super) name: String,
    pub(super) is_alert: bool,
    pub(super) expr: String,
    /// In seconds.
    pub(super) waits: u64,
    /// In seconds.
    pub(super) keeps: u64,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
}

impl Rule {
    /// Where it stands, for people.
    pub(super) fn place(&self) -> String {
        let severity = self.labels.get("severity").map(String::as_str).unwrap_or_default();
        format!("alerts/{}: {} {severity}", self.file, self.name)
    }

    pub(super) fn severity(&self) -> &str {
        self.labels.get("severity").map(String::as_str).unwrap_or_default()
    }
}

/// The names of the files in the folder that satisfy `wanted`, sorted.
pub(super) fn files(wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let entries = std::fs::read_dir(folder()).expect("the folder of rules");
    let names =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a plain name"));
    let mut names: Vec<String> = names.filter(|name| wanted(name)).collect();
    names.sort();
    names
}

/// The files with rules. Those of the compatibility names come last, they are never loaded with the originals.
pub(super) fn rule_files() -> Vec<String> {
    let mut names =
        files(|name| name.ends_with(".yml") && !is_test(name) && !name.starts_with("alertmanager"));
    names.sort_by_key(|name| is_compatibility(name));
    assert!(names.len() >= 7, "found only {names:?}");
    names
}

/// The files with tests of rules.
pub(super) fn test_files() -> Vec<String> {
    files(is_test)
}

fn is_test(name: &str) -> bool {
    name.ends_with("_test.yml")
}

pub(super) fn is_compatibility(name: &str) -> bool {
    name.starts_with("compatibility")
}

pub(super) fn read(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap_or_else(|error| panic!("alerts/{name}: {error}"))
}

/// Every rule, in the order in which they stand.
pub(super) fn all() -> Vec<Rule> {
    let mut rules = Vec::new();
    for file in rule_files() {
        let document = yaml::parse(&file, &read(&file));
        for group in list(&document["groups"]) {
            let name = text(&group["name"]);
            assert!(
                name.starts_with("vitalsign-"),
                "alerts/{file}: the group {name} is not called vitalsign-…"
            );
            assert!(group.get("labels").is_none(), "alerts/{file}: labels of a group need Prometheus 3");
            rules.extend(list(&group["rules"]).iter().map(|rule| one(&file, rule)));
        }
    }
    rules
}

/// Every alert.
pub(super) fn alerts() -> Vec<Rule> {
    all().into_iter().filter(|rule| rule.is_alert).collect()
}

fn one(file: &str, rule: &Value) -> Rule {
    let seconds = |key: &str| {
        rule.get(key).map_or(0, |value| parse_duration(text(value)).expect("a duration").as_secs())
    };
    let pairs = |key: &str| {
        let pairs = rule.get(key).and_then(Value::as_object).into_iter().flatten();
        pairs.map(|(key, value)| (key.clone(), text(value).to_owned())).collect()
    };
    let name = rule.get("alert").or_else(|| rule.get("record")).expect("an alert or a record");
    Rule {
        file: file.to_owned(),
        name: text(name).to_owned(),
        is_alert: rule.get("alert").is_some(),
        expr: text(&rule["expr"]).to_owned(),
        waits: seconds("for"),
        keeps: seconds("keep_firing_for"),
        labels: pairs("labels"),
        annotations: pairs("annotations"),
    }
}

#[track_caller]
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).expect("a list")
}

#[track_caller]
pub(super) fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

//! What reached the receivers, held against the rules: the labels that a rule gives, the annotations that it makes of
//! them.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::Value;

use super::SOON;
use crate::{
    alerts::rules::{self, Rule},
    harness::{eventually::eventually, recorder::Recorder},
};

/// Name, severity and window of a rule or of an alert: no two rules have the same.
fn key<'a>(label: impl Fn(&str) -> Option<&'a str>) -> String {
    ["alertname", "severity", "window"].into_iter().filter_map(label).collect::<Vec<_>>().join(" ")
}

/// The key of a rule.
pub(super) fn key_of(rule: &Rule) -> String {
    key(|name| if name == "alertname" { Some(&rule.name) } else { rule.labels.get(name).map(String::as_str) })
}

/// An alert of a notification.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    receiver: String,
    firing: bool,
    alert: Value,
}

impl Heard {
    pub(super) fn key(&self) -> String {
        key(|name| self.label(name))
    }

    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.alert["labels"][name].as_str()
    }

    fn is(&self, alert: &str, with: &[(&str, &str)]) -> bool {
        self.key() == alert && with.iter().all(|(name, value)| self.label(name) == Some(value))
    }
}

/// The receivers of Alertmanager.
pub(super) struct Receivers(Recorder);

impl Receivers {
    pub(super) fn start() -> Self {
        Self(Recorder::start())
    }

    /// Where they are.
    pub(super) fn address(&self) -> String {
        self.0.addr().to_string()
    }

    /// Everything that was heard so far, in order.
    pub(super) fn all(&self) -> Vec<Heard> {
        let mut all = Vec::new();
        for request in self.0.requests() {
            let message: Value = serde_json::from_slice(&request.body).expect("a message of Alertmanager");
            for alert in message["alerts"].as_array().expect("alerts") {
                let firing = alert["status"] == "firing";
                let receiver = request.path.trim_start_matches('/').to_owned();
                all.push(Heard { receiver, firing, alert: alert.clone() });
            }
        }
        all
    }

    /// Waits until this receiver has heard of the alert with these labels.
    #[track_caller]
    pub(super) fn hear(&self, receiver: &str, alert: &str, with: &[(&str, &str)]) {
        eventually(&format!("{alert} {with:?} at {receiver}"), SOON, || {
            let all = self.all();
            let found = all.iter().any(|one| one.firing && one.receiver == receiver && one.is(alert, with));
            if found { Ok(()) } else { Err(told(&all)) }
        });
    }

    /// Waits until the last that was heard of the alert is that it is over.
    #[track_caller]
    pub(super) fn hear_the_end(&self, alert: &str, with: &[(&str, &str)]) {
        eventually(&format!("the end of {alert} {with:?}"), SOON, || {
            let all = self.all();
            let last = all.iter().rfind(|one| one.is(alert, with));
            if last.is_some_and(|last| !last.firing) { Ok(()) } else { Err(told(&all)) }
        });
    }

    /// The alerts that were heard of, and those of them whose end was.
    pub(super) fn summary(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let (fired, ended): (Vec<Heard>, Vec<Heard>) = self.all().into_iter().partition(|one| one.firing);
        let keys = |list: Vec<Heard>| list.iter().map(Heard::key).collect();
        (keys(fired), keys(ended))
    }

    /// Fails the test where what was heard is not what its rule says.
    #[track_caller]
    pub(super) fn all_are_as_their_rules_say(&self) {
        let rules = rules::alerts();
        for one in self.all() {
            is_as_its_rule_says(&rules, &one.alert);
        }
    }
}

/// All that was heard, a line each.
fn told(all: &[Heard]) -> String {
    let lines: BTreeSet<String> = all
        .iter()
        .map(|one| {
            let state = if one.firing { "firing" } else { "resolved" };
            let of = ["instance", "healthcheck_name"].map(|name| one.label(name).unwrap_or("-").to_owned());
            format!("{} {state} at {}: {}", one.key(), one.receiver, of.join(" "))
        })
        .collect();
    lines.into_iter().collect::<Vec<_>>().join("\n")
}

/// Fails the test unless `alert` has the labels and annotations of its rule, filled in.
#[track_caller]
pub(super) fn is_as_its_rule_says(rules: &[Rule], alert: &Value) {
    let labels = alert["labels"].as_object().expect("labels");
    let its = key(|name| labels.get(name)?.as_str());
    let rule = rules.iter().find(|rule| key_of(rule) == its).unwrap_or_else(|| panic!("no rule for {its}"));
    for (name, value) in &rule.labels {
        assert_eq!(labels[name], **value, "{its}: {name}");
    }
    let annotations = alert["annotations"].as_object().expect("annotations");
    assert!(annotations.keys().eq(rule.annotations.keys()), "{its}: {annotations:?}");
    for (name, template) in &rule.annotations {
        let text = annotations[name].as_str().expect("a text");
        for wrong in ["{{", "}}", "<no value>", "<error", "  "] {
            assert!(!text.contains(wrong), "{its}: {name}: {text}");
        }
        let expected =
            filled(template, |label| labels.get(label).and_then(Value::as_str).unwrap_or_default());
        assert!(expected.is_match(text), "{its}: {name}:\n{text}\nis not as\n{expected}");
    }
}

/// What becomes of a template: labels are known, numbers and what is asked of Prometheus are some text.
fn filled<'a>(template: &str, label: impl Fn(&str) -> &'a str) -> Regex {
    let part = Regex::new(
        r"(?s)\{\{ (?:range|with) .*?\{\{ end \}\}|\{\{ \$labels\.(\w+)( \| urlquery)? \}\}|\{\{ \$value.*?\}\}",
    )
    .unwrap();
    let (mut pattern, mut done) = ("(?s)^".to_owned(), 0);
    for found in part.captures_iter(template) {
        let whole = found.get(0).unwrap();
        pattern.push_str(&regex::escape(&template[done..whole.start()]));
        match (found.get(1), found.get(2)) {
            (Some(name), None) => pattern.push_str(&regex::escape(label(name.as_str()))),
            (Some(name), Some(_)) => {
                let value: String =
                    url::form_urlencoded::byte_serialize(label(name.as_str()).as_bytes()).collect();
                pattern.push_str(&regex::escape(&value));
            }
            _ => pattern.push_str(".+"),
        }
        done = whole.end();
    }
    pattern.push_str(&regex::escape(template[done..].trim_end()));
    Regex::new(&(pattern + r"\s*$")).unwrap()
}

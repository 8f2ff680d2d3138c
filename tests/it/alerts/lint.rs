//! What an alert must have and must not do: names, severities, texts, links, time to wait; the useful rules of pint.

use std::collections::BTreeSet;

use promql_parser::parser::Expr;
use regex::Regex;

use super::{
    expressions::{checked, visit},
    rules::{self, Rule},
};
use crate::promql::Report;

/// Where runbooks are, and where Grafana is; `vitalsign assets export` puts others in their place.
const RUNBOOKS: &str = "https://github.com/vitalsign/vitalsign/blob/main/alerts/runbooks/";
const GRAFANA: &str = "http://localhost:3000/d/";
const DASHBOARDS: [&str; 5] =
    ["vitalsign-overview", "vitalsign-check", "vitalsign-host", "vitalsign-service", "vitalsign-agent"];

/// Alerts that are there for Alertmanager, not for people.
const MACHINERY: [&str; 2] = ["VitalsignWatchdog", "VitalsignInfoInhibitor"];
/// Alerts about what goes back and forth.
const OSCILLATING: [&str; 3] = ["VitalsignCheckFailing", "VitalsignCircuitOpen", "VitalsignServiceNotReady"];

/// Runs `lint` over every alert; fails with everything that it finds.
#[track_caller]
fn refuse(lint: impl Fn(&Rule, &Report, &mut dyn FnMut(&str))) {
    let mut found = Vec::new();
    for (rule, report) in checked().0.iter().filter(|(rule, _)| rule.is_alert) {
        lint(rule, report, &mut |what| found.push(format!("{}: {what}", rule.place())));
    }
    assert!(found.is_empty(), "{} problems:\n{}", found.len(), found.join("\n"));
}

#[test]
fn names_and_severities() {
    let name = Regex::new("^Vitalsign([A-Z][a-z]+)+$").unwrap();
    let mut seen = BTreeSet::new();
    for rule in rules::alerts() {
        assert!(name.is_match(&rule.name), "{}: name it Vitalsign and what is the matter", rule.place());
        let machinery = MACHINERY.contains(&rule.name.as_str());
        let known = if machinery { &["none"][..] } else { &["critical", "warning", "info"] };
        assert!(known.contains(&rule.severity()), "{}: the severity is one of {known:?}", rule.place());
        let window = rule.labels.get("window").cloned();
        let fresh = seen.insert((rule.name.clone(), rule.severity().to_owned(), window));
        assert!(fresh, "{}: is there twice with the same labels", rule.place());
        for (label, value) in &rule.labels {
            assert!(["severity", "window"].contains(&label.as_str()), "{}: the label {label}?", rule.place());
            assert!(!value.contains("{{"), "{}: a label that changes makes another alert", rule.place());
        }
    }
}

#[test]
fn records_are_named_by_level_metric_and_operations() {
    let name = Regex::new("^[a-z_]+:[a-z0-9_]+:[a-z0-9_]+$").unwrap();
    for (rule, _) in checked().0.iter().filter(|(rule, _)| !rule.is_alert) {
        if rules::is_compatibility(&rule.file) {
            let theirs = ["node_", "probe_"].iter().any(|prefix| rule.name.starts_with(prefix));
            assert!(theirs, "{}: is no name of theirs", rule.place());
        } else {
            assert!(name.is_match(&rule.name), "{}: name it level:metric:operations", rule.place());
        }
    }
    let compatibility = rules::read("compatibility.yml");
    assert!(compatibility.starts_with("# NEVER TOGETHER WITH THE ORIGINALS"));
}

#[test]
fn every_alert_has_texts_a_runbook_and_a_dashboard() {
    let dashboard = Regex::new(&format!("^{GRAFANA}({})(\\?|$)", DASHBOARDS.join("|"))).unwrap();
    let label = Regex::new(r"\$labels\.(\w+)").unwrap();
    refuse(|rule, report, found| {
        let keys: Vec<&str> = rule.annotations.keys().map(String::as_str).collect();
        if keys != ["dashboard_url", "description", "runbook_url", "summary"] {
            return found(&format!("has the annotations {keys:?}"));
        }
        let get = |key: &str| rule.annotations[key].as_str();
        if get("runbook_url") != format!("{RUNBOOKS}{}.md", rule.name) {
            found("the runbook is not its own");
        }
        if !dashboard.is_match(get("dashboard_url")) {
            found("the dashboard is none of ours");
        }
        for key in ["summary", "description"] {
            if get(key).len() < 20 || !get(key).ends_with('.') || get(key).contains('\n') {
                found(&format!("{key} is one line of whole sentences"));
            }
        }
        let given = report.labels.clone().unwrap_or_default();
        for (key, text) in &rule.annotations {
            for used in label.captures_iter(text) {
                if !given.contains(&used[1]) {
                    found(&format!("{key} has {}, and the alert has only {given:?}", &used[0]));
                }
            }
        }
        for name in ["job", "instance"] {
            let shown = get("description").contains(&format!("$labels.{name}"));
            if given.contains(name) && !shown && !MACHINERY.contains(&rule.name.as_str()) {
                found(&format!("the description does not say which {name}"));
            }
        }
        if get("dashboard_url").contains("vitalsign-check?") && !get("dashboard_url").contains("&var-check=")
        {
            found("the link does not lead to the very check");
        }
    });
}

#[test]
fn conditions_are_sound() {
    refuse(|rule, report, found| {
        let expr = report.expr.as_ref().expect("an expression");
        let machinery = MACHINERY.contains(&rule.name.as_str());
        let (mut condition, mut absent, mut counts, mut moves) = (false, false, false, false);
        visit(expr, &mut |part| match part {
            Expr::Binary(binary) => {
                condition |= binary.op.is_comparison_operator() || binary.op.to_string() == "unless";
            }
            Expr::Call(call) => {
                absent |= call.func.name == "absent";
                counts |= matches!(call.func.name, "increase" | "resets");
            }
            Expr::Aggregate(aggregate) => {
                moves |= matches!(aggregate.op.to_string().as_str(), "topk" | "bottomk" | "count_values");
            }
            _ => {}
        });
        if !condition && !absent && rule.name != "VitalsignWatchdog" {
            found("has no condition: it fires whenever there is data");
        }
        if moves {
            found("has labels that change from one evaluation to the next");
        }
        if report.series.iter().all(|series| series == "up") && !report.series.is_empty() {
            found("up alone: what is pushed has none");
        }
        let labels = report.labels.clone().unwrap_or_default();
        if !absent && rule.name != "VitalsignWatchdog" && !labels.contains("job") {
            found("does not say of which job");
        }
        for forks in ["version", "revision", "healthcheck_state", "server_address", "le"] {
            if labels.contains(forks) {
                found(&format!("the label {forks} makes it another alert when it changes"));
            }
        }
        if rule.waits == 0 && !machinery && (!counts || rule.keeps == 0) {
            found("fires at once: give it `for`, or count over a window and keep it firing for a while");
        }
        if absent && rule.waits < 300 {
            found("what is absent may come back: wait for 5 minutes");
        }
        if OSCILLATING.contains(&rule.name.as_str()) && rule.keeps == 0 {
            found("comes and goes: give it `keep_firing_for`");
        }
    });
}

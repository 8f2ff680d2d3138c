//! That the checker of expressions finds what it is for, and that its list of label values is that of a real page.

use std::collections::BTreeSet;

use crate::harness::agent::Agent;

use super::{Catalogue, check, values};

fn problems(expression: &str) -> String {
    check(&Catalogue::ours(), expression, "here").problems.join("\n")
}

#[track_caller]
fn good(expression: &str, labels: &[&str]) {
    let report = check(&Catalogue::ours(), expression, "here");
    assert_eq!(report.problems, Vec::<String>::new(), "{expression}");
    let expected: BTreeSet<String> = labels.iter().map(|label| (*label).to_owned()).collect();
    assert_eq!(report.labels, Some(expected), "{expression}");
}

#[track_caller]
fn bad(expression: &str, says: &str) {
    let found = problems(expression);
    assert!(
        found.contains(says) && found.starts_with("here: "),
        "{expression}: {found:?} does not say {says:?}"
    );
}

#[test]
fn sound_expressions_pass_and_have_the_labels_that_prometheus_gives_them() {
    good(
        "max by (job, instance, healthcheck_name) (healthcheck_up) == 0",
        &["job", "instance", "healthcheck_name"],
    );
    good(
        "sum by (job) (rate(healthcheck_failures_total{error_type!~\"timeout|dns\"}[5m])) / sum by (job) (rate(healthcheck_runs_total[5m]))",
        &["job"],
    );
    good(
        "histogram_quantile(0.95, sum by (job, le) (rate(healthcheck_duration_seconds_bucket[5m]))) > on (job) group_left () \
         max by (job) (healthcheck_timeout_seconds)",
        &["job"],
    );
    good(
        "max by (job, healthcheck_name) (healthcheck_up) * on (job, healthcheck_name) group_left (healthcheck_criticality) \
         max by (job, healthcheck_name, healthcheck_criticality) (healthcheck_info)",
        &["job", "healthcheck_name", "healthcheck_criticality"],
    );
    good("absent(vitalsign_build_info{job=\"a\"})", &["job"]);
    good("sum(ALERTS{alertstate=\"firing\", alertname=~\"Vitalsign.*\"}) or vector(0)", &[]);
    good("max by (job) (label_replace(up, \"host\", \"$1\", \"instance\", \"(.*):.*\"))", &["job"]);
    good(
        "max by (job) (max by (job) (healthcheck_up) or max by (job, instance) (system_uptime_seconds))",
        &["job"],
    );
    good("sum by (le) (rate(healthcheck_duration_seconds_bucket{le=~\"1(\\\\.0)?\"}[5m]))", &["le"]);
    good("max by (job) (resets(process_uptime_seconds[1h])) > 3", &["job"]);
    good("count by (job) (healthcheck_runs_total) unless on (job) healthcheck_failures_total", &["job"]);
}

#[test]
fn what_does_not_exist_is_found() {
    bad("healthcheck_upp == 0", "nearest name is healthcheck_up");
    bad("healthcheck_duration_seconds > 1", "there is no series healthcheck_duration_seconds;");
    bad("healthcheck_up{name=\"a\"} == 0", "has no label name");
    bad("healthcheck_status{healthcheck_state=\"sick\"} == 1", "never \"sick\"");
    bad("healthcheck_status{healthcheck_state=~\"unhealthy|sick\"} == 1", "never \"sick\"");
    bad("rate(healthcheck_failures_total{error_type=\"slow\"}[5m])", "never \"slow\"");
    bad("healthcheck_group_up{healthcheck_group=\"mine\"} == 0", "never \"mine\"");
    bad("sum by (name) (healthcheck_up)", "sum by (name): there is none");
    bad("{job=\"a\"}", "name the metric");
    bad("sum by (job (up)", "cannot be parsed");
}

#[test]
fn functions_must_fit_the_type() {
    bad("rate(healthcheck_up[5m])", "is a gauge");
    bad("deriv(healthcheck_runs_total[5m])", "is a counter");
    bad("avg_over_time(healthcheck_runs_total[5m])", "is a counter");
    bad("healthcheck_runs_total > 5", "use rate or increase");
    bad("sum by (job) (healthcheck_runs_total) > 5", "use rate or increase");
    bad("rate(healthcheck_runs_total[30s])", "too short a range");
    bad("increase(max by (job) (healthcheck_runs_total)[5m:1m])", "of a subquery");
    bad(
        "histogram_quantile(0.9, sum by (job) (rate(healthcheck_duration_seconds_bucket[5m])))",
        "needs the label le",
    );
    bad("histogram_quantile(90, sum by (le) (rate(healthcheck_duration_seconds_bucket[5m])))", "no quantile");
    bad("rate(healthcheck_duration_seconds_bucket{le=\"1\"}[5m])", "spelt alike");
    bad("rate(healthcheck_duration_seconds_bucket{le=\"0.3\"}[5m])", "spelt alike");
    bad("system_cpu_utilization_ratio > 0.9", "translators disagree");
}

#[test]
fn labels_must_meet() {
    bad("sum without (healthcheck_name) (healthcheck_up)", "without (…)");
    bad("healthcheck_up * healthcheck_interval_seconds", "without on (…)");
    bad("healthcheck_up * ignoring (healthcheck_kind) healthcheck_interval_seconds", "use on (…)");
    bad("max by (job) (up) * on (instance) up", "left side has none");
    bad("up * on (job) group_left (version) max by (job) (healthcheck_up)", "one side has no version");
    bad("sum by (job) (healthcheck_up) / sum by (instance) (healthcheck_up)", "without on (…)");
}

#[test]
fn the_values_of_labels_are_those_of_a_real_page() {
    let page = Agent::start(
        "checks: { memory: { kind: memory, thresholds: { usage_ratio: { warn: 99.9%, fail: 100%, lasting: 1h } } } }",
    )
    .scrape();
    let mut seen = BTreeSet::new();
    for sample in page.samples() {
        for (label, value) in &sample.labels {
            if let Some(known) = values::of(&sample.name, label) {
                assert!(known.contains(value), "{}: {label}={value:?} is not among {known:?}", sample.name);
                seen.insert((label.as_str(), value.as_str()));
            }
        }
    }
    for (label, words) in values::WORDS {
        let missing: Vec<_> = words.iter().filter(|word| !seen.contains(&(*label, **word))).collect();
        let listed = ELSEWHERE.iter().any(|(elsewhere, _)| elsewhere == label);
        assert!(missing.is_empty() || listed, "{label}: not on the page: {missing:?}");
    }
}

/// Labels of which that page does not have every value, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    ("alertstate", "of Prometheus"),
    ("cgroup_memory_event", "needs a container with a memory limit"),
    ("db_client_connection_state", "a library's pool"),
    ("psi_resource", "a kernel may be built without irq accounting"),
    ("psi_stall_type", "a kernel may have no pressure files"),
    ("severity", "of rules"),
    ("system_filesystem_mode", "a machine may have no file system that is mounted read-only"),
    ("taskgroup_outcome", "a library's work"),
    ("url_scheme", "no https here"),
];

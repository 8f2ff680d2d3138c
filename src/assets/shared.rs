//! What several dashboards say in the same way: states and their colours, availability, links between dashboards.

use serde_json::{Value, json};

use crate::model::State;

use super::panel::mapping;

/// Adds up what the series of one check on one instance say.
pub(super) const BY_CHECK: &str = "job, instance, healthcheck_name";

/// The state of each check as a number, the worse the larger, in the order of [`State::ALL`].
pub(super) fn states() -> String {
    numbered("healthcheck.status", BY_CHECK)
}

/// The state of each group as a number.
pub(super) fn group_states(group: &str) -> String {
    numbered("healthcheck.group.status", "job, instance")
        .replace("{healthcheck_state", &format!(r#"{{healthcheck_group="{group}",healthcheck_state"#))
}

fn numbered(metric: &str, by: &str) -> String {
    let states: Vec<String> = State::ALL
        .iter()
        .enumerate()
        .map(|(number, state)| format!(r#"<{metric}{{healthcheck_state="{state}"}}> * {number}"#))
        .collect();
    format!("max by ({by}) ({})", states.join(" or "))
}

/// Which of the numbers of [`states`] stands for what.
pub(super) const STATE_WORDS: &[(i64, &str, &str)] = &[
    (0, State::Healthy.as_str(), "green"),
    (1, State::Degraded.as_str(), "orange"),
    (2, State::Unhealthy.as_str(), "red"),
    (3, State::Unknown.as_str(), "purple"),
];

/// The state of each circuit breaker as a number.
pub(super) fn breakers() -> String {
    let state = |word: &str, number: u8| {
        format!(
            r#"<healthcheck.circuit_breaker.status{{healthcheck_circuit_breaker_state="{word}"}}> * {number}"#
        )
    };
    format!(
        "max by ({BY_CHECK}) ({} or {} or {})",
        state("closed", 0),
        state("half_open", 1),
        state("open", 2)
    )
}

/// Which of the numbers of [`breakers`] stands for what.
pub(super) const BREAKER_WORDS: &[(i64, &str, &str)] =
    &[(0, "closed", "green"), (1, "half open", "orange"), (2, "open", "red")];

/// 1 is well, 0 is not.
pub(super) fn well(yes: &'static str, no: &'static str) -> [(i64, &'static str, &'static str); 2] {
    [(0, no, "red"), (1, yes, "green")]
}

/// The share of `window` in which each check was up.
pub(super) fn availability(window: &str) -> String {
    format!("avg by ({BY_CHECK}) (avg_over_time(<healthcheck.up>[{window}]))")
}

/// How many times faster than allowed each check used up its error budget in `window`: 1 uses it up exactly.
pub(super) fn burn(window: &str) -> String {
    format!(
        "(1 - {}) / on ({BY_CHECK}) (1 - max by ({BY_CHECK}) (<healthcheck.objective.ratio>))",
        availability(window)
    )
}

/// The share of the error budget of `window` that is left; below 0 it is overdrawn, and twice is as bad as once.
pub(super) fn budget_left(window: &str) -> String {
    format!("clamp_min(1 - {}, -1)", burn(window))
}

/// The share of processor time that was not idle.
pub(super) fn cpu_used(by: &str) -> String {
    format!(
        r#"1 - sum by ({by}) (rate(<system.cpu.time{{cpu_mode=~"idle|iowait"}}>[$__rate_interval])) / sum by ({by}) (rate(<system.cpu.time>[$__rate_interval]))"#
    )
}

/// The share of the memory that programs cannot get any more.
pub(super) fn memory_used() -> &'static str {
    "1 - max by (job, instance) (<system.memory.linux.available>) / max by (job, instance) (<system.memory.limit>)"
}

/// What tells file systems apart.
pub(super) const BY_MOUNT: &str = "job, instance, system_filesystem_mountpoint";

/// What `metric` says of each file system, added up over these states. Also where it was just mounted in another way.
pub(super) fn of_filesystem(metric: &str, states: &str) -> String {
    format!(
        r#"sum by ({BY_MOUNT}) (max by ({BY_MOUNT}, system_filesystem_state) (<{metric}{{system_filesystem_state=~"{states}"}}>))"#
    )
}

/// The share of each file system's space that is used, of what everybody can use, as df counts.
pub(super) fn filesystem_used() -> String {
    let of = |states| of_filesystem("system.filesystem.usage", states);
    format!("{} / {}", of("used"), of("used|free"))
}

/// A quantile of the histogram `metric`, by these labels; nothing where nothing happened.
pub(super) fn quantile(quantile: &str, by: &str, metric: &str) -> String {
    let bucket = part(metric, "bucket");
    format!("histogram_quantile({quantile}, sum by ({by}) (rate({bucket}[$__rate_interval]))) >= 0")
}

/// The buckets of the histogram `metric`, for a heatmap.
pub(super) fn buckets(metric: &str) -> String {
    format!("sum by (le) (increase({}[$__rate_interval]))", part(metric, "bucket"))
}

/// A part of the histogram `metric`, which may have matchers.
pub(super) fn part(metric: &str, part: &str) -> String {
    match metric.split_once('{') {
        Some((name, matchers)) => format!("<{name}:{part}{{{matchers}>"),
        None => format!("<{metric}:{part}>"),
    }
}

/// The way to another dashboard that keeps the time and the data source.
pub(super) fn to(uid: &str, choices: &[(&str, &str)]) -> String {
    let choices: Vec<String> =
        choices.iter().map(|(variable, value)| format!("var-{variable}={value}")).collect();
    format!("/d/{uid}?{}&var-datasource=${{datasource}}&${{__url_time_range}}", choices.join("&"))
}

/// To the page of the check that a row of a table is about.
pub(super) fn check_of_row() -> String {
    to(
        "vitalsign-check",
        &[
            ("check", "${__data.fields.healthcheck_name}"),
            ("job", "${__data.fields.job}"),
            ("instance", "${__data.fields.instance}"),
        ],
    )
}

/// To the page of the check that a series is about.
pub(super) fn check_of_series() -> String {
    to(
        "vitalsign-check",
        &[
            ("check", "${__field.labels.healthcheck_name}"),
            ("job", "${__field.labels.job}"),
            ("instance", "${__field.labels.instance}"),
        ],
    )
}

/// To the dashboard `uid` of the instance that a series is about.
pub(super) fn instance_of_series(uid: &str) -> String {
    to(uid, &[("job", "${__field.labels.job}"), ("instance", "${__field.labels.instance}")])
}

/// The properties of a table's column that leads on to `url`.
pub(super) fn leads(title: &str, url: &str) -> (&'static str, Value) {
    ("links", json!([{"title": title, "url": url, "targetBlank": false}]))
}

/// The properties of a table's column with words for its values.
pub(super) fn says(words: &[(i64, &str, &str)]) -> [(&'static str, Value); 2] {
    [("mappings", json!([mapping(words)])), ("custom.cellOptions", json!({"type": "color-text"}))]
}

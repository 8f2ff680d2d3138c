//! `vitalsign-overview`: is anything wrong, where, since when.

use serde_json::{Value, json};

use super::dashboard::{Dashboard, FIRING, Row};
use super::panel::{Panel, thresholds};
use super::shared::{
    BREAKER_WORDS, BY_CHECK, STATE_WORDS, availability, breakers, budget_left, burn, check_of_row,
    check_of_series, cpu_used, filesystem_used, group_states, instance_of_series, leads, memory_used,
    quantile, says, states,
};

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "vitalsign-overview",
        title: "Vitalsign / Overview",
        question: "Is anything wrong, where, and since when? From here: a check in Needs attention or in History leads to \
                   its own page, an instance in Capacity to its machine.",
        since: "now-6h",
        variables: &[],
        rows: vec![
            Row::open("Right now", right_now()),
            Row::open("History", history()),
            Row::open("Objectives", objectives()),
            Row::open("Capacity", capacity()),
            Row::closed("Alerts", alerts()),
        ],
    }
}

fn right_now() -> Vec<Panel> {
    let by = "job, instance";
    let ready = format!(r#"max by ({by}) (<healthcheck.group.up{{healthcheck_group="ready"}}>)"#);
    let count = |title, description, template: String, colour| {
        Panel::stat(title, description, 4)
            .query(template, "")
            .unit("short")
            .steps(&[(None, "green"), (Some(1.0), colour)])
            .filled()
    };
    let in_state = |words: &str| {
        format!(
            r#"sum(max by ({BY_CHECK}) (<healthcheck.status{{healthcheck_state=~"{words}"}}>) and on ({BY_CHECK}) <healthcheck.info{{healthcheck_criticality!="informational"}}>)"#
        )
    };
    vec![
        Panel::stat(
            "Ready instances",
            "How many instances answer 200 at /health/ready, of how many that report, and how many do not. Good is 0 not \
             ready: such an instance gets no traffic.",
            4,
        )
        .query(format!("sum({ready})"), "ready")
        .query(format!("count({ready})"), "of")
        .query(format!("count({ready}) - sum({ready})"), "not ready")
        .steps_of("not ready", &[(None, "green"), (Some(1.0), "red")])
        .unit("short"),
        count(
            "Failing checks",
            "Checks that are unhealthy, or have no answer that is fresh enough to stand, informational ones left out. \
             Good is 0; Needs attention says which.",
            in_state("unhealthy|unknown"),
            "red",
        ),
        count(
            "Degraded checks",
            "Checks that work, but not as well as they should: slow, or beyond a warning limit. Good is 0.",
            in_state("degraded"),
            "orange",
        ),
        count(
            "Open circuits",
            "Circuit breakers that spare a dependency after repeated failures. Good is 0; the check still counts as \
             failing while its breaker is open.",
            format!(
                r#"sum(max by ({BY_CHECK}) (<healthcheck.circuit_breaker.status{{healthcheck_circuit_breaker_state="open"}}>))"#
            ),
            "orange",
        ),
        count(
            "Firing alerts",
            "Alerts of the bundled rules that fire now, without the watchdog. Good is 0; the row Alerts lists them.",
            format!("count({FIRING}) or vector(0)"),
            "red",
        ),
        count(
            "Silent agents",
            "Instances that reported within the last hour and do not now. Good is 0; a silent agent watches nothing, so \
             all its checks are unknown to you.",
            format!(
                "count(max by ({by}) (last_over_time(<vitalsign.build_info>[1h])) unless max by ({by}) \
                 (<vitalsign.build_info>)) or vector(0)"
            ),
            "red",
        ),
        needs_attention(),
    ]
}

fn needs_attention() -> Panel {
    let bad = format!("and on ({BY_CHECK}) ({} > 0)", states());
    Panel::table(
        "Needs attention",
        "Every check that is not healthy, the worst first, critical ones before others. A click on its name leads to its own page, with the reasons of \
         its failures and its runbook.",
        24,
    )
    .height(8)
    .query(format!("{} > 0", states()), "state")
    .query(
        format!(
            "max by ({BY_CHECK}, healthcheck_kind, healthcheck_criticality) (<healthcheck.info>) {bad}"
        ),
        "what it is",
    )
    .query(format!("max by ({BY_CHECK}) (<healthcheck.consecutive_failures>) {bad}"), "failures in a row")
    .query(
        format!("time() - (max by ({BY_CHECK}) (<healthcheck.last_success.timestamp>) {bad})"),
        "since last success",
    )
    .query(format!("max by ({BY_CHECK}) (<healthcheck.last_run.duration>) {bad}"), "last duration")
    .query(format!("{} {bad}", breakers()), "circuit")
    .merged(&["Value #B"])
    .column("healthcheck_name", "Check", 200, &[leads("Open the check", &check_of_row())])
    .column("Value #A", "State", 110, &says(STATE_WORDS))
    .column("healthcheck_criticality", "Criticality", 120, &[])
    .column("healthcheck_kind", "Kind", 100, &[])
    .column("instance", "Instance", 200, &[])
    .column("job", "Job", 160, &[])
    .column("Value #C", "Failures in a row", 140, &[("unit", json!("short"))])
    .column("Value #D", "Since last success", 150, &[("unit", json!("s")), ("noValue", json!("never"))])
    .column("Value #E", "Last duration", 120, &[("unit", json!("s"))])
    .column("Value #F", "Circuit", 100, &says(BREAKER_WORDS))
    .order(&[("State", true), ("Criticality", false)])
    .when_empty("All checks are healthy")
    .unit("short")
}

fn history() -> Vec<Panel> {
    let legend = "{{healthcheck_name}} · {{instance}}";
    vec![
        Panel::states(
            "Checks",
            "The state of each check over time. Good is one bar of `healthy`; a bar that ends shows an agent that fell \
             silent. A click leads to the page of the check.",
            24,
        )
        .height(10)
        .query(states(), legend)
        .unit("short")
        .words(STATE_WORDS)
        .link("Open the check", &check_of_series())
        .every("15s"),
        Panel::states(
            "Readiness",
            "What /health/ready answered on each instance: `unhealthy` is a 503, and `unknown` counts as one.",
            12,
        )
        .query(group_states("ready"), "{{instance}}")
        .unit("short")
        .words(STATE_WORDS)
        .link("Open the service", &instance_of_series("vitalsign-service")),
        Panel::series(
            "Failed runs by check and reason",
            "Runs that failed in each interval. A few reasons over many checks point to the network or to name \
             resolution; one check with one reason points to its dependency.",
            12,
        )
        .query(
            "sum by (healthcheck_name, error_type) (increase(<healthcheck.failures>[$__rate_interval])) > 0",
            "{{healthcheck_name}} · {{error_type}}",
        )
        .unit("short")
        .decimals(0)
        .stacked_bars()
        .when_empty("No run failed"),
        Panel::series(
            "Duration of runs, p95",
            "The time below which 95 % of the runs of each check stayed. Look for the step that came before a check \
             failed.",
            24,
        )
        .query(quantile("0.95", "le, healthcheck_name", "healthcheck.duration"), "{{healthcheck_name}}")
        .min(0)
        .every("1m"),
    ]
}

fn objectives() -> Vec<Panel> {
    vec![
        Panel::table(
            "Objectives",
            "How each check keeps its objective, set with `objective` in the configuration. Budget left is the share of \
             the downtime allowed in 30 days that is not used up; burn is how many times faster than allowed it goes: \
             above 14.4 over 1 h or 6 over 6 h somebody is paged.",
            16,
        )
        .query(format!("max by ({BY_CHECK}) (<healthcheck.objective.ratio>)"), "objective")
        .query(availability("$__range"), "in the time shown")
        .query(availability("30d"), "in 30 days")
        .query(budget_left("30d"), "budget left")
        .query(burn("1h"), "burn 1 h")
        .query(burn("6h"), "burn 6 h")
        .query(burn("3d"), "burn 3 d")
        .merged(&["job"])
        .column("healthcheck_name", "Check", 150, &[leads("Open the check", &check_of_row())])
        .column("instance", "Instance", 150, &[])
        .column("Value #A", "Objective", 90, &[])
        .column("Value #B", "Time shown", 100, &[])
        .column("Value #C", "30 days", 90, &[])
        .column("Value #D", "Budget left", 100, &left())
        .column("Value #E", "Burn 1 h", 80, &burning(14.4))
        .column("Value #F", "Burn 6 h", 80, &burning(6.0))
        .column("Value #G", "Burn 3 d", 80, &burning(1.0))
        .order(&[("Budget left", false)])
        .unit("percentunit")
        .decimals(2),
        Panel::series(
            "Error budget left, 30 days",
            "The share of each check's budget that is left. A steep fall is an outage, a slope a check that fails again \
             and again. Below 0 the objective of the last 30 days is missed; less than -100 % is not drawn.",
            8,
        )
        .height(9)
        .query(budget_left("30d"), "{{healthcheck_name}} · {{instance}}")
        .unit("percentunit")
        .range(-1, 1)
        .every("30m"),
    ]
}

/// What is left of a budget: nothing is bad.
fn left() -> [(&'static str, Value); 3] {
    let steps = [(None, "red"), (Some(0.0), "orange"), (Some(0.25), "green")];
    [
        ("thresholds", thresholds(&steps)),
        ("custom.cellOptions", json!({"type": "color-text"})),
        ("decimals", json!(0)),
    ]
}

/// How fast a budget burns: from where alerts begin it is bad.
fn burning(alerts: f64) -> [(&'static str, Value); 4] {
    [
        ("thresholds", thresholds(&[(None, "green"), (Some(alerts), "red")])),
        ("custom.cellOptions", json!({"type": "color-text"})),
        ("unit", json!("none")),
        ("decimals", json!(1)),
    ]
}

fn capacity() -> Vec<Panel> {
    let bars = |title, description, template: String, legend| {
        Panel::bars(title, description, 6).query(template, legend).unit("percentunit").range(0, 1).decimals(0)
    };
    let host = instance_of_series("vitalsign-host");
    vec![
        bars(
            "Processors",
            "The share of processor time in use on each machine. High use alone is no trouble: look at the pressure on the \
             machine's page.",
            cpu_used("job, instance"),
            "{{instance}}",
        )
        .link("Open the machine", &host),
        bars(
            "Memory",
            "The share of memory that programs cannot get any more on each machine. Near 100 % the kernel ends processes.",
            memory_used().to_owned(),
            "{{instance}}",
        )
        .link("Open the machine", &host),
        bars(
            "Fullest disk",
            "The use of the fullest file system of each machine. The machine's page says which, and when it will be full.",
            format!("max by (job, instance) ({})", filesystem_used()),
            "{{instance}}",
        )
        .link("Open the machine", &host),
        bars(
            "Tasks against limits",
            "Tasks of each group against its limit, and threads of the machine against the kernel's limit. At 100 % new \
             work waits or is refused.",
            "max by (job, instance, taskgroup_name) (<taskgroup.active>) / max by (job, instance, taskgroup_name) \
             (<taskgroup.limit>)"
                .to_owned(),
            "{{instance}} · {{taskgroup_name}}",
        )
        .query(
            "max by (job, instance) (<vitalsign.host.threads>) / max by (job, instance) (<system.process.limit>)",
            "{{instance}} · threads",
        )
        .link("Open the service", &instance_of_series("vitalsign-service")),
    ]
}

fn alerts() -> Vec<Panel> {
    vec![
        Panel::series(
            "Firing alerts by severity",
            "How many alerts fired: critical wants somebody now, warning today, info sometime.",
            10,
        )
        .query(format!("count by (severity) ({FIRING})"), "{{severity}}")
        .unit("short")
        .decimals(0)
        .stacked_bars()
        .when_empty("No alert fired"),
        Panel::table(
            "Firing alerts",
            "The alerts that fire now, with what they are about. A click on a check leads to its page.",
            14,
        )
        .height(8)
        .query(format!("max by (alertname, severity, job, instance, healthcheck_name) ({FIRING})"), "alerts")
        .merged(&["Value"])
        .column("alertname", "Alert", 240, &[])
        .column("severity", "Severity", 90, &[])
        .column("healthcheck_name", "Check", 160, &[leads("Open the check", &check_of_row())])
        .column("instance", "Instance", 180, &[])
        .column("job", "Job", 120, &[])
        .unit("short")
        .when_empty("No alert fires"),
    ]
}

//! `vitalsign-check`: how one check stands, since when, why, and what it measured.

use super::RUNBOOK_URL;
use super::dashboard::{Dashboard, Row, Variable};
use super::panel::Panel;
use super::shared::{
    BREAKER_WORDS, BY_CHECK, STATE_WORDS, availability, breakers, buckets, budget_left, burn,
    instance_of_series, quantile, states,
};

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "vitalsign-check",
        title: "Vitalsign / Check",
        question: "How does one check stand, since when, why, and what did it measure?",
        since: "now-1h",
        variables: &[
            Variable {
                name: "check",
                label: "Check",
                values: r#"label_values(<healthcheck.info{job=~"$job",instance=~"$instance"}>, healthcheck_name)"#,
                attribute: Some("healthcheck.name"),
                several: true,
            },
            Variable {
                name: "measurement",
                label: "Measurement",
                values: r#"label_values(<healthcheck.measurement{job=~"$job",instance=~"$instance",healthcheck_name=~"$check"}>, healthcheck_measurement)"#,
                attribute: None,
                several: false,
            },
        ],
        rows: vec![
            Row::open("Now", now()),
            Row::open("State", state()),
            Row::open("Duration", duration()),
            Row::open("Measurements", measurements()),
            Row::open("Objective", objective()),
            Row::closed("By kind", by_kind()),
            Row::open("What to do", what_to_do()),
        ],
    }
}

fn now() -> Vec<Panel> {
    let newest = |metric: &str| format!("max by ({BY_CHECK}) (<{metric}>)");
    let ago = |metric: &str| format!("time() - {}", newest(metric));
    let stat = |title, description, width, template: String| {
        Panel::stat(title, description, width).query(template, "{{healthcheck_name}} · {{instance}}")
    };
    vec![
        stat(
            "State",
            "How the check stands on each instance. Good is `healthy`; `unknown` means that no fresh answer is there.",
            6,
            states(),
        )
        .unit("short")
        .words(STATE_WORDS)
        .filled(),
        stat(
            "Circuit",
            "The circuit breaker: `open` spares the dependency after five failures in a row and tries again within a \
             minute or so.",
            6,
            breakers(),
        )
        .unit("short")
        .words(BREAKER_WORDS),
        stat(
            "Failures in a row",
            "Failed runs since the last one that did not fail. It moves before the state does, which follows after \
             `fail_after` of them.",
            6,
            newest("healthcheck.consecutive_failures"),
        )
        .steps(&[(None, "green"), (Some(1.0), "orange")]),
        stat(
            "Availability",
            "The share of the time shown in which the check was healthy or degraded.",
            6,
            availability("$__range"),
        )
        .unit("percentunit")
        .decimals(2),
        stat(
            "Last verdict",
            "How long ago. Good is less than the interval; far more means that the agent is stuck or short of processor \
             time.",
            4,
            ago("healthcheck.last_run.timestamp"),
        )
        .decimals(0),
        stat(
            "Last success",
            "How long ago a run last did not fail: for how long the dependency has been down.",
            4,
            ago("healthcheck.last_success.timestamp"),
        )
        .decimals(0)
        .when_empty("never"),
        stat("Last duration", "How long the last run took; compare it with the time limit.", 4, newest("healthcheck.last_run.duration")),
        stat(
            "Interval",
            "The time from one planned run to the next, as configured.",
            4,
            newest("healthcheck.interval"),
        ),
        stat(
            "Time limit",
            "How long a run may take, as configured. A run that takes longer fails as `timeout`.",
            4,
            newest("healthcheck.timeout"),
        ),
        stat(
            "In flight",
            "1 while a run is going on. 1 all the time means that it hangs.",
            4,
            newest("healthcheck.active_runs"),
        ),
    ]
}

fn state() -> Vec<Panel> {
    let legend = "{{healthcheck_name}} · {{instance}}";
    vec![
        Panel::states(
            "State over time",
            "How the check stood on each instance. If all instances turn at once the dependency is down; if one does, look \
             at that machine or its network.",
            12,
        )
        .height(7)
        .query(states(), legend)
        .unit("short")
        .words(STATE_WORDS)
        .link("Open the machine", &instance_of_series("vitalsign-host"))
        .every("15s"),
        Panel::states(
            "Circuit over time",
            "The circuit breaker on each instance: `half open` is the one run that tries whether the dependency is back.",
            12,
        )
        .height(7)
        .query(breakers(), legend)
        .unit("short")
        .words(BREAKER_WORDS)
        .every("15s"),
        Panel::series(
            "Runs by result",
            "What became of the planned runs in each interval: passed, failed by reason, left out because the one before \
             still ran, or spared by an open circuit breaker. Good is nothing but `ok`.",
            16,
        )
        .query(
            "sum(increase(<healthcheck.runs>[$__rate_interval])) - sum(increase(<healthcheck.failures>[$__rate_interval]))",
            "ok",
        )
        .query("sum by (error_type) (increase(<healthcheck.failures>[$__rate_interval])) > 0", "{{error_type}}")
        .query("sum(increase(<healthcheck.skipped_runs>[$__rate_interval])) > 0", "left out")
        .query("sum(increase(<healthcheck.circuit_breaker.rejections>[$__rate_interval])) > 0", "spared by the circuit")
        .unit("short")
        .min(0)
        .stacked_bars(),
        Panel::series(
            "Changes",
            "How often the state changed, and the circuit breaker opened. Many changes in a short time are flapping: raise \
             `fail_after`, or find what comes and goes.",
            8,
        )
        .query("sum by (instance) (increase(<healthcheck.state_changes>[$__rate_interval]))", "state · {{instance}}")
        .query(
            r#"sum by (instance) (increase(<healthcheck.circuit_breaker.transitions{healthcheck_circuit_breaker_state="open"}>[$__rate_interval]))"#,
            "circuit opened · {{instance}}",
        )
        .unit("short")
        .min(0)
        .stacked_bars(),
        Panel::table(
            "Last failure",
            "Why the check failed last on each instance, also after it has recovered: the reason, the cause within it and \
             the phase of the run. The README lists all causes.",
            24,
        )
        .height(5)
        .query(
            format!(
                "max by ({BY_CHECK}, error_type, healthcheck_cause, healthcheck_phase) (<healthcheck.last_failure.info>)"
            ),
            "failures",
        )
        .merged(&["Value", "job"])
        .column("healthcheck_name", "Check", 160, &[])
        .column("instance", "Instance", 180, &[])
        .column("error_type", "Reason", 160, &[])
        .column("healthcheck_cause", "Cause", 240, &[])
        .column("healthcheck_phase", "Phase", 100, &[])
        .unit("short")
        .when_empty("The check has not failed since the agent started"),
    ]
}

fn duration() -> Vec<Panel> {
    vec![
        Panel::heatmap(
            "Duration of runs",
            "How many runs took how long. Two bands are two ways to answer, such as a fresh and a kept connection.",
            12,
            "s",
        )
        .query(buckets("healthcheck.duration"), "{{le}}")
        .every("1m"),
        Panel::series(
            "Duration, quantiles",
            "How long runs took, and the time limit as a dashed line. p99 near the line means that the next slow answer \
             is a failed run. Quantiles lie between the bounds of buckets, so runs that time out may show a little above \
             it.",
            12,
        )
        .query(quantile("0.5", "le", "healthcheck.duration"), "p50")
        .query(quantile("0.95", "le", "healthcheck.duration"), "p95")
        .query(quantile("0.99", "le", "healthcheck.duration"), "p99")
        .query("min(<healthcheck.timeout>)", "time limit")
        .limits("/^time limit/")
        .min(0)
        .every("1m"),
        Panel::series(
            "Phases of the last run",
            "Where the time went, for kinds that can tell: finding the address, connecting, TLS, authentication, the \
             request, the transfer. The phase that grew is where to look.",
            12,
        )
        .query("avg by (healthcheck_phase) (<healthcheck.phase.duration>)", "{{healthcheck_phase}}")
        .stacked()
        .min(0)
        .when_empty("This kind of check tells no phases"),
        Panel::series(
            "Last duration by instance",
            "How long the last run took on each instance. One slow instance among fast ones has a trouble of its own.",
            12,
        )
        .query(format!("max by ({BY_CHECK}) (<healthcheck.last_run.duration>)"), "{{healthcheck_name}} · {{instance}}")
        .min(0),
    ]
}

fn measurements() -> Vec<Panel> {
    vec![
        Panel::series(
            "$measurement against its limits",
            "The number chosen under Measurement, with its limits as dashed lines: `warn` degrades the check, `fail` fails \
             it. In the unit in which the check measures it.",
            12,
        )
        .query(
            format!(r#"max by ({BY_CHECK}) (<healthcheck.measurement{{healthcheck_measurement="$measurement"}}>)"#),
            "{{healthcheck_name}} · {{instance}}",
        )
        .query(
            r#"max by (healthcheck_name, healthcheck_level, healthcheck_bound) (<healthcheck.threshold.limit{healthcheck_measurement="$measurement"}>)"#,
            "limit {{healthcheck_level}} ({{healthcheck_bound}}) · {{healthcheck_name}}",
        )
        .limits("/^limit/")
        .when_empty("This check measures nothing"),
        Panel::series(
            "Nearness to limits",
            "Every measurement that has a limit, as a share of it: 1 and above is a breach. It shows what will go wrong \
             next, whatever its unit.",
            12,
        )
        .query(
            format!("max by ({BY_CHECK}, healthcheck_measurement, healthcheck_level) (<healthcheck.threshold.ratio>)"),
            "{{healthcheck_measurement}} {{healthcheck_level}} · {{instance}}",
        )
        .query("max(<healthcheck.threshold.ratio>) * 0 + 1", "limit")
        .limits("/^limit$/")
        .unit("percentunit")
        .min(0)
        .when_empty("This check has no limits"),
    ]
}

fn objective() -> Vec<Panel> {
    let mut speed = Panel::series(
        "Burn rate",
        "How many times faster than allowed the error budget is used up, over four windows. The dashed lines are where the \
         alerts begin: 14.4 over 1 h and 6 over 6 h page, 3 over 1 day and 1 over 3 days open a ticket.",
        12,
    );
    for window in ["5m", "1h", "6h", "3d"] {
        speed = speed.query(format!("max({})", burn(window)), window);
    }
    for line in ["14.4", "6", "3", "1"] {
        speed = speed.query(format!("vector({line})"), &format!("alerts at {line}"));
    }
    vec![
        speed.limits("/^alerts/").unit("none").min(0).every("5m"),
        Panel::series(
            "Error budget left, 30 days",
            "The share of the downtime that the objective allows in 30 days and that is not used up. Below 0 the objective \
             is missed; less than -100 % is not drawn.",
            8,
        )
        .query(budget_left("30d"), "{{healthcheck_name}} · {{instance}}")
        .unit("percentunit")
        .range(-1, 1)
        .every("30m"),
        Panel::stat(
            "Objective",
            "The share of time in which the check is to be healthy or degraded, set with `objective`.",
            4,
        )
        .height(8)
        .query("max by (healthcheck_name) (<healthcheck.objective.ratio>)", "{{healthcheck_name}}")
        .unit("percentunit"),
    ]
}

fn by_kind() -> Vec<Panel> {
    let queue = "max by (healthcheck_name, messaging_destination_name)";
    let pool = "max by (job, instance, db_client_connection_pool_name)";
    vec![
        Panel::series(
            "Queue: messages",
            "Messages that wait for a consumer, what the last hour would make of them in an hour, and the limits of the \
             check as dashed lines. Above a limit: add consumers, or find why they are slow.",
            12,
        )
        .query(format!("{queue} (<healthcheck.queue.messages>)"), "{{messaging_destination_name}}")
        .query(
            format!("clamp_min({queue} (predict_linear(<healthcheck.queue.messages>[1h], 3600)), 0)"),
            "{{messaging_destination_name}} in an hour",
        )
        .query(
            r#"max by (healthcheck_name, healthcheck_level) (<healthcheck.threshold.limit{healthcheck_measurement="messages"}>)"#,
            "limit {{healthcheck_level}}",
        )
        .limits("/^limit|in an hour$/")
        .min(0)
        .when_empty("This check looks at no queue"),
        Panel::series(
            "Queue: consumers",
            "Consumers of the queue. Messages that grow while this is 0 are nobody's.",
            12,
        )
        .query(format!("{queue} (<healthcheck.queue.consumers>)"), "{{messaging_destination_name}}")
        .min(0)
        .decimals(0)
        .when_empty("This check looks at no queue"),
        Panel::series(
            "HTTP: status of the last answer",
            "The status code of each last answer; 0 means that there was none.",
            12,
        )
        .query(format!("max by ({BY_CHECK}) (<healthcheck.http.response.status_code>)"), "{{healthcheck_name}} · {{instance}}")
        .unit("none")
        .range(0, 600)
        .when_empty("This check asks over no HTTP"),
        Panel::stat(
            "TLS: certificate expires in",
            "The time until the first certificate that the server showed expires. Renew below three weeks.",
            12,
        )
        .height(8)
        .query(
            format!("min by ({BY_CHECK}) (<healthcheck.tls.certificate.expiry.timestamp>) - time()"),
            "{{healthcheck_name}} · {{instance}}",
        )
        .unit("s")
        .steps(&[(None, "red"), (Some(259_200.0), "orange"), (Some(1_814_400.0), "green")])
        .when_empty("This check sees no certificate"),
        Panel::series(
            "Pool: connections",
            "Connections of the pools that the program handed over, in use and idle, and how many each may have. In use at \
             the dashed line means that requests wait.",
            12,
        )
        .query(
            "max by (job, instance, db_client_connection_pool_name, db_client_connection_state) \
             (<db.client.connection.count>)",
            "{{db_client_connection_pool_name}} {{db_client_connection_state}} · {{instance}}",
        )
        .query(format!("{pool} (<db.client.connection.max>)"), "limit {{db_client_connection_pool_name}} · {{instance}}")
        .limits("/^limit/")
        .min(0)
        .when_empty("This program shows no pool"),
        Panel::series(
            "Pool: waiting",
            "Requests that wait for a connection, and those that got none in time since the point before. Good is 0.",
            6,
        )
        .query(format!("{pool} (<db.client.connection.pending_requests>)"), "waiting · {{db_client_connection_pool_name}}")
        .query(
            "sum by (db_client_connection_pool_name) (increase(<db.client.connection.timeouts>[$__rate_interval]))",
            "none in time · {{db_client_connection_pool_name}}",
        )
        .min(0)
        .when_empty("This program measures no waiting"),
        Panel::series(
            "Pool: time to a connection, p99",
            "How long 99 % of the requests waited at most for a connection.",
            6,
        )
        .query(
            quantile("0.99", "le, db_client_connection_pool_name", "db.client.connection.wait_time"),
            "{{db_client_connection_pool_name}}",
        )
        .min(0)
        .when_empty("This program measures no waiting"),
    ]
}

fn what_to_do() -> Vec<Panel> {
    let page = |alert: &str| format!("[{alert}]({RUNBOOK_URL}/{alert}.md)");
    let content = format!(
        "**Reading order.** State over time says since when and where; Runs by result says why; Duration says whether it \
         was slow before; Measurements say how near the next limit is.\n\n\
         | what you see | what it means | page |\n|---|---|---|\n\
         | unhealthy on all instances | the dependency is down, or refuses everybody | {} |\n\
         | unhealthy on one instance | that machine, its network or its credentials | {} |\n\
         | degraded | slow, or beyond a warning limit | {} |\n\
         | unknown, Last verdict old | the agent is stuck or gone | {} |\n\
         | circuit open | the dependency is being spared; the state is still judged | {} |\n\
         | healthy and unhealthy in turns | flapping | {} |\n\
         | p95 near the time limit | it will fail soon | {} |\n\n\
         On the machine: `vitalsign check NAME` runs the check once and prints its reason and details; `curl -s \
         localhost:10464/health/checks/NAME` shows what the agent last saw.\n",
        page("VitalsignCheckFailing"),
        page("VitalsignCheckFailing"),
        page("VitalsignCheckDegraded"),
        page("VitalsignCheckStale"),
        page("VitalsignCircuitOpen"),
        page("VitalsignCheckFlapping"),
        page("VitalsignCheckSlow"),
    );
    vec![Panel::text(
        "How to read this page",
        "What the panels above mean together, and what to do.",
        24,
        10,
        &content,
    )]
}

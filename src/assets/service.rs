//! `vitalsign-service`: how a service answers (rate, errors, duration), and what its tasks and runtimes do.

use super::dashboard::{Dashboard, Row};
use super::panel::Panel;
use super::shared::{STATE_WORDS, buckets, group_states, part, quantile};

/// Requests of the service itself.
const OWN: &str =
    r#"http.server.request.duration{http_route!~"/metrics|/health.*|/livez|/readyz|/startupz|/-/.*"}"#;
/// What monitoring asks.
const ASKED: &str =
    r#"http.server.request.duration{http_route=~"/metrics|/health.*|/livez|/readyz|/startupz|/-/.*"}"#;

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "vitalsign-service",
        title: "Vitalsign / Service",
        question: "How does the service answer (rate, errors, duration), and do its tasks and runtimes keep up?",
        since: "now-1h",
        variables: &[],
        rows: vec![
            Row::open("Requests", requests()),
            Row::open("Health endpoints", endpoints()),
            Row::open("Tasks", tasks()),
            Row::open("Runtime", runtime()),
            Row::closed("Metrics of the application", application()),
        ],
    }
}

/// The rate of the requests that `metric` and these further matchers select, by these labels. What no route matched has
/// none: it is told apart by a word.
fn rate(by: &str, metric: &str, more: &str) -> String {
    let count = part(metric, "count").replace('}', &format!("{more}}}"));
    format!(
        r#"label_replace(sum by ({by}) (rate({count}[$__rate_interval])), "http_route", "no such path", "http_route", "")"#
    )
}

/// The share of requests that the service answered with its own error.
fn errors(by: &str, metric: &str) -> String {
    let all = rate(by, metric, "");
    format!("({} or {all} * 0) / ({all} > 0)", rate(by, metric, r#",http_response_status_code=~"5..""#))
}

fn requests() -> Vec<Panel> {
    let none = "This program measures no requests of its own";
    vec![
        Panel::series("Rate", "Requests each second by route, those of monitoring left out.", 8)
            .query(rate("http_request_method, http_route", OWN, ""), "{{http_request_method}} {{http_route}}")
            .unit("reqps")
            .min(0)
            .when_empty(none),
        Panel::series(
            "Errors",
            "The share of requests answered with 5xx, by route. Good is 0; a step on all routes is a dependency, on one \
             route its code.",
            8,
        )
        .query(errors("http_route", OWN), "{{http_route}}")
        .unit("percentunit")
        .min(0)
        .axis_to(0.05)
        .when_empty(none),
        Panel::series("In flight", "Requests that are being answered. Steady growth means that answers are slower than requests.", 8)
            .query("sum by (job, instance) (<http.server.active_requests>)", "{{instance}}")
            .min(0)
            .decimals(0),
        Panel::heatmap("Duration", "How many requests took how long.", 12, "s")
            .query(buckets(OWN), "{{le}}")
            .when_empty(none),
        Panel::series(
            "Duration, quantiles",
            "How long requests took: half of them, 95 % and 99 % at most.",
            12,
        )
        .query(quantile("0.5", "le", OWN), "p50")
        .query(quantile("0.95", "le", OWN), "p95")
        .query(quantile("0.99", "le", OWN), "p99")
        .unit("s")
        .min(0)
        .when_empty(none),
    ]
}

fn endpoints() -> Vec<Panel> {
    vec![
        Panel::series(
            "Questions",
            "Requests for health and metrics by path and status. A 503 of /health/ready is an honest answer, a 500 never \
             is.",
            8,
        )
        .query(
            rate("http_route, http_response_status_code", ASKED, ""),
            "{{http_route}} {{http_response_status_code}}",
        )
        .unit("reqps")
        .min(0)
        .when_empty("Nobody asks"),
        Panel::series(
            "Duration, p99",
            "How long 99 % of the answers took at most. They come from memory: above 0.1 s this process is short of \
             processor time.",
            8,
        )
        .query(quantile("0.99", "le, http_route", ASKED), "{{http_route}}")
        .unit("s")
        .min(0)
        .when_empty("Nobody asks"),
        Panel::series(
            "Answers that are 503",
            "The share of answers that said no, by path. /health/ready at 1 gets no traffic.",
            8,
        )
        .query(errors("http_route", ASKED), "{{http_route}}")
        .unit("percentunit")
        .range(0, 1)
        .when_empty("Nobody asks"),
        Panel::states(
            "Groups",
            "How each group of checks stands: `health` is everything, `ready` decides on traffic, `live` on a restart.",
            24,
        )
        .height(6)
        .query(group_states("health"), "health · {{instance}}")
        .query(group_states("ready"), "ready · {{instance}}")
        .query(group_states("live"), "live · {{instance}}")
        .query(group_states("startup"), "startup · {{instance}}")
        .unit("short")
        .words(STATE_WORDS),
    ]
}

fn tasks() -> Vec<Panel> {
    let none = "This program has no groups of tasks";
    let by = "job, instance, taskgroup_name";
    let legend = "{{taskgroup_name}} · {{instance}}";
    vec![
        Panel::series(
            "Active",
            "Pieces of work that are going on in each group, and the group's limit as a dashed line. At the limit, new work \
             waits.",
            8,
        )
        .query(format!("max by ({by}) (<taskgroup.active>)"), legend)
        .query(format!("max by ({by}) (<taskgroup.limit>)"), "limit {{taskgroup_name}} · {{instance}}")
        .limits("/^limit/")
        .min(0)
        .when_empty(none),
        Panel::series("Waiting", "Work that waits because its group is at its limit. Good is 0.", 8)
            .query(format!("max by ({by}) (<taskgroup.waiting>)"), legend)
            .min(0)
            .when_empty(none),
        Panel::series(
            "Started and ended",
            "Work that began, and how work ended. Starts above ends for long is work that piles up.",
            8,
        )
        .query("sum by (taskgroup_name) (rate(<taskgroup.started>[$__rate_interval]))", "started · {{taskgroup_name}}")
        .query(
            "sum by (taskgroup_name, taskgroup_outcome) (rate(<taskgroup.finished>[$__rate_interval])) > 0",
            "{{taskgroup_outcome}} · {{taskgroup_name}}",
        )
        .min(0)
        .when_empty(none),
        Panel::heatmap("Duration", "How many pieces of work took how long, without the time that they waited.", 8, "s")
            .query(buckets("taskgroup.duration"), "{{le}}")
            .when_empty(none),
        Panel::series(
            "Futures that keep a thread",
            "The share of time in which futures of the group kept a thread. What is near 1 blocks: move it to \
             a thread for blocking work.",
            8,
        )
        .query("sum by (taskgroup_name) (rate(<taskgroup.poll_time>[$__rate_interval]))", "{{taskgroup_name}}")
        .min(0)
        .when_empty(none),
        Panel::series(
            "Slow polls",
            "How often each second a future of the group kept a thread for more than 10 ms. Good is 0.",
            4,
        )
        .query("sum by (taskgroup_name) (rate(<taskgroup.slow_polls>[$__rate_interval]))", "{{taskgroup_name}}")
        .min(0)
        .when_empty(none),
        Panel::series("Last heartbeat", "How long ago each group said that it is alive, where it does.", 4)
            .query(
                format!("time() - max by ({by}) (<taskgroup.heartbeat.timestamp>)"),
                legend,
            )
            .unit("s")
            .min(0)
            .when_empty("No group says"),
    ]
}

fn runtime() -> Vec<Panel> {
    let by = "job, instance, tokio_runtime_name";
    let legend = "{{tokio_runtime_name}} · {{instance}}";
    vec![
        Panel::series(
            "Workers busy",
            "The share of time in which the threads of each runtime ran tasks. Near 100 % tasks wait for their turn.",
            8,
        )
        .query(
            format!(
                "sum by ({by}) (rate(<tokio.worker.busy_time>[$__rate_interval])) / max by ({by}) (<tokio.workers>)"
            ),
            legend,
        )
        .unit("percentunit")
        .range(0, 1)
        .when_empty("No runtime is watched"),
        Panel::series(
            "How late tasks wake, p99",
            "How late a task woke from a sleep. Tokio rounds up to 1 ms; far above that, code blocks the threads or the \
             machine is short of processors.",
            8,
        )
        .query(quantile("0.99", "le, tokio_runtime_name", "tokio.timer.delay"), "{{tokio_runtime_name}}")
        .min(0)
        .when_empty("No runtime is watched"),
        Panel::series(
            "Tasks",
            "Tasks that have not ended, and those in the queue that all workers share. Alive tasks that only grow are a \
             leak; a queue that stays is too little processor time.",
            8,
        )
        .query(format!("max by ({by}) (<tokio.alive_tasks>)"), "alive · {{tokio_runtime_name}} · {{instance}}")
        .query(format!("max by ({by}) (<tokio.global_queue_depth>)"), "queued · {{tokio_runtime_name}} · {{instance}}")
        .min(0)
        .when_empty("No runtime is watched"),
    ]
}

fn application() -> Vec<Panel> {
    vec![
        Panel::table(
            "Metrics of its own",
            "What the application shows beside what this program defines: each metric with the number of its series and \
             the sum of their values now. Build panels of your own from them.",
            24,
        )
        .query("count by (__name__, job) (<foreign>)", "series")
        .query("sum by (__name__, job) (<foreign>)", "sum")
        .merged(&[])
        .column("job", "Job", 200, &[])
        .column("__name__", "Metric", 400, &[])
        .column("Value #A", "Series", 100, &[])
        .column("Value #B", "Sum", 200, &[])
        .unit("short")
        .when_empty("The application shows no metrics of its own"),
    ]
}

//! `vitalsign-agent`: is the monitoring itself well.

use serde_json::json;

use super::dashboard::{Dashboard, Row};
use super::panel::Panel;
use super::shared::{buckets, quantile, well};

const BY: &str = "job, instance";

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "vitalsign-agent",
        title: "Vitalsign / Agent",
        question: "Is the monitoring itself well: do agents report, read and keep their schedule?",
        since: "now-1h",
        variables: &[],
        rows: vec![
            Row::open("Agents", agents()),
            Row::open("Collectors", collectors()),
            Row::open("Schedule and page", page()),
            #[cfg(feature = "otlp")]
            Row::open("Push over OTLP", push()),
            Row::closed("Process", process()),
        ],
    }
}

fn agents() -> Vec<Panel> {
    vec![
        Panel::stat(
            "Agents that report",
            "How many agents reported in the last minutes, of those that did within the hour. Good is the same number \
             twice.",
            6,
        )
        .query(format!("count(max by ({BY}) (<vitalsign.build_info>))"), "report")
        .query(format!("count(max by ({BY}) (last_over_time(<vitalsign.build_info>[1h])))"), "of"),
        Panel::stat(
            "Versions",
            "How many versions run. More than one for hours is a rollout that stuck.",
            6,
        )
        .query("count(count by (version) (<vitalsign.build_info>))", "")
        .steps(&[(None, "green"), (Some(2.0), "orange")]),
        Panel::stat(
            "Age of what you see",
            "How old the oldest numbers are that still show. More than two scrape or push intervals is an agent or a \
             collector that lags; a negative number is a clock that goes wrong.",
            6,
        )
        .query(format!("max(time() - max by ({BY}) (<vitalsign.heartbeat.timestamp>))"), "")
        .unit("s")
        .decimals(0),
        Panel::stat(
            "Restarts",
            "How often agents started again in the time shown. Good is 0 outside of rollouts.",
            6,
        )
        .query("sum(max by (job, instance) (resets(<process.uptime>[$__range])))", "")
        .unit("short")
        .steps(&[(None, "green"), (Some(1.0), "orange")]),
        Panel::table(
            "Builds",
            "What each agent was built from, for how long it has run, and how many series it holds.",
            24,
        )
        .height(6)
        .query(format!("max by ({BY}, version, revision, branch, rustc_version, target) (<vitalsign.build_info>)"), "build")
        .query(format!("max by ({BY}) (<process.uptime>)"), "uptime")
        .query(format!("max by ({BY}) (<vitalsign.series>)"), "series")
        .merged(&["Value #A"])
        .column("instance", "Instance", 220, &[])
        .column("job", "Job", 180, &[])
        .column("version", "Version", 110, &[])
        .column("revision", "Revision", 140, &[])
        .column("branch", "Branch", 140, &[])
        .column("rustc_version", "Compiler", 100, &[])
        .column("target", "Target", 230, &[])
        .column("Value #B", "Up for", 120, &[("unit", json!("s"))])
        .column("Value #C", "Series", 100, &[("unit", json!("short"))])
        .unit("short"),
    ]
}

fn collectors() -> Vec<Panel> {
    vec![
        Panel::states(
            "Readings",
            "Whether the last reading of each collector went without error. Where one failed, its numbers are missing or \
             incomplete; the log says why.",
            12,
        )
        .height(10)
        .query(
            "min by (job, instance, collector_name) (<vitalsign.collector.success>)",
            "{{collector_name}} · {{instance}}",
        )
        .words(&well("ok", "failed")),
        Panel::series(
            "Duration of readings",
            "How long the last reading of each collector took. A file system that hangs shows here first.",
            12,
        )
        .height(10)
        .query(
            "max by (job, instance, collector_name) (<vitalsign.collector.duration>)",
            "{{collector_name}} · {{instance}}",
        )
        .min(0),
        Panel::series(
            "Errors of readings",
            "What could not be read, by reason, and readings that took longer than they may. Good is 0.",
            12,
        )
        .query(
            "sum by (collector_name, error_type) (increase(<vitalsign.collector.errors>[$__rate_interval])) > 0",
            "{{collector_name}} · {{error_type}}",
        )
        .query(
            "sum by (collector_name) (increase(<vitalsign.collector.overruns>[$__rate_interval])) > 0",
            "{{collector_name}} · too long",
        )
        .unit("short")
        .stacked_bars()
        .when_empty("No errors"),
        Panel::series(
            "Since the last good reading",
            "How long ago each collector last read everything. It grows while a collector fails.",
            12,
        )
        .query(
            "time() - max by (job, instance, collector_name) (<vitalsign.collector.last_success.timestamp>)",
            "{{collector_name}} · {{instance}}",
        )
        .unit("s")
        .min(0),
    ]
}

fn page() -> Vec<Panel> {
    vec![
        Panel::heatmap(
            "How late checks began",
            "How late runs began against their plan. Beyond a second the process is short of processor time, or has more \
             checks than it may run at once.",
            8,
            "s",
        )
        .query(buckets("vitalsign.scheduler.delay"), "{{le}}")
        .every("1m"),
        Panel::series(
            "Duration of scrapes, quantiles",
            "How long it took to answer /metrics. Much of it is reading the machine; above a second a collector hangs.",
            8,
        )
        .query(quantile("0.5", "le", r#"http.server.request.duration{http_route="/metrics"}"#), "p50")
        .query(quantile("0.99", "le", r#"http.server.request.duration{http_route="/metrics"}"#), "p99")
        .min(0)
        .when_empty("Nobody scrapes"),
        Panel::series(
            "Host names being looked up",
            "How many host names each agent is looking up, and how many wait for that. Waiting for minutes means that name \
             servers do not answer; names that are answered do not wait for those that are not.",
            8,
        )
        .query(format!("max by ({BY}) (<vitalsign.resolver.active_lookups>)"), "{{instance}} · active")
        .query(format!("max by ({BY}) (<vitalsign.resolver.waiting_lookups>)"), "{{instance}} · waiting")
        .min(0),
        Panel::series(
            "Series",
            "How many series each agent holds, each line of a histogram counted. Growth without new checks is a label with \
             too many values.",
            8,
        )
        .query(format!("max by ({BY}) (<vitalsign.series>)"), "{{instance}}")
        .min(0),
        Panel::series(
            "Series refused",
            "Series that were refused, by reason: the numbers behind them are nowhere. Good is 0.",
            8,
        )
        .query("sum by (reason) (increase(<vitalsign.series.dropped>[$__rate_interval])) > 0", "{{reason}}")
        .unit("short")
        .stacked_bars()
        .when_empty("None refused"),
        Panel::series(
            "Runs that kept their thread",
            "Runs of checks whose code kept its thread for more than 100 ms without a break. No other check waits for them; \
             the log names the check. Good is 0.",
            8,
        )
        .query(
            "sum by (instance) (increase(<vitalsign.scheduler.blocking_runs>[$__rate_interval])) > 0",
            "{{instance}}",
        )
        .unit("short")
        .stacked_bars()
        .when_empty("None did"),
        Panel::series(
            "Age of pages",
            "How old the values of a page were when a scraper got it. Good is below a second; above two, pages take too \
             long to make, and above five a scrape fails.",
            8,
        )
        .query(format!("max by ({BY}) (<vitalsign.page.age>)"), "{{instance}}")
        .min(0),
        Panel::series(
            "Connections of clients",
            "How many connections scrapers, probes and others have to each agent, and how many it keeps.",
            8,
        )
        .query(format!("max by ({BY}) (<vitalsign.web.connections>)"), "open · {{instance}}")
        .query(format!("max by ({BY}) (<vitalsign.web.connections.limit>)"), "limit · {{instance}}")
        .limits("/^limit/")
        .min(0),
        Panel::series(
            "Connections closed by the agent",
            "Connections of clients that were too slow, or that gave way to others because too many are open, by reason, \
             and those that could not be accepted for want of file descriptors. A few idle_timeout are normal.",
            8,
        )
        .query("sum by (reason) (increase(<vitalsign.web.closed_connections>[$__rate_interval]))", "{{reason}}")
        .query("sum by (instance) (increase(<vitalsign.web.accept_failures>[$__rate_interval]))", "not accepted · {{instance}}")
        .unit("short")
        .min(0)
        .stacked_bars(),
    ]
}

#[cfg(feature = "otlp")]
fn push() -> Vec<Panel> {
    const UNUSED: &str = "Nothing is pushed";
    vec![
        Panel::series(
            "Points, spans and log records",
            "How many of each signal a second the endpoint took, refused, and were given up unsent. Good is sent alone.",
            12,
        )
        .query("sum by (signal, outcome) (rate(<vitalsign.otlp.points>[$__rate_interval]))", "{{signal}} · {{outcome}}")
        .unit("cps")
        .min(0)
        .when_empty(UNUSED),
        Panel::series(
            "Requests that failed",
            "Share of the requests that the endpoint did not take, and why. What can be sent again waits and is.",
            12,
        )
        .query(
            "sum by (signal, error_type) (rate(<vitalsign.otlp.export_failures>[$__rate_interval])) / on (signal) \
             group_left () sum by (signal) (rate(<vitalsign.otlp.exports>[$__rate_interval])) > 0",
            "{{signal}} · {{error_type}}",
        )
        .unit("percentunit")
        .range(0, 1)
        .when_empty("No failures"),
        Panel::series(
            "Waiting",
            "How much waits to be sent. It grows while the endpoint is away and shrinks to nothing when it is back.",
            6,
        )
        .query("sum by (signal, instance) (<vitalsign.otlp.queue.size>)", "{{signal}} · {{instance}}")
        .min(0)
        .when_empty(UNUSED),
        Panel::series(
            "Waiting batches",
            "How many batches wait to be sent.",
            6,
        )
        .query("sum by (signal, instance) (<vitalsign.otlp.queue.batches>)", "{{signal}} · {{instance}}")
        .min(0)
        .when_empty(UNUSED),
        Panel::series(
            "Age of what waits, and of the last success",
            "How old the oldest batch is that waits, and how long ago the endpoint last took a request.",
            6,
        )
        .query("max by (signal, instance) (<vitalsign.otlp.queue.age>)", "{{signal}} · {{instance}} · waits")
        .query(
            "time() - max by (signal, instance) (<vitalsign.otlp.last_success.timestamp>)",
            "{{signal}} · {{instance}} · since success",
        )
        .unit("s")
        .min(0)
        .when_empty(UNUSED),
        Panel::series(
            "Lost batches",
            "Batches that will never arrive: refused for good, too old, or pushed out of a full queue.",
            6,
        )
        .query(
            "sum by (signal, reason) (increase(<vitalsign.otlp.dropped_batches>[$__rate_interval])) > 0",
            "{{signal}} · {{reason}}",
        )
        .unit("short")
        .stacked_bars()
        .when_empty("None lost"),
    ]
}

fn process() -> Vec<Panel> {
    vec![
        Panel::series("Processor time", "What the agent itself uses, as a share of one processor.", 8)
            .query("sum by (job, instance) (rate(<process.cpu.time>[$__rate_interval]))", "{{instance}}")
            .min(0),
        Panel::series("Memory", "Memory that the agent occupies. It should stay level.", 8)
            .query("max by (job, instance) (<process.memory.usage>)", "{{instance}}")
            .min(0),
        Panel::series(
            "Open files",
            "Files and sockets that the agent has open, and how many it may have.",
            8,
        )
        .query("max by (job, instance) (<process.unix.file_descriptor.count>)", "open · {{instance}}")
        .query("max by (job, instance) (<vitalsign.process.file_descriptors.limit>)", "limit · {{instance}}")
        .limits("/^limit/")
        .min(0),
        Panel::series("Threads", "Threads of the agent. A check that blocks keeps one.", 8)
            .query("max by (job, instance) (<process.thread.count>)", "{{instance}}")
            .min(0)
            .decimals(0),
        Panel::series(
            "Log lines by level",
            "Lines that the agent logged. Errors and warnings say in words what the panels above show. Dropped lines were not read, or could not be written.",
            8,
        )
        .query("sum by (level) (increase(<vitalsign.log.events>[$__rate_interval]))", "{{level}}")
        .query("sum(increase(<vitalsign.log.lines.dropped>[$__rate_interval]))", "dropped")
        .unit("short")
        .min(0)
        .stacked_bars(),
        Panel::series("Disk", "Bytes that the agent made disks read and write. Good is near 0.", 8)
            .query(
                "sum by (disk_io_direction) (rate(<process.disk.io>[$__rate_interval]))",
                "{{disk_io_direction}}",
            )
            .min(0),
    ]
}

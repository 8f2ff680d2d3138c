//! Every query of a dashboard fits what the program exposes, and every metric is shown somewhere.

use std::collections::{BTreeMap, BTreeSet};

use crate::promql::{Catalogue, check};

use super::generated::dashboards;
use super::lint::{panels, queries, text};

/// Metrics that no dashboard shows, and why.
const NOT_SHOWN: &[(&str, &str)] = &[
    ("system.cpu.utilization", "translators disagree on the name: computed from system.cpu.time"),
    ("system.memory.utilization", "translators disagree on the name: computed from the memory in use"),
    ("system.filesystem.utilization", "translators disagree on the name: computed from the space in use"),
    ("process.context_switches", "for those who look for the cause of a slow process; it has no good or bad"),
    ("process.memory.virtual", "what is reserved costs nothing"),
    ("process.paging.faults", "for those who look for the cause of a slow process; it has no good or bad"),
    (
        "healthcheck.checks",
        "tells an empty configuration, as readiness does; dashboards count what checks say",
    ),
    ("target.info", "says what the process is, in labels that queries of one's own join in; it has no value"),
    ("tokio.worker.parks", "for those who look for the cause of a slow runtime; it has no good or bad"),
];

/// The one query that means to read whatever there is: what the application shows beside ours.
const WHATEVER: &str = "Metrics of its own";

/// `query` as Prometheus gets it from Grafana.
fn resolved(query: &str) -> String {
    query
        .replace("$__rate_interval", "5m")
        .replace("$__range", "1h")
        .replace("$job", ".+")
        .replace("$instance", ".+")
        .replace("$check", ".+")
        .replace("$measurement", "usage_ratio")
}

#[test]
fn every_query_fits_what_is_exposed_and_every_metric_is_shown() {
    let catalogue = Catalogue::ours();
    let (mut problems, mut shown) = (Vec::new(), BTreeSet::new());
    for (uid, dashboard) in dashboards() {
        let annotations = dashboard["annotations"]["list"].as_array().unwrap().iter().skip(1);
        let annotations = annotations.map(|annotation| (&annotation["name"], text(&annotation["expr"])));
        let asked = panels(&dashboard).into_iter().filter(|panel| panel["title"] != WHATEVER);
        let asked = asked.flat_map(|panel| queries(panel).map(|query| (&panel["title"], query)));
        for (title, query) in annotations.chain(asked) {
            let report = check(&catalogue, &resolved(query), &format!("{uid}: {title}"));
            problems.extend(report.problems.into_iter().map(|problem| format!("{problem}\n    {query}")));
            shown.extend(report.definitions);
        }
    }
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));

    let all: BTreeSet<&str> =
        vitalsign::agent::definitions().iter().map(|definition| definition.name).collect();
    let not: BTreeMap<&str, &str> = NOT_SHOWN.iter().copied().collect();
    let missing: Vec<_> =
        all.iter().filter(|name| !shown.contains(*name) && !not.contains_key(*name)).collect();
    assert!(
        missing.is_empty(),
        "no dashboard shows these: show them, or say in NOT_SHOWN why not: {missing:?}"
    );
    let stale: Vec<_> = not.keys().filter(|name| shown.contains(*name) || !all.contains(*name)).collect();
    assert!(stale.is_empty(), "NOT_SHOWN: shown after all, or gone: {stale:?}");
}

#[test]
fn legends_name_labels_that_the_series_have() {
    let catalogue = Catalogue::ours();
    let mut wrong = Vec::new();
    for (uid, dashboard) in dashboards() {
        for panel in panels(&dashboard) {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let legend = text(&target["legendFormat"]);
                let report = check(&catalogue, &resolved(text(&target["expr"])), "");
                let labels = report.labels.unwrap_or_default();
                for label in legend.split("{{").skip(1).filter_map(|rest| rest.split_once("}}")) {
                    if !labels.contains(label.0) {
                        wrong.push(format!("{uid}: {}: {legend:?}: there is no {}", panel["title"], label.0));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

//! Every query of every dashboard answers: with real agents, a program that embeds the library and a real Prometheus, first
//! while all is well, then while Redis is gone and more goes wrong.

use std::{collections::BTreeSet, time::Duration};

use super::{
    generated::dashboards,
    lint::{panels, text},
    rig::Rig,
};
use crate::harness::eventually::eventually;

const SOON: Duration = Duration::from_secs(180);

/// Queries that answer only while something fails, as `panel / legend`.
const WHEN_FAILING: &[&str] = &[
    "Firing alerts / alerts",
    "Firing alerts by severity / {{severity}}",
    "Last failure / failures",
    "Runs by result / spared by the circuit",
    "Runs by result / left out",
    "Requests that failed /",
    "Errors of readings / {{collector_name}} · too long",
    "Lost batches /",
    "Series refused /",
];

/// Queries that may have no answer here, and why.
const MAY_BE_EMPTY: &[(&str, &str)] = &[
    ("First disk full in /", "needs three hours, and a disk that fills up"),
    ("File systems / full in", "needs three hours, and a disk that fills up"),
    ("File systems / inodes", "a file system may have no inodes"),
    ("Open files / limit", "a machine may have no limit"),
];

/// A query of a dashboard: where it stands, and what Prometheus is asked.
#[derive(Clone)]
struct Asked {
    place: String,
    query: String,
}

fn asked() -> Vec<Asked> {
    let mut all = Vec::new();
    for (uid, dashboard) in dashboards() {
        for panel in panels(&dashboard) {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let place = format!("{} / {}", text(&panel["title"]), text(&target["legendFormat"]));
                all.push(Asked { place: format!("{uid}: {place}"), query: resolved(text(&target["expr"])) });
            }
        }
        for annotation in dashboard["annotations"]["list"].as_array().unwrap() {
            // It answers when something happened; that Prometheus takes it is shown below.
            assert!(annotation["builtIn"] == 1 || !text(&annotation["expr"]).is_empty());
        }
    }
    all
}

/// `query` with the values that a reader would have chosen.
fn resolved(query: &str) -> String {
    query
        .replace("$__rate_interval", "15s")
        .replace("$__range", "60s")
        .replace("$job", ".+")
        .replace("$instance", ".+")
        .replace("$check", ".+")
        .replace("$measurement", "messages")
}

/// Whether `place` is the one that the list calls `entry`.
fn is(place: &str, entry: &str) -> bool {
    place.split_once(": ").is_some_and(|(_, place)| place == entry || place.starts_with(entry))
}

#[test]
fn every_query_answers() {
    let rig = Rig::start();
    let (failing, mut all): (Vec<Asked>, Vec<Asked>) =
        asked().into_iter().partition(|asked| WHEN_FAILING.iter().any(|entry| is(&asked.place, entry)));
    assert_eq!(failing.len(), WHEN_FAILING.len(), "WHEN_FAILING lists what is not there");
    for (entry, _) in MAY_BE_EMPTY {
        assert!(all.iter().any(|asked| is(&asked.place, entry)), "MAY_BE_EMPTY: there is no {entry}");
    }

    all.retain(|asked| !MAY_BE_EMPTY.iter().any(|(entry, _)| is(&asked.place, entry)));
    let mut open = all.clone();
    eventually("an answer to every query", SOON, || {
        rig.work();
        answered(&rig, &mut open)
    });
    for (uid, dashboard) in dashboards() {
        for annotation in dashboard["annotations"]["list"].as_array().unwrap().iter().skip(1) {
            let answer = rig.prometheus.query(&resolved(text(&annotation["expr"])));
            assert!(answer.is_ok(), "{uid}: {}: {answer:?}", annotation["name"]);
        }
    }

    rig.fail();
    let mut open: Vec<Asked> = all.into_iter().chain(failing).collect();
    eventually("an answer to every query, and to those about failures", SOON, || {
        rig.work_badly();
        answered(&rig, &mut open)
    });
    let attention = asked().into_iter().filter(|asked| is(&asked.place, "Needs attention /"));
    let mut columns = 0;
    for Asked { place, query } in attention {
        eventually(&place, SOON, || {
            let rows = rig.prometheus.query(&query)?;
            let about: BTreeSet<&str> =
                rows.iter().map(|row| text(&row["metric"]["healthcheck_name"])).collect();
            if about.contains("cache") && !about.contains("memory") {
                Ok(())
            } else {
                Err(format!("{about:?}"))
            }
        });
        columns += 1;
    }
    assert_eq!(columns, 6);
}

/// Asks what has no answer yet; what has one is done with.
fn answered(rig: &Rig, open: &mut Vec<Asked>) -> Result<(), String> {
    let mut wrong = Vec::new();
    open.retain(|Asked { place, query }| match rig.prometheus.query(query) {
        Ok(series) => series.is_empty(),
        Err(error) => {
            wrong.push(format!("{place}: {error}: {query}"));
            true
        }
    });
    assert!(wrong.is_empty(), "Prometheus does not take these:\n{}", wrong.join("\n"));
    let left: Vec<&str> = open.iter().map(|asked| asked.place.as_str()).collect();
    if left.is_empty() { Ok(()) } else { Err(left.join("\n")) }
}

//! What every dashboard keeps: the rules of Grafana's own linter for mixins that apply here, and ours.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde_json::Value;
use vitalsign::assets::RUNBOOK_URL;

use super::generated::dashboards;

/// The panels that Grafana has had since version 10, without plugins.
const KINDS: [&str; 7] = ["timeseries", "stat", "bargauge", "table", "state-timeline", "heatmap", "text"];

/// Where a query may look at the whole time that is shown: numbers of now, in which it is the question.
const WHOLE_RANGE: [&str; 3] = ["Availability", "Objectives", "Restarts"];

/// The panels of a dashboard, those in closed rows included, without the rows.
pub(super) fn panels(dashboard: &Value) -> Vec<&Value> {
    let all = dashboard["panels"].as_array().expect("panels");
    all.iter()
        .flat_map(|panel| std::iter::once(panel).chain(panel["panels"].as_array().into_iter().flatten()))
        .filter(|panel| panel["type"] != "row")
        .collect()
}

/// The queries of a panel.
pub(super) fn queries(panel: &Value) -> impl Iterator<Item = &str> {
    panel["targets"].as_array().into_iter().flatten().map(|target| text(&target["expr"]))
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Runs a rule over every panel; fails with every place at which it is broken.
#[track_caller]
fn refuse(rule: impl Fn(&Value, &mut dyn FnMut(String))) {
    let mut all = Vec::new();
    for (uid, dashboard) in dashboards() {
        for panel in panels(&dashboard) {
            rule(panel, &mut |why| all.push(format!("{uid}: {}: {why}", panel["title"])));
        }
    }
    assert!(all.is_empty(), "{} broken rules:\n{}", all.len(), all.join("\n"));
}

#[test]
fn every_panel_says_what_it_shows() {
    refuse(|panel, found| {
        let (title, description) = (text(&panel["title"]), text(&panel["description"]));
        if title.is_empty() {
            found("has no title".to_owned());
        }
        if description.len() < 30 || !description.ends_with('.') {
            found(format!("{description:?} is no description: say what it shows, what is good, what to do"));
        }
        if !KINDS.contains(&text(&panel["type"])) {
            found(format!("{} is no panel that every Grafana has", panel["type"]));
        }
        if panel["type"] == "text" {
            return;
        }
        let defaults = &panel["fieldConfig"]["defaults"];
        if text(&defaults["unit"]).is_empty() && defaults["mappings"].as_array().is_none_or(Vec::is_empty) {
            found("has no unit and no words for its values".to_owned());
        }
        let drawn = panel["type"] == "timeseries" && defaults["unit"] == "percentunit";
        if drawn && defaults["min"].is_null() {
            found("draws a share on an axis without an end".to_owned());
        }
        if matches!(text(&panel["type"]), "state-timeline") && defaults["mappings"].is_null() {
            found("has states without words".to_owned());
        }
    });
}

#[test]
fn every_panel_asks_the_chosen_data_source() {
    refuse(|panel, found| {
        if panel["type"] == "text" {
            return;
        }
        if queries(panel).count() == 0 {
            found("asks nothing".to_owned());
        }
        let targets = panel["targets"].as_array().expect("targets");
        for asked in targets.iter().chain([panel]) {
            if asked["datasource"] != serde_json::json!({"type": "prometheus", "uid": "${datasource}"}) {
                found(format!("asks {}", asked["datasource"]));
            }
        }
        let letters: BTreeSet<&str> = targets.iter().map(|target| text(&target["refId"])).collect();
        if letters.len() != targets.len() {
            found("two queries have one letter".to_owned());
        }
    });
}

#[test]
fn every_selector_keeps_to_the_chosen_instances() {
    refuse(|panel, found| {
        for query in queries(panel) {
            for selector in
                query.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(in_it, _)| in_it))
            {
                let chosen = [r#"job=~"$job""#, r#"instance=~"$instance""#];
                let alerts = selector.contains("alertname=");
                if !alerts && !chosen.iter().all(|matcher| selector.contains(matcher)) {
                    found(format!("{{{selector}}} looks at all instances"));
                }
            }
        }
    });
}

#[test]
fn rates_look_back_as_far_as_the_data_source_says() {
    refuse(|panel, found| {
        for query in queries(panel) {
            for function in ["rate(", "increase(", "irate("] {
                for (at, _) in query.match_indices(function) {
                    let window = query[at..].split_once('[').and_then(|(_, rest)| rest.split_once(']'));
                    if window.is_none_or(|(window, _)| window != "$__rate_interval") {
                        found(format!("{function}…) without $__rate_interval: {query}"));
                    }
                }
            }
            let whole = query.contains("$__range") && !WHOLE_RANGE.contains(&text(&panel["title"]));
            if whole || query.contains("irate(") {
                found(format!("looks back in a way that is not on the list: {query}"));
            }
        }
        let past = panel["targets"].as_array().into_iter().flatten().any(|target| target["instant"] == false);
        if past && queries(panel).any(|query| query.contains("$__range")) {
            found("$__range is for numbers of now".to_owned());
        }
    });
}

#[test]
fn dashboards_have_what_grafana_needs_to_load_and_link_them() {
    let uids: Vec<&str> = dashboards().iter().map(|(uid, _)| *uid).collect();
    assert_eq!(
        uids,
        ["vitalsign-overview", "vitalsign-check", "vitalsign-host", "vitalsign-service", "vitalsign-agent"]
    );
    for (uid, dashboard) in dashboards() {
        assert_eq!(dashboard["uid"], uid);
        assert_eq!(dashboard["id"], Value::Null);
        assert_eq!(dashboard["editable"], false);
        assert_eq!(dashboard["tags"], serde_json::json!(["vitalsign"]));
        assert_eq!(dashboard["graphTooltip"], 1);
        assert!(text(&dashboard["description"]).contains('?'), "{uid} asks no question");
        let whole = dashboard.to_string();
        for no in ["__inputs", "__requires", "DS_PROMETHEUS", r#""graph""#, "singlestat"] {
            assert!(!whole.contains(no), "{uid}: {no}");
        }
        for link in whole.split("/d/").skip(1) {
            let target: String =
                link.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
            assert!(uids.contains(&target.as_str()), "{uid} links to {target}");
        }
        let ids: Vec<u64> = dashboard["panels"]
            .as_array()
            .unwrap()
            .iter()
            .chain(panels(&dashboard))
            .filter_map(|panel| panel["id"].as_u64())
            .collect();
        let rows =
            dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] == "row").count();
        let distinct: BTreeSet<u64> = ids.iter().copied().collect();
        assert_eq!(distinct.len(), rows + panels(&dashboard).len(), "{uid}: two panels have one id");
        let open = dashboard["panels"].as_array().unwrap().len() - rows;
        assert!(open <= 25, "{uid}: {open} open panels are too many to read");
    }
}

#[test]
fn links_from_and_to_alerts_lead_somewhere() {
    let alerts = Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts");
    let mut pages = 0;
    for (uid, dashboard) in dashboards() {
        for link in dashboard.to_string().split(&format!("{RUNBOOK_URL}/")).skip(1) {
            let (page, _) = link.split_once(')').expect("a link in Markdown");
            assert!(alerts.join("runbooks").join(page).exists(), "{uid}: there is no {page}");
            pages += 1;
        }
    }
    assert!(pages > 0, "no dashboard leads to a page");

    let variables: BTreeMap<&str, BTreeSet<String>> = dashboards()
        .iter()
        .map(|(uid, dashboard)| {
            let list = dashboard["templating"]["list"].as_array().unwrap().iter();
            (*uid, list.map(|variable| format!("var-{}", text(&variable["name"]))).collect())
        })
        .collect();
    let mut links = 0;
    for entry in std::fs::read_dir(alerts).unwrap() {
        let Ok(rules) = std::fs::read_to_string(entry.unwrap().path()) else { continue };
        for line in rules.lines().filter_map(|line| line.trim().strip_prefix("dashboard_url: ")) {
            let (_, link) = line.split_once("/d/").unwrap_or_else(|| panic!("{line} leads to no dashboard"));
            let (uid, choices) = link.split_once('?').unwrap_or((link, ""));
            let known = variables.get(uid).unwrap_or_else(|| panic!("{line}: there is no {uid}"));
            for choice in choices.split('&').filter(|choice| !choice.is_empty()) {
                let name = choice.split('=').next().unwrap();
                assert!(known.contains(name), "{line}: {uid} has no {name}");
            }
            links += 1;
        }
    }
    assert!(links > 0, "no alert leads to a dashboard");
}

#[test]
fn every_variable_is_used_and_every_used_one_is_there() {
    for (uid, dashboard) in dashboards() {
        let list = dashboard["templating"]["list"].as_array().unwrap();
        let names: BTreeSet<&str> = list.iter().map(|variable| text(&variable["name"])).collect();
        assert!(names.is_superset(&BTreeSet::from(["datasource", "job", "instance"])), "{uid}: {names:?}");
        let used: BTreeSet<String> = panels(&dashboard)
            .iter()
            .flat_map(|panel| variables(&panel.to_string()))
            .chain(list.iter().flat_map(|variable| variables(text(&variable["definition"]))))
            .collect();
        assert_eq!(used.iter().map(String::as_str).collect::<BTreeSet<_>>(), names, "{uid}");
        for variable in list {
            let (name, kind) = (text(&variable["name"]), text(&variable["type"]));
            assert!(!text(&variable["label"]).is_empty(), "{uid}: {name} has no label");
            assert_eq!(kind, if name == "datasource" { "datasource" } else { "query" }, "{uid}: {name}");
            if ["job", "instance"].contains(&name) {
                assert_eq!(
                    (
                        &variable["includeAll"],
                        &variable["multi"],
                        &variable["allValue"],
                        &variable["refresh"]
                    ),
                    (&true.into(), &true.into(), &".+".into(), &2.into()),
                    "{uid}: {name}"
                );
                assert!(text(&variable["definition"]).contains("vitalsign_build_info"), "{uid}: {name}");
            }
        }
    }
}

/// The variables of a dashboard that `text` uses, without Grafana's own.
fn variables(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for rest in text.split('$').skip(1) {
        let name: String = rest
            .trim_start_matches('{')
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect();
        if !name.is_empty() && !name.starts_with("__") {
            found.push(name);
        }
    }
    found
}

#[test]
fn panels_stand_side_by_side() {
    for (uid, dashboard) in dashboards() {
        let mut taken = BTreeSet::new();
        let rows = dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] == "row");
        for panel in panels(&dashboard).into_iter().chain(rows) {
            let at = |name: &str| panel["gridPos"][name].as_u64().unwrap_or_else(|| panic!("{uid}: {panel}"));
            let (x, y, w, h) = (at("x"), at("y"), at("w"), at("h"));
            assert!(w > 0 && h > 0 && x + w <= 24, "{uid}: {} is beyond the grid", panel["title"]);
            for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                assert!(taken.insert(cell), "{uid}: {} stands on another panel", panel["title"]);
            }
        }
    }
}

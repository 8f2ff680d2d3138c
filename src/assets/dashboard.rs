//! A dashboard: rows of panels, the variables that choose what they show, and where each panel stands.
//!
//! Panels flow from left to right like words; ids follow the place, so that a link to a panel stays good while rows keep
//! their order.

use serde_json::{Map, Value, json};

use super::catalogue::{Catalogue, UnknownMetric};
use super::panel::{Panel, datasource, extend};

/// The schema of Grafana 11; 10 and 12 read it as well.
const SCHEMA: u64 = 39;
/// The columns of Grafana's grid.
const COLUMNS: u64 = 24;

/// Alerts that say nothing about the thing watched.
pub(super) const FIRING: &str = r#"ALERTS{alertstate="firing",alertname=~"Vitalsign.*",alertname!~"VitalsignWatchdog|VitalsignInfoInhibitor"}"#;

/// A dashboard.
pub(super) struct Dashboard {
    /// Its id, which is the name of its file too.
    pub(super) uid: &'static str,
    /// What it is called.
    pub(super) title: &'static str,
    /// The one question that it answers.
    pub(super) question: &'static str,
    /// The time that it shows at first.
    pub(super) since: &'static str,
    /// What the reader can choose beside jobs and instances.
    pub(super) variables: &'static [Variable],
    /// What it shows.
    pub(super) rows: Vec<Row>,
}

/// Something that the reader chooses: the values of an attribute.
pub(super) struct Variable {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    /// Where the values come from.
    pub(super) values: &'static str,
    /// The attribute that it filters by in every query of a metric that has it; none filters where a query says so.
    pub(super) attribute: Option<&'static str>,
    pub(super) several: bool,
}

/// A row of panels under a title.
pub(super) struct Row {
    title: &'static str,
    collapsed: bool,
    panels: Vec<Panel>,
}

impl Row {
    /// One that is open.
    pub(super) fn open(title: &'static str, panels: Vec<Panel>) -> Self {
        Self { title, collapsed: false, panels }
    }

    /// One whose panels ask nothing before somebody opens it.
    pub(super) fn closed(title: &'static str, panels: Vec<Panel>) -> Self {
        Self { title, collapsed: true, panels }
    }
}

impl Dashboard {
    /// The file that Grafana reads.
    pub(super) fn render(self, catalogue: Catalogue<'_>) -> Result<Value, UnknownMetric> {
        let mut variables = vec![
            json!({
                "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "current": {},
                "hide": 0, "includeAll": false, "multi": false, "options": [], "refresh": 1, "regex": ""
            }),
            every(catalogue, "job", "Job", "label_values(<vitalsign.build_info>, job)")?,
            every(
                catalogue,
                "instance",
                "Instance",
                r#"label_values(<vitalsign.build_info{job=~"$job"}>, instance)"#,
            )?,
        ];
        for Variable { name, label, values, several, .. } in self.variables {
            variables.push(chosen(name, label, &catalogue.names(values)?, *several));
        }
        let filters: Vec<(&str, &str)> =
            self.variables.iter().filter_map(|variable| Some((variable.attribute?, variable.name))).collect();
        Ok(json!({
            "annotations": {"list": annotations(catalogue)?},
            "description": self.question,
            "editable": false,
            "fiscalYearStartMonth": 0,
            "graphTooltip": 1,
            "id": null,
            "links": [{
                "title": "Vitalsign", "type": "dashboards", "tags": ["vitalsign"], "asDropdown": true,
                "includeVars": true, "keepTime": true, "targetBlank": false, "icon": "external link",
                "tooltip": "The other dashboards, for the same instances and time", "url": ""
            }],
            "panels": panels(self.rows, catalogue, &filters)?,
            "refresh": "30s",
            "schemaVersion": SCHEMA,
            "tags": ["vitalsign"],
            "templating": {"list": variables},
            "time": {"from": self.since, "to": "now"},
            "timepicker": {},
            "timezone": "browser",
            "title": self.title,
            "uid": self.uid,
            "version": 1,
            "weekStart": ""
        }))
    }
}

fn panels(
    rows: Vec<Row>,
    catalogue: Catalogue<'_>,
    filters: &[(&str, &str)],
) -> Result<Vec<Value>, UnknownMetric> {
    let mut all = Vec::new();
    let mut y = 0;
    for (row, number) in rows.into_iter().zip(1_u64..) {
        let row_y = y;
        y += 1;
        let (mut x, mut line) = (0, 0);
        let mut inner = Vec::with_capacity(row.panels.len());
        for (panel, index) in row.panels.into_iter().zip(1_u64..) {
            if x + panel.width > COLUMNS {
                (x, y, line) = (0, y + line, 0);
            }
            line = line.max(panel.height);
            let place = json!({"x": x, "y": y, "w": panel.width, "h": panel.height});
            x += panel.width;
            inner.push(panel.render(catalogue, filters, number * 100 + index, &place)?);
        }
        y += line;
        let (nested, open) = if row.collapsed { (inner, Vec::new()) } else { (Vec::new(), inner) };
        all.push(json!({
            "id": number * 100, "type": "row", "title": row.title, "collapsed": row.collapsed,
            "gridPos": {"x": 0, "y": row_y, "w": COLUMNS, "h": 1}, "panels": nested
        }));
        all.extend(open);
    }
    Ok(all)
}

/// A variable that begins with all its values.
fn every(catalogue: Catalogue<'_>, name: &str, label: &str, values: &str) -> Result<Value, UnknownMetric> {
    Ok(variable(
        name,
        label,
        &catalogue.names(values)?,
        json!({"multi": true, "includeAll": true, "allValue": ".+", "current": {"text": ["All"], "value": ["$__all"]}}),
    ))
}

/// A variable that begins with its first value.
fn chosen(name: &str, label: &str, values: &str, several: bool) -> Value {
    variable(name, label, values, json!({"multi": several, "includeAll": false, "current": {}}))
}

fn variable(name: &str, label: &str, values: &str, more: Value) -> Value {
    let mut variable = Map::new();
    for part in [
        json!({
            "name": name, "label": label, "type": "query", "datasource": datasource(), "definition": values,
            "query": {"query": values, "refId": format!("variable-{name}")}, "hide": 0, "options": [], "refresh": 2,
            "regex": "", "sort": 1
        }),
        more,
    ] {
        extend(&mut variable, part);
    }
    variable.into()
}

fn annotations(catalogue: Catalogue<'_>) -> Result<Vec<Value>, UnknownMetric> {
    let mark = |name: &str, colour: &str, template: &str, title: &str, text: &str| {
        Ok(json!({
            "name": name, "datasource": datasource(), "enable": true, "hide": false, "iconColor": colour,
            "expr": catalogue.expand(template, &[])?, "titleFormat": title, "textFormat": text, "step": "60s",
            "tagKeys": "severity", "useValueForTime": false
        }))
    };
    Ok(vec![
        json!({
            "builtIn": 1, "name": "Annotations & Alerts", "datasource": {"type": "grafana", "uid": "-- Grafana --"},
            "enable": true, "hide": true, "iconColor": "rgba(0, 211, 255, 1)", "type": "dashboard"
        }),
        mark("Firing alerts", "red", FIRING, "{{alertname}}", "{{instance}} {{healthcheck_name}}")?,
        mark(
            "Restarts",
            "purple",
            "max by (job, instance) (resets(<process.uptime>[$__rate_interval])) > 0",
            "Restarted",
            "{{instance}}",
        )?,
        mark(
            "New versions",
            "blue",
            "max by (job, instance, version) (<vitalsign.build_info>) unless max by (job, instance, version) \
             (<vitalsign.build_info> offset 5m)",
            "Version {{version}}",
            "{{instance}}",
        )?,
    ])
}

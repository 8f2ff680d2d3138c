//! The files that come with the program, put right for the place where they are used.
//!
//! They are part of the binary as text and are changed as text: addresses are replaced, selectors narrowed to a job or to
//! checks. Writes nothing: whoever asked decides where to.

use crate::metrics::{prometheus_label, prometheus_name};
use crate::model::{Criticality, Definition, Instrument};

use super::narrow::narrow;
use super::{GRAFANA_URL, RUNBOOK_URL};

/// The dashboards by their ids, as `dashboards/` has them.
const DASHBOARDS: &[(&str, &str)] = &[
    ("vitalsign-overview", include_str!("../../dashboards/vitalsign-overview.json")),
    ("vitalsign-check", include_str!("../../dashboards/vitalsign-check.json")),
    ("vitalsign-host", include_str!("../../dashboards/vitalsign-host.json")),
    ("vitalsign-service", include_str!("../../dashboards/vitalsign-service.json")),
    ("vitalsign-agent", include_str!("../../dashboards/vitalsign-agent.json")),
];

const CHECKS: &str = include_str!("../../alerts/checks.yml");
const SLO: &str = include_str!("../../alerts/slo.yml");

/// The rules by the names of their files, in the order in which they are to be loaded.
const RULES: &[(&str, &str)] = &[
    ("agent", include_str!("../../alerts/agent.yml")),
    ("checks", CHECKS),
    ("slo", SLO),
    ("host", include_str!("../../alerts/host.yml")),
    ("tasks", include_str!("../../alerts/tasks.yml")),
    ("http", include_str!("../../alerts/http.yml")),
    #[cfg(feature = "otlp")]
    ("otlp", include_str!("../../alerts/otlp.yml")),
];

/// How Alertmanager may route what the rules say.
const ROUTING: &str = include_str!("../../alerts/alertmanager.example.yml");

/// Names of other exporters for the same numbers; kept apart from the rules, because never both may be there.
const COMPATIBILITY: &str = include_str!("../../alerts/compatibility.yml");

const DATASOURCES: &str = include_str!("provisioning/datasources.yml");
const PROVIDERS: &str = include_str!("provisioning/dashboards.yml");

/// Series of Prometheus that carry the job of what they are about.
const OF_PROMETHEUS: [&str; 2] = ["up", "ALERTS"];

/// The place where dashboards and rules are used.
#[derive(Clone, Debug)]
pub struct Place {
    /// Where Grafana is, without a slash at the end: alerts link to its dashboards.
    pub grafana_url: String,
    /// Where the pages of the alerts are, without a slash at the end.
    pub runbook_url: String,
    /// The only job that is looked at; all where there is none.
    pub job: Option<String>,
}

impl Default for Place {
    fn default() -> Self {
        Self { grafana_url: GRAFANA_URL.to_owned(), runbook_url: RUNBOOK_URL.to_owned(), job: None }
    }
}

/// A file to write: its path and its content.
#[derive(Clone, Debug)]
pub struct File {
    /// Below the folder of the bundle, with `/`.
    pub path: String,
    /// All of it.
    pub content: String,
}

/// A check that rules are written for.
#[derive(Clone, Debug)]
pub struct Objective {
    /// Its name.
    pub name: String,
    /// How far it may pull down its groups.
    pub criticality: Criticality,
    /// The share of time in which it is to be up.
    pub ratio: f64,
}

impl Place {
    /// Every file of the bundle: dashboards, rules for Prometheus and for its operator, and what Grafana loads them by.
    /// `definitions` are the metrics of this program.
    #[must_use]
    pub fn bundle(&self, definitions: &[&'static Definition]) -> Vec<File> {
        let file = |path: String, content: String| File { path, content };
        let mut files = Vec::new();
        for (uid, json) in DASHBOARDS {
            files.push(file(format!("dashboards/{uid}.json"), self.dashboard(json)));
        }
        let mut resources = Vec::with_capacity(RULES.len());
        for (name, rules) in RULES {
            let rules = self.rules(rules, definitions, &[]);
            resources.push(resource(name, &rules));
            files.push(file(format!("alerts/{name}.yml"), rules));
        }
        files.push(file("alertmanager.example.yml".to_owned(), ROUTING.to_owned()));
        files.push(file("kubernetes/prometheusrule.yml".to_owned(), resources.join("---\n")));
        files.push(file(
            "compatibility/compatibility.yml".to_owned(),
            self.rules(COMPATIBILITY, definitions, &[]),
        ));
        files.push(file("grafana/provisioning/datasources/vitalsign.yml".to_owned(), DATASOURCES.to_owned()));
        files.push(file("grafana/provisioning/dashboards/vitalsign.yml".to_owned(), PROVIDERS.to_owned()));
        files
    }

    /// One file of rules for exactly these checks: instead of `checks.yml` and `slo.yml`, beside the others.
    #[must_use]
    pub fn rules_for(&self, checks: &[Objective], definitions: &[&'static Definition]) -> String {
        let names: Vec<&str> = checks.iter().map(|check| check.name.as_str()).collect();
        let mut text = format!(
            "# Rules for the checks {}: instead of checks.yml and slo.yml, beside the other rules.\ngroups:\n",
            names.join(", ")
        );
        text.push_str(&self.objectives(checks));
        for rules in [CHECKS, SLO] {
            let rules = self.rules(rules, definitions, &names);
            text.push('\n');
            text.push_str(rules.split_once("groups:\n").map_or("", |(_, groups)| groups));
        }
        text
    }

    /// The objectives as series, so that they are there also while no agent is.
    fn objectives(&self, checks: &[Objective]) -> String {
        let mut text = "  - name: vitalsign-objectives\n".to_owned();
        if checks.is_empty() {
            text.push_str("    rules: []\n");
            return text;
        }
        text.push_str("    rules:\n");
        for Objective { name, criticality, ratio } in checks {
            let minutes = (1.0 - ratio) * 30.0 * 24.0 * 60.0;
            text.push_str(&format!(
                "      # May be down for {minutes:.0} minutes in 30 days.\n      - record: \
                 check:healthcheck_objective:ratio\n        expr: vector({ratio})\n        labels:\n          \
                 healthcheck_name: \"{name}\"\n          healthcheck_criticality: {criticality}\n"
            ));
            if let Some(job) = &self.job {
                text.push_str(&format!("          job: \"{job}\"\n"));
            }
        }
        text
    }

    fn dashboard(&self, json: &str) -> String {
        let json = json.replace(RUNBOOK_URL, &self.runbook_url);
        match &self.job {
            None => json,
            Some(job) => json.replace(
                "label_values(vitalsign_build_info, job)",
                &format!(r#"label_values(vitalsign_build_info{{job=\"{job}\"}}, job)"#),
            ),
        }
    }

    fn rules(&self, rules: &str, definitions: &[&'static Definition], checks: &[&str]) -> String {
        let rules = rules.replace(RUNBOOK_URL, &self.runbook_url).replace(GRAFANA_URL, &self.grafana_url);
        if self.job.is_none() && checks.is_empty() {
            return rules;
        }
        let job = self.job.as_ref().map(|job| format!(r#"job="{job}""#));
        // A dot in a name is a dot, and nothing else in a name means anything in a pattern.
        let names = checks.join("|").replace('.', "\\\\.");
        let check = (!checks.is_empty()).then(|| format!(r#"healthcheck_name=~"{names}""#));
        let matchers = |of_a_check: bool| {
            let check = check.as_ref().filter(|_| of_a_check);
            job.iter().chain(check).cloned().collect::<Vec<_>>().join(", ")
        };
        narrow(&rules, &|word| {
            if let Some((level, _)) = word.split_once(':') {
                return ["job", "instance", "instance_mountpoint", "check"]
                    .contains(&level)
                    .then(|| matchers(level == "check"));
            }
            let definition = definitions.iter().find(|definition| is_series_of(definition, word));
            match definition {
                Some(definition) => {
                    let labels = definition.attributes.iter().map(|name| prometheus_label(name));
                    Some(matchers(labels.into_iter().any(|label| label == "healthcheck_name")))
                }
                None => OF_PROMETHEUS.contains(&word).then(|| matchers(false)),
            }
        })
    }
}

/// Whether `word` is the name of a series of `definition`.
fn is_series_of(definition: &Definition, word: &str) -> bool {
    let name = prometheus_name(definition);
    match definition.instrument {
        Instrument::Histogram(_) => {
            word.strip_prefix(&name).is_some_and(|part| ["_bucket", "_sum", "_count"].contains(&part))
        }
        Instrument::Counter | Instrument::Gauge | Instrument::UpDownCounter => word == name,
    }
}

/// The rules as a resource of the Prometheus operator.
fn resource(name: &str, rules: &str) -> String {
    let mut text = format!(
        "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: vitalsign-{name}\n  labels:\n    \
         app.kubernetes.io/name: vitalsign\n    role: alert-rules\nspec:\n"
    );
    for line in rules.split_inclusive('\n') {
        if !line.trim().is_empty() {
            text.push_str("  ");
        }
        text.push_str(line);
    }
    text
}

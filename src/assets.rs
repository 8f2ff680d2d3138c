//! What comes with the program to see and to alert on what it shows: dashboards for Grafana, rules for Prometheus.
//!
//! Dashboards are written here, as panels over the same definitions that fill the metrics, and generated into
//! `dashboards/`; a test compares. Rules are files under `alerts/`. Both are part of the binary as plain text, so that
//! whoever has it has them, with their own names and addresses ([`Place`]). Costs nothing until it is asked for.

mod agent;
mod bundle;
mod catalogue;
mod check;
mod dashboard;
mod host;
mod narrow;
mod overview;
mod panel;
mod service;
mod shared;

use serde_json::Value;

use crate::model::Definition;

pub use bundle::{File, Objective, Place};
use catalogue::Catalogue;
pub use catalogue::UnknownMetric;

/// Where the pages of the alerts are unless told otherwise.
pub const RUNBOOK_URL: &str = "https://github.com/vitalsign/vitalsign/blob/main/alerts/runbooks";

/// Where Grafana is unless told otherwise.
pub const GRAFANA_URL: &str = "http://localhost:3000";

/// The dashboards over these metrics: the id, which is the name of the file, and its content.
///
/// # Errors
/// [`UnknownMetric`] when a panel asks for what `definitions` does not have.
pub fn dashboards(definitions: &[&'static Definition]) -> Result<Vec<(&'static str, Value)>, UnknownMetric> {
    let all = [
        overview::dashboard(),
        check::dashboard(),
        host::dashboard(),
        service::dashboard(),
        agent::dashboard(),
    ];
    all.into_iter().map(|dashboard| Ok((dashboard.uid, dashboard.render(Catalogue(definitions))?))).collect()
}

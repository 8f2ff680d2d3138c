//! The same as `application/health+json`: draft-inadarei-api-health-check-06, whose `checks` are arrays by
//! `component:measurement`, and whose words are pass, warn and fail.

use serde_json::{Map, Value, json};

use crate::health::{GroupView, Judged};
use crate::model::State;

use super::audience::Audience;
use super::document::{self, Facts};

/// The draft's word for a state; what is not known is not passed.
pub(super) const fn word(state: State) -> &'static str {
    match state {
        State::Healthy => "pass",
        State::Degraded => "warn",
        State::Unhealthy | State::Unknown => "fail",
    }
}

/// A group.
pub(super) fn group(view: &GroupView, facts: &Facts<'_>) -> String {
    let mut checks = Map::new();
    for judged in &view.checks {
        checks.append(&mut entries(judged, facts.audience));
    }
    let mut document = json!({
        "status": word(view.state),
        "version": facts.version.split('.').next().unwrap_or_default(),
        "releaseId": facts.version,
        "serviceId": facts.service,
        "description": format!("group {} of {}", view.group, facts.service),
        "checks": checks,
    });
    if let (Some(message), Some(object)) = (&view.message, document.as_object_mut()) {
        object.insert("output".to_owned(), message.as_str().into());
    }
    document::to_json(&document)
}

/// One check.
pub(super) fn check(judged: &Judged, audience: Audience) -> String {
    document::to_json(&json!({ "status": word(judged.state), "checks": entries(judged, audience) }))
}

fn entries(judged: &Judged, audience: Audience) -> Map<String, Value> {
    let name = judged.entry.name.as_str();
    let mut entries = Map::new();
    let mut common = Map::new();
    common.insert("componentId".to_owned(), name.into());
    common.insert("componentType".to_owned(), judged.entry.component.as_str().into());
    common.insert("status".to_owned(), word(judged.state).into());
    if !judged.entry.policy.affects.is_empty() {
        common.insert("affectedEndpoints".to_owned(), judged.entry.policy.affects.clone().into());
    }
    if let (Some(output), true) = (document::explain(judged, audience).error, judged.state != State::Healthy)
    {
        common.insert("output".to_owned(), output.into());
    }
    let Some(standing) = &judged.standing else {
        entries.insert(name.to_owned(), json!([common]));
        return entries;
    };
    common.insert("time".to_owned(), document::rfc3339(standing.checked_at).into());
    let mut observe = |what: &str, value: f64, unit: Option<&str>| {
        let mut entry = common.clone();
        entry.insert("observedValue".to_owned(), value.into());
        if let Some(unit) = unit {
            entry.insert("observedUnit".to_owned(), unit.into());
        }
        entries.insert(format!("{name}:{what}"), json!([entry]));
    };
    observe("responseTime", document::rounded(standing.latency.as_secs_f64() * 1_000.0, 1_000.0), Some("ms"));
    if audience == Audience::Operator {
        for (measurement, value) in &standing.measurements {
            observe(measurement.as_str(), *value, None);
        }
    }
    entries
}

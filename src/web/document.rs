//! The JSON that a person can read: one object a group, its checks in an object by name, times in RFC 3339, numbers with
//! their unit in the key.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::health::{GroupView, Judged};
use crate::model::{Cause, Detail, FUNCTION, Phase, Reason, State};

use super::audience::Audience;

/// What a document says beside the group itself.
pub(super) struct Facts<'a> {
    pub(super) service: &'a str,
    pub(super) version: &'a str,
    pub(super) uptime: f64,
    pub(super) audience: Audience,
}

#[derive(Serialize)]
struct GroupDocument<'a> {
    status: &'static str,
    timestamp: String,
    uptime: f64,
    service: &'a str,
    version: &'a str,
    group: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    checks: BTreeMap<&'a str, CheckDocument<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    details: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
struct LiveDocument<'a> {
    status: &'static str,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct CheckDocument<'a> {
    status: &'static str,
    kind: &'static str,
    criticality: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checked_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    suspect: bool,
    consecutive_failures: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    circuit_breaker: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    circuit_breaker_until: Option<String>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    affects: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    runbook: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    details: Map<String, Value>,
}

/// A group.
pub(super) fn group(view: &GroupView, facts: &Facts<'_>) -> String {
    let checks =
        view.checks.iter().map(|judged| (judged.entry.name.as_str(), describe(judged, facts.audience)));
    let details = view.details.iter().filter(|_| facts.audience == Audience::Operator);
    let details = details.map(|(who, line)| (*who, line.as_str()));
    to_json(&GroupDocument {
        status: view.state.as_str(),
        timestamp: now(),
        uptime: rounded(facts.uptime, 10.0),
        service: facts.service,
        version: facts.version,
        group: &view.group,
        message: view.message.as_deref(),
        checks: checks.collect(),
        details: details.collect(),
    })
}

/// The group `live`: never more than state, reason and time.
pub(super) fn live(view: &GroupView, ietf: bool) -> String {
    let status = if ietf { super::ietf::word(view.state) } else { view.state.as_str() };
    to_json(&LiveDocument { status, timestamp: now(), reason: view.message.as_deref() })
}

/// One check.
pub(super) fn check(judged: &Judged, audience: Audience) -> String {
    to_json(&describe(judged, audience))
}

fn describe(judged: &Judged, audience: Audience) -> CheckDocument<'_> {
    let entry = &judged.entry;
    let standing = judged.standing.as_deref();
    let explanation = explain(judged, audience);
    let open_until = standing.and_then(|standing| standing.open_until);
    let mut details = Map::new();
    if let (Audience::Operator, Some(standing)) = (audience, standing) {
        for (name, value) in &standing.measurements {
            details.insert(name.to_string(), (*value).into());
        }
        for (key, detail) in &standing.details {
            details.insert(key.to_string(), value(detail));
        }
    }
    CheckDocument {
        status: judged.state.as_str(),
        kind: entry.kind,
        criticality: entry.policy.criticality.as_str(),
        reason: explanation.reason,
        cause: explanation.cause.map(|cause| cause.to_string()),
        phase: explanation.phase.map(Phase::as_str),
        error: explanation.error,
        latency_ms: standing.map(|standing| rounded(standing.latency.as_secs_f64() * 1_000.0, 1_000.0)),
        checked_at: standing.map(|standing| rfc3339(standing.checked_at)),
        age_seconds: judged.age.map(|age| rounded(age.as_secs_f64(), 1_000.0)),
        since: standing.map(|standing| rfc3339(standing.since)),
        suspect: standing.is_some_and(|standing| standing.suspect),
        consecutive_failures: standing.map_or(0, |standing| standing.consecutive_failures),
        circuit_breaker: open_until.map(|_| "open"),
        circuit_breaker_until: open_until
            .map(|until| rfc3339(SystemTime::now() + until.saturating_duration_since(Instant::now()))),
        affects: &entry.policy.affects,
        runbook: entry.policy.runbook.as_deref(),
        target: entry.target.as_deref().filter(|_| audience == Audience::Operator),
        details,
    }
}

/// Why a check stands as it does; nothing where it is well.
#[derive(Default)]
pub(super) struct Explanation<'a> {
    reason: Option<&'static str>,
    pub(super) cause: Option<Cause>,
    pub(super) phase: Option<Phase>,
    /// A sentence.
    pub(super) error: Option<&'a str>,
}

/// Explains how a check stands. Age explains more than whatever was last.
///
/// The public gets the sentence of the cause or the class, or what the author of a function wrote for it; sentences
/// about measured values and about answers of a dependency are for operators.
pub(super) fn explain(judged: &Judged, audience: Audience) -> Explanation<'_> {
    let standing = match &judged.standing {
        None => return Explanation { error: Some("no answer yet"), ..Explanation::default() },
        Some(_) if judged.is_stale() => {
            let error = Some("the last answer is too old");
            return Explanation { reason: Some("stale"), error, ..Explanation::default() };
        }
        Some(standing) => standing,
    };
    let Some(failing) =
        standing.failing.as_ref().filter(|_| standing.state != State::Healthy || standing.suspect)
    else {
        return Explanation::default();
    };
    let authored = judged.entry.kind == FUNCTION && failing.reason != Reason::Threshold;
    let sentence = if audience == Audience::Operator || authored {
        failing.message.as_ref()
    } else {
        failing.cause.and_then(Cause::sentence).unwrap_or(failing.reason.sentence())
    };
    Explanation {
        reason: Some(failing.reason.as_str()),
        cause: failing.cause,
        phase: failing.phase,
        error: Some(sentence),
    }
}

pub(super) fn value(detail: &Detail) -> Value {
    match detail {
        Detail::Integer(number) => (*number).into(),
        Detail::Float(number) => (*number).into(),
        Detail::Bool(truth) => (*truth).into(),
        Detail::Text(text) => text.as_str().into(),
    }
}

pub(super) fn to_json(document: &impl Serialize) -> String {
    // Strings, numbers and maps with text keys always serialize.
    let mut json = serde_json::to_string_pretty(document).unwrap_or_default();
    json.push('\n');
    json
}

pub(super) fn now() -> String {
    rfc3339(SystemTime::now())
}

pub(super) fn rfc3339(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at).to_string()
}

/// `value` with as many decimals as `scale` has zeros.
pub(super) fn rounded(value: f64, scale: f64) -> f64 {
    (value * scale).round() / scale
}

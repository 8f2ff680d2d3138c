//! The same as lines for a terminal: `[+]` healthy, `[~]` degraded, `[-]` unhealthy, `[?]` unknown. Below a check that is
//! not well stands what helps to find out why.

use std::fmt::Write;
use std::time::Duration;

use tokio::time::Instant;

use crate::health::{GROUP_LIVE, GroupView, Judged};
use crate::model::State;

use super::audience::Audience;
use super::document;

const fn mark(state: State) -> &'static str {
    match state {
        State::Healthy => "[+]",
        State::Degraded => "[~]",
        State::Unhealthy => "[-]",
        State::Unknown => "[?]",
    }
}

/// A group: a line a check, then one for the group.
pub(super) fn group(view: &GroupView, audience: Audience) -> String {
    let mut text = String::new();
    if view.group != GROUP_LIVE {
        for judged in &view.checks {
            text.push_str(&check(judged, audience));
        }
    }
    let reason = view.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{} {} {}{reason}", mark(view.state), view.group, view.state);
    text
}

/// A check, as one line, and more of them where it is not well.
pub(super) fn check(judged: &Judged, audience: Audience) -> String {
    let mut text = format!("{} {} {}", mark(judged.state), judged.entry.name, judged.state);
    let explanation = document::explain(judged, audience);
    let Some(error) = explanation.error else {
        text.push('\n');
        return text;
    };
    let suspect = if judged.state == State::Healthy { "suspect: " } else { "" };
    // Writing to a String cannot fail.
    let _ = writeln!(text, ": {suspect}{error}");
    let entry = &judged.entry;
    let lines = [
        ("target", entry.target.clone().filter(|_| audience == Audience::Operator)),
        ("cause", explanation.cause.map(|cause| cause.to_string())),
        ("phase", explanation.phase.map(|phase| phase.as_str().to_owned())),
        ("circuit breaker", judged.standing.as_ref().and_then(|standing| standing.open_until).map(open)),
        ("runbook", entry.policy.runbook.clone()),
    ];
    for (what, line) in lines {
        if let Some(line) = line {
            let _ = writeln!(text, "      {what}: {line}");
        }
    }
    text
}

/// How an open circuit breaker stands that lets no run through until then.
fn open(until: Instant) -> String {
    match until.saturating_duration_since(Instant::now()).as_secs() {
        0 => "open, the next run is due".to_owned(),
        wait => {
            let wait = humantime::format_duration(Duration::from_secs(wait));
            format!("open, the next run in {wait} at the earliest")
        }
    }
}

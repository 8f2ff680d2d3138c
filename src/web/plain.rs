//! The same as lines for a terminal: `[+]` healthy, `[~]` degraded, `[-]` unhealthy, `[?]` unknown.

use std::fmt::Write;

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

/// A check, as one line.
pub(super) fn check(judged: &Judged, audience: Audience) -> String {
    let mut line = format!("{} {} {}", mark(judged.state), judged.entry.name, judged.state);
    if let Some(error) = document::explain(judged, audience).error {
        let suspect = if judged.state == State::Healthy { "suspect: " } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(line, ": {suspect}{error}");
    }
    line.push('\n');
    line
}

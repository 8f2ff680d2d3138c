//! How a check is run and judged, read from the settings that every check has.
//!
//! Knows no kind: what a kind wants otherwise comes in as the defaults.

use std::collections::BTreeSet;

use super::fields::Fields;
use super::measurable::{Measurable, within};
use super::node::Node;
use super::setting::{Reading, Schema, Setting};
use super::units::Quantity;
use crate::model::{Bound, Flaw, Limit, LimitFlaw, Policy, Threshold, limit_flaws};

/// Takes the settings of every check; what is absent is as in `defaults`, what is wrong is noted and reads as the
/// default. A threshold in the file replaces the default one on the same measurement, and must be on one of those that
/// are `measurable`.
pub fn read_policy(fields: &mut Fields<'_>, defaults: &Policy, measurable: &Measurable) -> Policy {
    let policy = read_general(fields, defaults);
    let thresholds = read_thresholds(fields, &defaults.thresholds, measurable);
    Policy { thresholds, ..policy }
}

/// The same without thresholds: what can be said of checks of any kind.
pub fn read_general(fields: &mut Fields<'_>, defaults: &Policy) -> Policy {
    let interval = fields.or("interval", defaults.interval, "time from one planned run to the next");
    let timeout = fields.or("timeout", defaults.timeout, "how long one run may take; below the interval");
    let doc = "how many worse runs in a row move the state";
    let fail_after = fields.or("fail_after", defaults.fail_after, doc);
    let doc = "how many better runs in a row move it back";
    let recover_after = fields.or("recover_after", defaults.recover_after, doc);
    let criticality = fields.or(
        "criticality",
        defaults.criticality,
        "critical: fails its groups; degrading: degrades them at most; informational: only shown",
    );
    let mut groups =
        fields.or("groups", defaults.groups.clone(), "groups beside those that follow from the criticality");
    let mut seen = BTreeSet::new();
    groups.retain(|group| seen.insert(group.clone()));
    let breaker =
        fields.or("breaker", defaults.breaker, "whether a dependency that is down is asked less often");
    let warn_slower_than =
        fields.optional("warn_slower_than", "a run that took longer than this is a warning");
    let doc = "the part of the time that it should be healthy";
    let Quantity(objective) = fields.or("objective", Quantity(defaults.objective), doc);
    let affects =
        fields.or("affects", defaults.affects.clone(), "what suffers when the check fails, for people");
    let runbook = fields.optional("runbook", "where the instructions for a failure are");
    let policy = Policy {
        interval,
        timeout,
        fail_after,
        recover_after,
        criticality,
        groups,
        breaker,
        warn_slower_than: warn_slower_than.or(defaults.warn_slower_than),
        thresholds: Vec::new(),
        objective,
        affects,
        runbook: runbook.or_else(|| defaults.runbook.clone()),
    };
    for flaw in policy.flaws() {
        note(fields, &flaw);
    }
    policy
}

/// Notes what is wrong at its setting.
fn note(fields: &mut Fields<'_>, flaw: &Flaw) {
    let setting = flaw.setting();
    if *flaw == Flaw::TimeoutNotBelowInterval {
        note_times(fields);
    } else if !fields.is_wrong(setting) {
        fields.problem(setting, flaw.to_string());
    }
}

/// Of timeout and interval, which do not fit together, the one that stands nearest to the check is to blame.
fn note_times(fields: &mut Fields<'_>) {
    if fields.is_wrong("interval") || fields.is_wrong("timeout") {
        return;
    }
    let value = |name| fields.shown(name).map(|value| format!(" ({value})")).unwrap_or_default();
    let own_interval = fields.is_own("interval");
    if own_interval && !fields.is_own("timeout") {
        let message = format!("must be above the timeout{}", value("timeout"));
        fields.problem_with_help("interval", message, Some("set a shorter `timeout` too".to_owned()));
    } else {
        let message = format!("{}{}", Flaw::TimeoutNotBelowInterval, value("interval"));
        fields.problem("timeout", message);
    }
}

fn read_thresholds(
    fields: &mut Fields<'_>,
    defaults: &[Threshold],
    measurable: &Measurable,
) -> Vec<Threshold> {
    let doc = "limits on measurements, by the measurement's name";
    let read = fields.entries("thresholds", doc, |name, fields| {
        let bound = fields.or("bound", Bound::Upper, "on which side trouble lies");
        let warn: Option<Limits> = fields.optional("warn", "at or beyond this the check is degraded");
        let fail: Option<Limits> = fields.optional("fail", "at or beyond this the run fails");
        let lasting =
            fields.optional("lasting", "how long the value must stay beyond a limit before it counts");
        let (warn, fail) = (warn.map(Limit::from), fail.map(Limit::from));
        for flaw in limit_flaws(bound, warn, fail) {
            note_limit(fields, flaw);
        }
        let measurement = fields.name(name)?;
        match measurable.unit(name) {
            Ok(unit) => {
                for (level, limit) in [("warn", warn), ("fail", fail)] {
                    let Some(limit) = limit else { continue };
                    if let Err((message, help)) = within(unit, limit, fields.shown(level)) {
                        fields.problem_with_help(level, message, help);
                    }
                }
            }
            Err((message, help)) => fields.problem_here_with_help(message, help),
        }
        Some(Threshold { measurement, bound, warn, fail, lasting: lasting.unwrap_or_default() })
    });
    let read: Vec<Threshold> = read.into_iter().filter_map(|(_, threshold)| threshold).collect();
    let replaced = |default: &&Threshold| !read.iter().any(|new| new.measurement == default.measurement);
    let kept: Vec<Threshold> = defaults.iter().filter(replaced).cloned().collect();
    kept.into_iter().chain(read).collect()
}

/// Notes what is wrong with the limits of one threshold, unless it follows from something that has been noted.
fn note_limit(fields: &mut Fields<'_>, flaw: LimitFlaw) {
    match flaw {
        LimitFlaw::None if fields.is_set("warn") || fields.is_set("fail") => {}
        LimitFlaw::None => fields.problem_here(flaw.to_string()),
        LimitFlaw::NotANumber(level) => fields.problem(level, "must be a finite number"),
        _ if fields.is_wrong("bound") => {}
        LimitFlaw::Leave(level, bound) => {
            let (beyond, bound) = (bound.beyond(), bound.as_str());
            let message = format!("`leave` must not be {beyond} `enter`, because the bound is {bound}");
            fields.problem(level, message);
        }
        LimitFlaw::Order(bound) => {
            let value = fields.shown("warn").map(|value| format!(" ({value})")).unwrap_or_default();
            let (beyond, bound) = (bound.beyond(), bound.as_str());
            fields.problem("fail", format!("must be {beyond} `warn`{value}, because the bound is {bound}"));
        }
    }
}

/// `85%` or `{ enter: 85%, leave: 80% }`.
struct Limits {
    enter: f64,
    leave: Option<f64>,
}

impl From<Limits> for Limit {
    fn from(Limits { enter, leave }: Limits) -> Self {
        Self { enter, leave: leave.unwrap_or(enter) }
    }
}

impl Setting for Limits {
    const SHAPE: &'static str = "limit";

    fn read(node: &Node, reading: &mut Reading<'_>) -> Option<Self> {
        if node.entries().is_none() {
            let expected = "a number such as 500, 80% or 512Mi, or `{ enter: …, leave: … }`";
            return reading.parsed(node, expected, |text| {
                Quantity::parse(text).map(|Quantity(enter)| Self { enter, leave: None })
            });
        }
        reading.fields(node, |fields| {
            let enter = fields.required("enter", "reaching this is trouble");
            let leave = fields.optional("leave", "trouble ends on the good side of this");
            let Quantity(enter) = enter?;
            Some(Self { enter, leave: leave.map(|Quantity(leave)| leave) })
        })?
    }

    fn show(&self) -> String {
        match self.leave {
            Some(leave) => format!("{{enter: {}, leave: {leave}}}", self.enter),
            None => self.enter.to_string(),
        }
    }

    fn schema() -> Schema {
        Schema::Limit
    }
}

#[cfg(test)]
mod tests;

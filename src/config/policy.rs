//! How a check is run and judged, read from the settings that every check has.
//!
//! Knows no kind: what a kind wants otherwise comes in as the defaults.

use std::time::Duration;

use super::fields::Fields;
use super::node::Node;
use super::setting::{Reading, Schema, Setting};
use super::units::Quantity;
use crate::model::{Bound, Limit, Policy, Threshold};

/// The shortest interval.
const LEAST_INTERVAL: Duration = Duration::from_millis(100);

/// Takes the settings of every check; what is absent is as in `defaults`, what is wrong is noted and reads as the
/// default. A threshold in the file replaces the default one on the same measurement.
pub fn read_policy(fields: &mut Fields<'_>, defaults: &Policy) -> Policy {
    let interval = fields.or("interval", defaults.interval, "time from one planned run to the next");
    let timeout = fields.or("timeout", defaults.timeout, "how long one run may take; below the interval");
    check_times(fields, interval, timeout);
    let fail_after = at_least_one(
        fields,
        "fail_after",
        defaults.fail_after,
        "how many worse runs in a row move the state",
    );
    let recover_after = at_least_one(
        fields,
        "recover_after",
        defaults.recover_after,
        "how many better runs in a row move it back",
    );
    let criticality = fields.or(
        "criticality",
        defaults.criticality,
        "critical: fails its groups; degrading: degrades them at most; informational: only shown",
    );
    let mut groups =
        fields.or("groups", defaults.groups.clone(), "groups beside those that follow from the criticality");
    let mut seen = Vec::new();
    groups.retain(|group| !seen.contains(group) && (seen.push(group.clone()), true).1);
    let breaker =
        fields.or("breaker", defaults.breaker, "whether a dependency that is down is asked less often");
    let warn_slower_than =
        fields.optional("warn_slower_than", "a run that took longer than this is a warning");
    let thresholds = read_thresholds(fields, &defaults.thresholds);
    let objective = fields.or(
        "objective",
        Quantity(defaults.objective),
        "the part of the time that it should be healthy",
    );
    let Quantity(mut objective) = objective;
    if !(objective > 0.0 && objective < 1.0) {
        fields.problem("objective", "must be a ratio between 0 and 1, such as 0.999 or 99.9%");
        objective = defaults.objective;
    }
    let affects =
        fields.or("affects", defaults.affects.clone(), "what suffers when the check fails, for people");
    let runbook = fields.optional("runbook", "where the instructions for a failure are");
    Policy {
        interval,
        timeout,
        fail_after,
        recover_after,
        criticality,
        groups,
        breaker,
        warn_slower_than: warn_slower_than.or(defaults.warn_slower_than),
        thresholds,
        objective,
        affects,
        runbook: runbook.or_else(|| defaults.runbook.clone()),
    }
}

fn check_times(fields: &mut Fields<'_>, interval: Duration, timeout: Duration) {
    let (has_interval, has_timeout) = (fields.is_set("interval"), fields.is_set("timeout"));
    if has_interval && interval < LEAST_INTERVAL {
        fields.problem("interval", "must be at least 100ms");
    }
    if timeout < interval || fields.is_wrong("interval") || fields.is_wrong("timeout") {
        return;
    }
    let value = |name| fields.shown(name).map(|value| format!(" ({value})")).unwrap_or_default();
    if has_timeout {
        let message = format!("must be below the interval{}", value("interval"));
        fields.problem("timeout", message);
    } else if has_interval {
        let message = format!("must be above the timeout{}", value("timeout"));
        fields.problem_with_help("interval", message, Some("set a shorter `timeout` too".to_owned()));
    }
}

fn at_least_one(fields: &mut Fields<'_>, name: &'static str, default: u32, doc: &'static str) -> u32 {
    let value = fields.or(name, default, doc);
    if value == 0 {
        fields.problem(name, "must be at least 1");
        return default;
    }
    value
}

fn read_thresholds(fields: &mut Fields<'_>, defaults: &[Threshold]) -> Vec<Threshold> {
    let doc = "limits on measurements, by the measurement's name";
    let read = fields.entries("thresholds", doc, |name, fields| {
        let bound = fields.or("bound", Bound::Upper, "on which side trouble lies");
        let warn: Option<Limits> = fields.optional("warn", "at or beyond this the check is degraded");
        let fail: Option<Limits> = fields.optional("fail", "at or beyond this the run fails");
        let lasting =
            fields.optional("lasting", "how long the value must stay beyond a limit before it counts");
        if !fields.is_set("warn") && !fields.is_set("fail") {
            fields.problem_here("has no limit; give `warn`, `fail` or both");
        }
        let warn = warn.map(|limits| limits.checked(bound, "warn", fields));
        let fail = fail.map(|limits| limits.checked(bound, "fail", fields));
        if let (Some(warn), Some(fail)) = (warn, fail)
            && !beyond(bound, fail.enter, warn.enter)
            && !fields.is_wrong("bound")
        {
            let value = fields.shown("warn").map(|value| format!(" ({value})")).unwrap_or_default();
            let message =
                format!("must be {} `warn`{value}, because the bound is {}", side(bound), bound.as_str());
            fields.problem("fail", message);
        }
        let measurement = fields.name(name)?;
        Some(Threshold { measurement, bound, warn, fail, lasting: lasting.unwrap_or_default() })
    });
    let read: Vec<Threshold> = read.into_iter().filter_map(|(_, threshold)| threshold).collect();
    let replaced = |default: &&Threshold| !read.iter().any(|new| new.measurement == default.measurement);
    let kept: Vec<Threshold> = defaults.iter().filter(replaced).cloned().collect();
    kept.into_iter().chain(read).collect()
}

/// Whether `a` is worse than `b`.
fn beyond(bound: Bound, a: f64, b: f64) -> bool {
    match bound {
        Bound::Upper => a > b,
        Bound::Lower => a < b,
    }
}

fn side(bound: Bound) -> &'static str {
    match bound {
        Bound::Upper => "above",
        Bound::Lower => "below",
    }
}

/// `85%` or `{ enter: 85%, leave: 80% }`.
struct Limits {
    enter: f64,
    leave: Option<f64>,
}

impl Limits {
    fn checked(self, bound: Bound, name: &str, fields: &mut Fields<'_>) -> Limit {
        let leave = self.leave.unwrap_or(self.enter);
        if beyond(bound, leave, self.enter) && !fields.is_wrong("bound") {
            let message = format!(
                "`leave` must not be {} `enter`, because the bound is {}",
                side(bound),
                bound.as_str()
            );
            fields.problem(name, message);
        }
        Limit { enter: self.enter, leave }
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

//! Groups: which checks count where, and what a group of states amounts to.

use crate::model::{Criticality, State};

use super::entry::{Entry, Judged};

/// Every check.
pub const GROUP_HEALTH: &str = "health";
/// Would a restart help? Only local checks, and the sign of life of the runner.
pub const GROUP_LIVE: &str = "live";
/// May traffic come? Critical checks.
pub const GROUP_READY: &str = "ready";
/// Has it come up? Critical checks until each has passed once; then it holds for the life of the process.
pub const GROUP_STARTUP: &str = "startup";

/// The groups that exist without configuration.
pub const RESERVED_GROUPS: [&str; 4] = [GROUP_LIVE, GROUP_READY, GROUP_STARTUP, GROUP_HEALTH];

/// How a group stands at one moment.
#[derive(Clone, Debug)]
pub struct GroupView {
    /// The group.
    pub group: String,
    /// Healthy, degraded or unhealthy.
    pub state: State,
    /// One sentence why, where it is not healthy.
    pub message: Option<String>,
    /// Its checks, by name.
    pub checks: Vec<Judged>,
    /// What other parts say of themselves, in `health` alone.
    pub details: Vec<(&'static str, String)>,
}

/// What `entry`, being in `state`, adds to `group`.
fn contribution(group: &str, entry: &Entry, state: State) -> State {
    let criticality = entry.policy.criticality;
    match group {
        GROUP_STARTUP if entry.passed_once() => State::Healthy,
        GROUP_STARTUP => criticality.cap(State::Unhealthy),
        // No answer is no reason for a restart.
        GROUP_LIVE if state == State::Unknown => State::Healthy,
        _ => criticality.cap(state),
    }
}

/// The state of a group out of those of its members.
pub(super) fn aggregate<'e>(group: &str, states: impl Iterator<Item = (&'e Entry, State)>) -> State {
    let adds = states.map(|(entry, state)| contribution(group, entry, state));
    adds.max().unwrap_or(State::Healthy)
}

/// How a group stands, and what it says of itself, while there are no checks at all; `required` says whether that is a
/// fault. A restart would not mend it.
pub(super) fn without_checks(group: &str, required: bool) -> (State, Option<&'static str>) {
    const SAID: Option<&str> = Some("no checks are configured");
    match group {
        GROUP_READY if required => (State::Unhealthy, SAID),
        GROUP_HEALTH if required => (State::Degraded, SAID),
        GROUP_READY | GROUP_HEALTH => (State::Healthy, SAID),
        _ => (State::Healthy, None),
    }
}

/// The sentence that says which of its checks made a group `state`; none where it is healthy.
pub(super) fn explain(group: &str, state: State, checks: &[Judged]) -> Option<String> {
    /// More names than these make no sentence.
    const NAMED: usize = 5;
    if state == State::Healthy {
        return None;
    }
    let guilty = checks.iter().filter(|judged| contribution(group, &judged.entry, judged.state) == state);
    let mut names: Vec<String> = guilty.clone().take(NAMED).map(|judged| describe(group, judged)).collect();
    let unnamed = guilty.count().saturating_sub(NAMED);
    if unnamed > 0 {
        names.push(format!("and {unnamed} more"));
    }
    (!names.is_empty()).then(|| names.join("; "))
}

fn describe(group: &str, judged: &Judged) -> String {
    let name = &judged.entry.name;
    let level = match judged.entry.policy.criticality {
        Criticality::Critical => String::new(),
        other => format!(" ({other})"),
    };
    if group == GROUP_STARTUP {
        format!("{name}: has not passed yet{level}")
    } else {
        format!("{name}: {}{level}", judged.state)
    }
}

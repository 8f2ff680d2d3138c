//! Hysteresis: how many runs in a row it takes to move a state. A pure state machine.

use crate::model::State;

/// The state of a check, and the runs that contradict it so far.
///
/// A state moves only after enough runs in a row that are all worse (or all better) than it; it then moves to the
/// mildest (or the worst) of them, so that one extreme run among them does not decide alone.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Streak {
    state: Option<State>,
    /// Runs in a row that contradict the state on the same side, and the one of them nearest to it.
    against: Option<(u32, State)>,
}

impl Streak {
    /// The state; none before the first run.
    pub(super) fn state(self) -> Option<State> {
        self.state
    }

    /// Whether the last run was worse than the state says.
    pub(super) fn is_suspect(self) -> bool {
        matches!((self.state, self.against), (Some(state), Some((_, nearest))) if nearest > state)
    }

    /// Takes in the level of one run: healthy, degraded or unhealthy. Says whether the state moved.
    pub(super) fn record(&mut self, level: State, fail_after: u32, recover_after: u32) -> bool {
        let Some(state) = self.state else {
            self.state = Some(level);
            return true;
        };
        if level == state {
            self.against = None;
            return false;
        }
        let worse = level > state;
        let (runs, nearest) = match self.against {
            Some((runs, nearest)) if (nearest > state) == worse => {
                (runs.saturating_add(1), if worse { nearest.min(level) } else { nearest.max(level) })
            }
            _ => (1, level),
        };
        if runs >= if worse { fail_after } else { recover_after } {
            self.state = Some(nearest);
            self.against = None;
            return true;
        }
        self.against = Some((runs, nearest));
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use State::{Degraded, Healthy, Unhealthy};
    use proptest::prelude::*;

    fn after(levels: &[State]) -> (State, bool) {
        let mut streak = Streak::default();
        for level in levels {
            streak.record(*level, 3, 2);
        }
        (streak.state().unwrap(), streak.is_suspect())
    }

    #[test]
    fn the_first_answer_decides_at_once() {
        assert_eq!(after(&[Unhealthy]), (Unhealthy, false));
        assert_eq!(after(&[Healthy]), (Healthy, false));
    }

    #[test]
    fn the_third_failure_moves_and_the_first_two_are_suspect() {
        assert_eq!(after(&[Healthy, Unhealthy]), (Healthy, true));
        assert_eq!(after(&[Healthy, Unhealthy, Unhealthy]), (Healthy, true));
        assert_eq!(after(&[Healthy, Unhealthy, Unhealthy, Unhealthy]), (Unhealthy, false));
        assert_eq!(after(&[Healthy, Unhealthy, Unhealthy, Healthy, Unhealthy]), (Healthy, true));
    }

    #[test]
    fn the_second_success_recovers() {
        assert_eq!(after(&[Unhealthy, Healthy]), (Unhealthy, false));
        assert_eq!(after(&[Unhealthy, Healthy, Healthy]), (Healthy, false));
        assert_eq!(after(&[Unhealthy, Healthy, Unhealthy, Healthy]), (Unhealthy, false));
    }

    #[test]
    fn mixed_runs_move_to_what_they_have_in_common() {
        assert_eq!(after(&[Healthy, Unhealthy, Degraded, Unhealthy]), (Degraded, false));
        assert_eq!(after(&[Unhealthy, Healthy, Degraded]), (Degraded, false));
        assert_eq!(after(&[Degraded, Unhealthy, Healthy, Unhealthy]), (Degraded, true));
    }

    proptest! {
        #[test]
        fn a_state_never_moves_beyond_what_a_run_said(levels in prop::collection::vec(0_usize..3, 1..40)) {
            let mut streak = Streak::default();
            for level in levels.iter().map(|index| State::ALL[*index]) {
                let before = streak.state();
                let moved = streak.record(level, 3, 2);
                let now = streak.state().unwrap();
                prop_assert_eq!(moved, before != Some(now));
                if let (true, Some(before)) = (moved, before) {
                    prop_assert!((now > before) == (level > before), "moves only towards the last run");
                }
            }
        }
    }
}

//! When the runs of a check are planned: the first soon, the second anywhere in one interval so that fleets drift
//! apart, then each one interval after the other give or take ten percent. Pure but for its source of chance.
//!
//! Checks of this machine alone have nobody to spare by being apart, and each time that the runner is woken costs more
//! than such a check: some of them share their chance, so that those of one interval run together.

use std::time::Duration;

use fastrand::Rng;
use tokio::time::Instant;

use crate::model::LONGEST;

/// The longest wait for the first run.
const FIRST_WITHIN: Duration = Duration::from_secs(1);
/// How far a run may be from its place, as a part of the interval.
const JITTER: f64 = 0.1;

/// How many checks of this machine run together at most: many would keep others waiting.
const TOGETHER: usize = 8;

/// Gives each check its source of chance.
#[derive(Debug)]
pub(super) struct Chances {
    own: Rng,
    shared: Rng,
    sharing: usize,
}

impl Default for Chances {
    fn default() -> Self {
        Self::new(Rng::new())
    }
}

impl Chances {
    fn new(mut own: Rng) -> Self {
        Self { shared: own.fork(), own, sharing: 0 }
    }

    /// The source for one more check, which looks at this machine only if `local`.
    pub(super) fn next(&mut self, local: bool) -> Rng {
        if !local {
            return self.own.fork();
        }
        if self.sharing == TOGETHER {
            (self.shared, self.sharing) = (self.own.fork(), 0);
        }
        self.sharing += 1;
        self.shared.clone()
    }
}

#[derive(Debug)]
pub(super) struct Schedule {
    interval: Duration,
    rng: Rng,
    runs: u64,
}

impl Schedule {
    pub(super) fn new(interval: Duration, rng: Rng) -> Self {
        Self { interval: interval.min(LONGEST), rng, runs: 0 }
    }

    /// How long to wait for the first run.
    pub(super) fn first(&mut self) -> Duration {
        FIRST_WITHIN.min(self.interval / 10).mul_f64(self.rng.f64())
    }

    /// The plan after the run that was planned for `last`, as of `now`, with the number of plans that passed unused.
    /// A late run never causes a burst: what was missed is skipped.
    pub(super) fn next(&mut self, last: Instant, now: Instant) -> (Instant, u64) {
        self.runs += 1;
        let part = if self.runs == 1 { self.rng.f64() } else { 1.0 + JITTER * (2.0 * self.rng.f64() - 1.0) };
        let next = last + self.interval.mul_f64(part);
        if next >= now {
            return (next, 0);
        }
        let missed = now.duration_since(next).as_nanos() / self.interval.as_nanos().max(1);
        let missed = u32::try_from(missed).unwrap_or(u32::MAX);
        let caught_up = next + self.interval.saturating_mul(missed.saturating_add(1));
        (caught_up, u64::from(missed) + 1)
    }

    /// A number in 0..1.
    pub(super) fn chance(&mut self) -> f64 {
        self.rng.f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fastrand::Rng;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    #[test]
    fn some_checks_of_this_machine_run_together_and_others_apart() {
        let mut chances = Chances::new(Rng::with_seed(1));
        let mut plans = |local| {
            let mut schedule = Schedule::new(Duration::from_secs(10), chances.next(local));
            let start = schedule.first();
            let now = Instant::now();
            let second = schedule.next(now, now).0.duration_since(now);
            (start, second)
        };
        let first = plans(true);
        let apart = [plans(false), plans(false)];
        let mut local: Vec<_> = (1..TOGETHER).map(|_| plans(true)).collect();
        assert!(local.iter().all(|plan| *plan == first));
        local = (0..TOGETHER).map(|_| plans(true)).collect();
        assert!(local.iter().all(|plan| *plan == local[0] && *plan != first));
        assert!(apart[0] != apart[1] && !apart.contains(&first));
    }

    proptest! {
        #[test]
        fn plans_keep_their_distance(seed in any::<u64>(), interval_ms in 100_u64..3_600_000) {
            let interval = Duration::from_millis(interval_ms);
            let mut schedule = Schedule::new(interval, Rng::with_seed(seed));
            let start = Instant::now();
            let first = schedule.first();
            prop_assert!(first <= Duration::from_secs(1) && first <= interval / 10);
            let (mut last, _) = schedule.next(start + first, start + first);
            prop_assert!(last <= start + first + interval);
            for _ in 0..100 {
                let (next, skipped) = schedule.next(last, last);
                let distance = (next - last).as_secs_f64() / interval.as_secs_f64();
                prop_assert!((0.89..1.11).contains(&distance), "{}", distance);
                prop_assert_eq!(skipped, 0);
                last = next;
            }
        }

        #[test]
        fn a_late_run_skips_and_never_bursts(seed in any::<u64>(), late in 0_u32..1000) {
            let interval = Duration::from_secs(10);
            let mut schedule = Schedule::new(interval, Rng::with_seed(seed));
            let start = Instant::now();
            schedule.next(start, start);
            let now = start + interval * late;
            let (next, skipped) = schedule.next(start, now);
            prop_assert!(next >= now && next <= now + interval * 2);
            prop_assert!(skipped <= u64::from(late) && skipped + 2 >= u64::from(late));
        }
    }
}

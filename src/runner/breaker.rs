//! The circuit breaker of a check: spares a dependency that is down. A pure state machine; time and chance come in from
//! outside. An open breaker softens nothing: the last verdict stands.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::LONGEST;

/// Failed runs in a row that open the breaker, unless the check needs more to be called unhealthy.
const OPENS_AFTER: u32 = 5;
/// The longest random part of the wait.
const MAX_SPREAD: Duration = Duration::from_secs(60);

/// The three states of a circuit breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Runs go through.
    Closed,
    /// Runs are spared.
    Open,
    /// One run goes through to see.
    HalfOpen,
}

impl State {
    pub(super) const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

#[derive(Debug)]
pub(super) struct Breaker {
    enabled: bool,
    opens_after: u32,
    interval: Duration,
    state: State,
    failures: u32,
    /// How often it opened in a row without closing.
    reopened: u32,
    open_until: Option<Instant>,
}

impl Breaker {
    pub(super) fn new(enabled: bool, fail_after: u32, interval: Duration) -> Self {
        Self {
            enabled,
            opens_after: OPENS_AFTER.max(fail_after),
            interval: interval.min(LONGEST),
            state: State::Closed,
            failures: 0,
            reopened: 0,
            open_until: None,
        }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    /// Until when it lets no run through, where it is open.
    pub(super) fn open_until(&self) -> Option<Instant> {
        self.open_until.filter(|_| self.state == State::Open)
    }

    /// Whether a run may go through at `now`; an open breaker whose time is over becomes half-open.
    pub(super) fn allows(&mut self, now: Instant) -> bool {
        if self.state == State::Open && self.open_until.is_none_or(|until| now >= until) {
            self.state = State::HalfOpen;
        }
        self.state != State::Open
    }

    /// Takes in how a run ended at `now`; `chance` in 0..1 spreads the wait.
    pub(super) fn record(&mut self, failed: bool, now: Instant, chance: f64) {
        if !self.enabled {
            return;
        }
        if !failed {
            (self.state, self.failures, self.reopened, self.open_until) = (State::Closed, 0, 0, None);
            return;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures >= self.opens_after {
            // Beyond 2^16 intervals every spread is cut to the longest anyway.
            let spread = self.interval.saturating_mul(1 << self.reopened.min(16)).min(MAX_SPREAD);
            self.open_until = Some(now + self.interval + spread.mul_f64(chance.clamp(0.0, 1.0)));
            self.reopened = self.reopened.saturating_add(1);
            self.state = State::Open;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INTERVAL: Duration = Duration::from_secs(10);

    fn failed(breaker: &mut Breaker, times: u32, now: Instant) {
        for _ in 0..times {
            assert!(breaker.allows(now));
            breaker.record(true, now, 1.0);
        }
    }

    #[test]
    fn opens_at_the_fifth_failure_and_closes_with_one_success() {
        let now = Instant::now();
        let mut breaker = Breaker::new(true, 3, INTERVAL);
        failed(&mut breaker, 4, now);
        assert_eq!(breaker.state(), State::Closed);
        failed(&mut breaker, 1, now);
        assert_eq!(breaker.state(), State::Open);
        assert!(!breaker.allows(now + INTERVAL * 2 - Duration::from_millis(1)));
        assert!(breaker.allows(now + INTERVAL * 2));
        assert_eq!(breaker.state(), State::HalfOpen);
        breaker.record(false, now, 1.0);
        assert_eq!(breaker.state(), State::Closed);
        failed(&mut breaker, 4, now);
        assert_eq!(breaker.state(), State::Closed, "a success starts the count anew");
    }

    #[test]
    fn never_opens_before_the_state_can_move() {
        let mut breaker = Breaker::new(true, 8, INTERVAL);
        failed(&mut breaker, 7, Instant::now());
        assert_eq!(breaker.state(), State::Closed);
        failed(&mut breaker, 1, Instant::now());
        assert_eq!(breaker.state(), State::Open);
    }

    #[test]
    fn off_means_off() {
        let mut breaker = Breaker::new(false, 1, INTERVAL);
        failed(&mut breaker, 100, Instant::now());
        assert_eq!(breaker.state(), State::Closed);
    }

    proptest! {
        #[test]
        fn the_wait_lies_between_one_interval_and_one_minute_more(
            failures in 5_u32..200, chance in 0.0_f64..1.0, interval_ms in 100_u64..600_000,
        ) {
            let interval = Duration::from_millis(interval_ms);
            let mut now = Instant::now();
            let mut breaker = Breaker::new(true, 3, interval);
            for _ in 0..failures {
                while !breaker.allows(now) {
                    now += interval;
                }
                breaker.record(true, now, chance);
            }
            let wait = breaker.open_until.unwrap() - now;
            prop_assert!(wait >= interval && wait <= interval + MAX_SPREAD);
        }
    }
}

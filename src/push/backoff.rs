//! How long to wait after a request that failed: longer each time, never the same for two agents, and never sooner than
//! the collector asks for.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
/// Also how late sending goes on at most once the collector is back.
const LONGEST: Duration = Duration::from_secs(30);
/// A collector that asks for more is asked again all the same.
const LONGEST_ASKED_FOR: Duration = Duration::from_hours(1);

/// Failures in a row.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    /// The collector said when, the last time.
    asked: bool,
}

impl Backoff {
    /// How long to wait after one more failure; `after` is what the collector asks for.
    pub(super) fn next(&mut self, after: Option<Duration>) -> Duration {
        let full = FIRST.saturating_mul(1 << self.failures.min(10)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        self.asked = after.is_some();
        match after {
            // Those that were told the same come one after the other.
            Some(after) => after.clamp(FIRST, LONGEST_ASKED_FOR).mul_f64(1.0 + fastrand::f64() / 10.0),
            None => full.mul_f64(0.5 + fastrand::f64() / 2.0),
        }
    }

    /// A request was taken.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Whether the collector said when to come back, and was not yet there again.
    pub(super) fn was_asked(&self) -> bool {
        self.asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_longer_each_time_until_half_a_minute() {
        let mut backoff = Backoff::default();
        for full in [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0] {
            let wait = backoff.next(None).as_secs_f64();
            assert!((full / 2.0..=full).contains(&wait), "{wait} of {full}");
        }
        assert!((0..100).map(|_| backoff.next(None)).all(|wait| wait <= LONGEST));
        backoff.reset();
        assert!(backoff.next(None) <= FIRST);
    }

    #[test]
    fn is_never_sooner_than_asked_for() {
        let mut backoff = Backoff::default();
        for seconds in [1, 7, 600] {
            let asked = Duration::from_secs(seconds);
            assert!((asked..=asked.mul_f64(1.1)).contains(&backoff.next(Some(asked))));
        }
        assert!(backoff.next(Some(Duration::ZERO)) >= FIRST, "at once, for ever, would be no waiting at all");
        assert!(backoff.next(Some(Duration::MAX)) <= LONGEST_ASKED_FOR.mul_f64(1.1));
    }
}

//! When series began: 4 bytes a series, counted from when the store began.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// What a [`Birth`] counts: fine enough for series that live for a second, and enough of them for eight years.
const TICK: Duration = Duration::from_nanos(1_000_000_000 / 16);

/// The beginning of a store, by both clocks: the order of births must not depend on whether somebody sets the time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Epoch {
    wall: SystemTime,
    monotonic: Instant,
}

/// When a series began, in ticks since the [`Epoch`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Birth(u32);

impl Default for Epoch {
    fn default() -> Self {
        Self { wall: SystemTime::now(), monotonic: Instant::now() }
    }
}

impl Epoch {
    /// A birth now.
    pub(super) fn birth(&self) -> Birth {
        let ticks = self.monotonic.elapsed().as_nanos() / TICK.as_nanos();
        Birth(u32::try_from(ticks).unwrap_or(u32::MAX))
    }

    /// The time of `birth`, never after it.
    #[cfg_attr(not(feature = "otlp"), expect(dead_code, reason = "only OTLP tells it"))]
    pub(super) fn time(&self, Birth(ticks): Birth) -> SystemTime {
        self.wall + TICK * ticks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn births_are_told_to_the_tick() {
        let epoch = Epoch::default();
        tokio::time::advance(Duration::from_millis(3_200)).await;
        assert_eq!(epoch.time(epoch.birth()), epoch.wall + Duration::from_micros(3_187_500));
    }
}

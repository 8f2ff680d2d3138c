//! A sign of life from another runtime: one task there beats, whoever answers liveness reads how long ago. How late it
//! beat says how late that runtime is with everything.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

use crate::metrics::Histogram;
use crate::model::DEFAULT_INTERVAL;

/// How often the watched runtime should beat: often enough for [`STALLED`], and when checks run anyway.
pub(crate) const BEAT: Duration = DEFAULT_INTERVAL;
/// After how long without a beat the runtime counts as stalled: generous, because the answer is a restart.
const STALLED: Duration = Duration::from_secs(30);

/// A sign of life. Cheap to clone; every clone is the same pulse.
#[derive(Clone, Debug)]
pub struct Pulse {
    start: Instant,
    /// Milliseconds from the start to the last beat.
    last: Arc<AtomicU64>,
    delays: Arc<OnceLock<Histogram>>,
}

impl Default for Pulse {
    fn default() -> Self {
        Self { start: Instant::now(), last: Arc::default(), delays: Arc::default() }
    }
}

impl Pulse {
    /// Says that the runtime lives.
    pub fn beat(&self) {
        let since = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(since, Ordering::Relaxed);
    }

    /// The same for a beat that was `due` a moment ago.
    pub(crate) fn beat_due(&self, due: Instant) {
        if let Some(delays) = self.delays.get() {
            delays.observe(due.elapsed().as_secs_f64());
        }
        self.beat();
    }

    /// From now on how late beats are is recorded in `delays`.
    pub(crate) fn record_in(&self, delays: Histogram) {
        // Those that were given first stay.
        let _ = self.delays.set(delays);
    }

    /// Whether the last beat is too long ago.
    #[must_use]
    pub fn is_stalled(&self, now: Instant) -> bool {
        let last = self.start + Duration::from_millis(self.last.load(Ordering::Relaxed));
        now.saturating_duration_since(last) > STALLED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn stalls_without_a_beat_and_recovers_with_one() {
        let pulse = Pulse::default();
        tokio::time::advance(STALLED).await;
        assert!(!pulse.is_stalled(Instant::now()));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(pulse.is_stalled(Instant::now()));
        pulse.beat();
        assert!(!pulse.is_stalled(Instant::now()));
    }
}

//! Since when series count: 4 bytes a series. What is counted here begins when its series is made; what the kernel counts
//! began earlier, when the machine or this process started, and whoever reads it says so ([`Since`]).

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// What a [`Birth`] counts: fine enough for series that live for a second, and enough of them for four years.
const TICK: Duration = Duration::from_nanos(1_000_000_000 / 16);

/// The beginning of a store, by both clocks: the order of births must not depend on whether somebody sets the time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Epoch {
    wall: SystemTime,
    monotonic: Instant,
    starts: Starts,
}

/// When that began which counts for the store, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Starts {
    /// The machine's start.
    pub(crate) boot: Option<SystemTime>,
    /// This process' start.
    pub(crate) process: Option<SystemTime>,
}

/// Since when somebody else counts a number that the store shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    /// Nobody knows.
    Unknown,
    /// The start of the machine.
    Boot,
    /// The start of this process.
    Process,
    /// This moment, at which it was not there yet.
    Moment(Birth),
}

/// When a series began, in ticks since the [`Epoch`]; or one of the numbers below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Birth(u32);

const BOOT: Birth = Birth(u32::MAX);
const PROCESS: Birth = Birth(u32::MAX - 1);
/// Set where somebody else counts since then.
const TOLD: u32 = 1 << 31;
/// The last tick there is.
const LAST: u32 = TOLD - 3;

impl Default for Epoch {
    fn default() -> Self {
        Self { wall: SystemTime::now(), monotonic: Instant::now(), starts: Starts::default() }
    }
}

impl Epoch {
    /// A birth now.
    pub(super) fn birth(&self) -> Birth {
        let ticks = self.monotonic.elapsed().as_nanos() / TICK.as_nanos();
        Birth(u32::try_from(ticks).unwrap_or(LAST).min(LAST))
    }

    /// The birth of a series that is made now, of what somebody else counts.
    pub(super) fn birth_since(&self, since: Since) -> Birth {
        match since {
            Since::Unknown => self.birth(),
            Since::Boot => BOOT,
            Since::Process => PROCESS,
            Since::Moment(Birth(ticks)) => Birth(ticks | TOLD),
        }
    }

    /// Takes note of when that began which counts.
    pub(super) fn tell(&mut self, starts: Starts) {
        self.starts = starts;
    }

    /// When `birth` was, never after it: of what is counted here.
    #[cfg_attr(not(feature = "otlp"), expect(dead_code, reason = "only OTLP tells it"))]
    pub(super) fn time(&self, Birth(ticks): Birth) -> SystemTime {
        self.wall + TICK * (ticks & !TOLD).min(LAST)
    }

    /// Since when somebody else counts, where that is known.
    pub(super) fn told(&self, birth: Birth) -> Option<SystemTime> {
        match birth {
            BOOT => self.starts.boot,
            PROCESS => self.starts.process,
            Birth(ticks) => (ticks & TOLD != 0).then(|| self.wall + TICK * (ticks & !TOLD)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn births_are_told_to_the_tick() {
        let epoch = Epoch::default();
        tokio::time::advance(Duration::from_millis(3_200)).await;
        let birth = epoch.birth();
        assert_eq!(epoch.time(birth), epoch.wall + Duration::from_micros(3_187_500));
        assert_eq!(epoch.told(birth), None, "this process counts it");
        let told = epoch.birth_since(Since::Moment(birth));
        assert_eq!(epoch.told(told), Some(epoch.time(birth)));
        tokio::time::advance(Duration::from_hours(24 * 365 * 9)).await;
        assert_eq!(epoch.told(epoch.birth()), None, "after nine years too");
    }

    #[test]
    fn the_machine_and_the_process_started_when_somebody_says_so() {
        let mut epoch = Epoch::default();
        let (boot, process) = (epoch.birth_since(Since::Boot), epoch.birth_since(Since::Process));
        assert_eq!((epoch.told(boot), epoch.told(process)), (None, None));
        let at = |seconds| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        epoch.tell(Starts { boot: at(1), process: at(2) });
        assert_eq!((epoch.told(boot), epoch.told(process)), (at(1), at(2)));
        assert_eq!(epoch.told(epoch.birth_since(Since::Unknown)), None);
    }
}

//! How busy the processors are, for the check: the share of time that was not idle between two readings.
//!
//! sysinfo, which answers elsewhere than on Linux, has no times, only a usage over intervals of its own choosing.

use std::io;
use std::time::Duration;

use tokio::time::Instant;

use super::most_taken_back;
use super::stat::CpuTimes;
use crate::collect::Root;

/// Two readings closer than this say more about the clock tick than about the load.
pub(crate) const SHORTEST: Duration = Duration::from_secs(1);

/// Turns readings into usage, keeping the one before.
pub(crate) struct CpuUsage {
    source: Source,
    previous: Option<(Instant, CpuTimes)>,
    usage: Option<f64>,
}

impl CpuUsage {
    /// Readings of the machine whose root is at `root`.
    pub(crate) fn new(root: &Root) -> Self {
        Self { source: Source::new(root), previous: None, usage: None }
    }

    /// The share of time, 0 to 1, that the processors were busy since the reading before; `None` for the first.
    /// Asked again within a second, it repeats its last answer.
    pub(crate) fn read(&mut self, now: Instant) -> io::Result<Option<f64>> {
        let early = self.previous.is_some_and(|(at, _)| now.duration_since(at) < SHORTEST);
        if early && self.usage.is_some() {
            return Ok(self.usage);
        }
        let times = self.source.read()?;
        Ok(self.take(now, times))
    }

    fn take(&mut self, now: Instant, times: CpuTimes) -> Option<f64> {
        let Some((_, earlier)) = self.previous else {
            self.previous = Some((now, times));
            return None;
        };
        let times = times.steady(&earlier, most_taken_back());
        match times.since(&earlier) {
            Some(spent) if spent.sum() > 0.0 => {
                self.previous = Some((now, times));
                self.usage = Some(spent.busy() / spent.sum());
            }
            Some(_) => {}
            // Counted anew, as when a processor was taken out: the next reading says more.
            None => self.previous = Some((now, times)),
        }
        self.usage
    }
}

#[cfg(target_os = "linux")]
use linux::Source;
#[cfg(not(target_os = "linux"))]
use other::Source;

#[cfg(target_os = "linux")]
mod linux {
    use std::io;

    use crate::collect::Root;
    use crate::collect::cpu::stat::{self, CpuTimes};
    use crate::collect::proc_file::{ProcFile, garbled};

    pub(super) struct Source(ProcFile);

    impl Source {
        pub(super) fn new(root: &Root) -> Self {
            Self(ProcFile::new(root, super::super::STAT))
        }

        pub(super) fn read(&mut self) -> io::Result<CpuTimes> {
            let text = self.0.text()?;
            stat::parse(&text).map(|stat| stat.total).ok_or_else(|| garbled(super::super::STAT))
        }
    }
}

/// Also built for tests, so that it does not rot where nobody builds it.
#[cfg(any(test, not(target_os = "linux")))]
#[cfg_attr(target_os = "linux", expect(dead_code, reason = "only built, to see that it builds"))]
mod other {
    use std::io;

    use sysinfo::System;

    use super::CpuTimes;

    /// sysinfo's usage, added up as if every reading stood for the same time.
    #[derive(Default)]
    pub(super) struct Source {
        system: Option<System>,
        sum: CpuTimes,
    }

    impl Source {
        pub(super) fn new(_root: &crate::collect::Root) -> Self {
            Self::default()
        }

        pub(super) fn read(&mut self) -> io::Result<CpuTimes> {
            const STEP: u64 = 1_000_000;
            let mut system = match self.system.take() {
                Some(system) => system,
                None => System::new().map_err(io::Error::other)?,
            };
            system.refresh_cpu_usage();
            let share = f64::from(system.global_cpu_usage()).clamp(0.0, 100.0) / 100.0;
            self.system = Some(system);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and STEP")]
            let busy = (share * STEP as f64) as u64;
            self.sum.user += busy;
            self.sum.idle += STEP.saturating_sub(busy);
            Ok(self.sum)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn waiting_for_a_disk_is_idle() {
        let mut usage = CpuUsage::new(&Root::default());
        let start = Instant::now();
        let before = CpuTimes { user: 100, idle: 100, iowait: 100, ..CpuTimes::default() };
        let after = CpuTimes { user: 125, idle: 150, iowait: 125, ..CpuTimes::default() };
        assert_eq!(usage.take(start, before), None);
        assert_eq!(usage.take(start + SHORTEST, after), Some(0.25));
    }

    #[test]
    fn time_taken_back_is_not_work() {
        let mut usage = CpuUsage::new(&Root::default());
        let start = Instant::now();
        let before = CpuTimes { user: 100, idle: 500, iowait: 80, ..CpuTimes::default() };
        let after = CpuTimes { user: 110, idle: 490, iowait: 70, ..CpuTimes::default() };
        let later = CpuTimes { user: 120, idle: 510, iowait: 70, ..CpuTimes::default() };
        usage.take(start, before);
        assert_eq!(usage.take(start + SHORTEST, after), Some(1.0));
        assert_eq!(usage.take(start + 2 * SHORTEST, later), Some(0.5));
    }

    #[test]
    fn a_processor_taken_out_is_not_work() {
        let mut usage = CpuUsage::new(&Root::default());
        let start = Instant::now();
        let times = |user, idle| CpuTimes { user, idle, ..CpuTimes::default() };
        usage.take(start, times(1000, 900_000));
        assert_eq!(usage.take(start + SHORTEST, times(1010, 900_090)), Some(0.1));
        assert_eq!(usage.take(start + 2 * SHORTEST, times(1020, 500_000)), Some(0.1));
        assert_eq!(usage.take(start + 3 * SHORTEST, times(1040, 500_080)), Some(0.2));
    }

    #[test]
    fn repeats_itself_within_a_second() {
        let mut usage = CpuUsage { usage: Some(0.5), ..CpuUsage::new(&Root::default()) };
        let now = Instant::now();
        usage.previous = Some((now, CpuTimes::default()));
        assert_eq!(usage.read(now + SHORTEST / 2).unwrap(), Some(0.5));
        assert_eq!(usage.previous.unwrap().0, now);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn reads_this_machine_again_and_again() {
        let mut source = Source::new(&Root::default());
        let worked = |times: CpuTimes| times.user + times.system;
        let first = worked(source.read().unwrap());
        assert!(first > 0);
        assert!(worked(source.read().unwrap()) >= first);
    }

    proptest! {
        #[test]
        fn usage_is_a_ratio(readings in proptest::collection::vec(any::<[u64; 5]>(), 1..8)) {
            let mut usage = CpuUsage::new(&Root::default());
            let mut now = Instant::now();
            for [user, system, idle, iowait, guest] in readings {
                now += SHORTEST;
                let times = CpuTimes { user, system, idle, iowait, guest, ..CpuTimes::default() };
                if let Some(busy) = usage.take(now, times) {
                    prop_assert!((0.0..=1.0).contains(&busy));
                }
            }
        }
    }
}

//! `/proc/stat`: the times that the processors spent, and how many processes were ever made.
//!
//! Parsed here and nowhere else. What guests ran is part of the kernel's `user` and `nice` and is taken out of them, so
//! that nothing is counted twice.

use crate::collect::numbers::{steady, whole};

/// Time spent, in clock ticks since the start of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CpuTimes {
    pub(crate) user: u64,
    pub(crate) nice: u64,
    pub(crate) system: u64,
    pub(crate) idle: u64,
    pub(crate) iowait: u64,
    pub(crate) irq: u64,
    pub(crate) softirq: u64,
    pub(crate) steal: u64,
    pub(crate) guest: u64,
}

/// What the file says of the processors.
#[derive(Debug)]
pub(crate) struct Stat<'a> {
    /// All of them together, also those that were taken out meanwhile.
    pub(crate) total: CpuTimes,
    /// Those that are there now, by number.
    pub(crate) cpus: Vec<(&'a str, CpuTimes)>,
}

/// Reads the lines of the processors, which come first.
pub(crate) fn parse(text: &str) -> Option<Stat<'_>> {
    let mut lines = text.lines();
    let total = CpuTimes::parse(lines.next()?.strip_prefix("cpu ")?)?;
    let mut cpus = Vec::new();
    for line in lines.map_while(|line| line.strip_prefix("cpu")) {
        let (number, times) = line.split_once(' ')?;
        whole(Some(number))?;
        cpus.push((number, CpuTimes::parse(times)?));
    }
    Some(Stat { total, cpus })
}

/// How many processes and threads were made since the start of the machine, if the file says so; the outer `None` is
/// for what is no number.
pub(super) fn created(text: &str) -> Option<Option<u64>> {
    match text.lines().find_map(|line| line.strip_prefix("processes ")) {
        Some(number) => whole(Some(number)).map(Some),
        None => Some(None),
    }
}

impl CpuTimes {
    /// Reads the numbers of one line. Fields that an old kernel does not have are zero.
    fn parse(line: &str) -> Option<Self> {
        let mut values = [None; 10];
        for (value, field) in values.iter_mut().zip(line.split_ascii_whitespace()) {
            *value = Some(whole(Some(field))?);
        }
        let [Some(user), Some(nice), Some(system), Some(idle), rest @ ..] = values else { return None };
        let [iowait, irq, softirq, steal, guest, guest_nice] = rest.map(Option::unwrap_or_default);
        Some(Self {
            user: user.saturating_sub(guest),
            nice: nice.saturating_sub(guest_nice),
            system,
            idle,
            iowait,
            irq,
            softirq,
            steal,
            guest: guest.saturating_add(guest_nice),
        })
    }

    /// The same, with each time held where it was `earlier` as long as it falls by less than `most` ticks: `idle` and
    /// `iowait` are estimates, `user` and `nice` are differences of two roundings, `steal` is what a hypervisor says.
    pub(crate) fn steady(self, earlier: &Self, most: u64) -> Self {
        Self {
            user: steady(earlier.user, self.user, most),
            nice: steady(earlier.nice, self.nice, most),
            system: steady(earlier.system, self.system, most),
            idle: steady(earlier.idle, self.idle, most),
            iowait: steady(earlier.iowait, self.iowait, most),
            irq: steady(earlier.irq, self.irq, most),
            softirq: steady(earlier.softirq, self.softirq, most),
            steal: steady(earlier.steal, self.steal, most),
            guest: steady(earlier.guest, self.guest, most),
        }
    }

    /// What was spent since `earlier`; `None` where a time is less than it was: then the two have nothing in common.
    pub(crate) fn since(&self, earlier: &Self) -> Option<Self> {
        Some(Self {
            user: self.user.checked_sub(earlier.user)?,
            nice: self.nice.checked_sub(earlier.nice)?,
            system: self.system.checked_sub(earlier.system)?,
            idle: self.idle.checked_sub(earlier.idle)?,
            iowait: self.iowait.checked_sub(earlier.iowait)?,
            irq: self.irq.checked_sub(earlier.irq)?,
            softirq: self.softirq.checked_sub(earlier.softirq)?,
            steal: self.steal.checked_sub(earlier.steal)?,
            guest: self.guest.checked_sub(earlier.guest)?,
        })
    }

    /// All of it, guests too. Not a whole number because it may be more than one can hold.
    pub(crate) fn sum(&self) -> f64 {
        [
            self.user,
            self.nice,
            self.system,
            self.idle,
            self.iowait,
            self.irq,
            self.softirq,
            self.steal,
            self.guest,
        ]
        .into_iter()
        .map(|ticks| ticks as f64)
        .sum()
    }

    /// The time that was not idle.
    pub(crate) fn busy(&self) -> f64 {
        Self { idle: 0, iowait: 0, ..*self }.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STAT: &str = "cpu  1000 20 300 5000 40 5 6 7 100 2\ncpu0 500 10 150 2500 20 2 3 4 50 1\n\
        cpu12 500 10 150 2500 20 3 3 3 50 1\nintr 1 2\nctxt 9\nbtime 1\nprocesses 1234\nprocs_running 1\n";

    #[test]
    fn counts_guests_once() {
        let stat = parse(STAT).unwrap();
        assert_eq!(
            stat.total,
            CpuTimes {
                user: 900,
                nice: 18,
                system: 300,
                idle: 5000,
                iowait: 40,
                irq: 5,
                softirq: 6,
                steal: 7,
                guest: 102,
            }
        );
        assert_eq!(stat.total.sum(), 6378.0);
        assert_eq!(stat.total.busy(), 1338.0);
        let numbers: Vec<_> = stat.cpus.iter().map(|(number, times)| (*number, times.user)).collect();
        assert_eq!(numbers, [("0", 450), ("12", 450)]);
        assert_eq!(created(STAT), Some(Some(1234)));
        assert_eq!(created("cpu 1 2 3 4\n"), Some(None));
        assert_eq!(created("cpu 1 2 3 4\nprocesses many\n"), None);
    }

    #[test]
    fn reads_an_old_kernel() {
        assert_eq!(parse("cpu 1 2 3 4\n").unwrap().total.idle, 4);
        for text in ["", "cpu 1 2 3\n", "cpux 1 2 3 4\n", "cpu 1 2 3 4\ncpu0 1 x 3 4\n", "intr 1 2 3 4\n"] {
            assert!(parse(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn garbage_is_nothing_or_a_reading(text in "(cpu )?\\PC{0,80}", end in 0..STAT.len()) {
            let _ = (parse(&text), created(&text));
            let _ = (parse(&STAT[..end]), created(&STAT[..end]));
        }

        #[test]
        fn nothing_is_less_than_before_or_all_is_new(earlier: [u64; 4], now: [u64; 4]) {
            let times = |[user, idle, iowait, steal]: [u64; 4]| CpuTimes { user, idle, iowait, steal, ..CpuTimes::default() };
            let (earlier, now) = (times(earlier), times(now));
            let spent = now.steady(&earlier, u64::MAX).since(&earlier);
            prop_assert!(spent.is_some_and(|spent| spent.sum() >= spent.busy()));
        }
    }
}

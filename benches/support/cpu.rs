//! What processor time the system counts for a process, twice: in ticks of 10 ms, as every tool shows it, and in
//! nanoseconds, which is what a process that needs less than a tick must be measured with.

use std::fs;
use std::time::Duration;

/// Processor time that a process used until now.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu {
    /// `utime` and `stime` of `/proc/PID/stat`: all threads, also those that ended.
    pub ticks: Duration,
    /// The first number of `/proc/PID/task/*/schedstat`: the threads that there are.
    pub exact: Duration,
}

impl Cpu {
    /// What the process `pid` used until now.
    pub fn of(pid: u32) -> Self {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        // The name, in brackets, may hold spaces; user and system time are the 12th and 13th fields after it.
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
        let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let exact = threads.map(|thread| {
            // A thread may end while it is looked at.
            let text = fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap_or_default();
            text.split_whitespace().next().map_or(0, |field| field.parse().unwrap())
        });
        // The kernel tells user space hundredths of a second on every architecture of ours.
        Self { ticks: Duration::from_millis(ticks * 10), exact: Duration::from_nanos(exact.sum()) }
    }

    /// What was used since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            ticks: self.ticks.saturating_sub(earlier.ticks),
            exact: self.exact.saturating_sub(earlier.exact),
        }
    }
}

//! The metrics that Prometheus' client libraries have of their process, under the names that generic dashboards and
//! alerts look for.
//!
//! That crate has a collector of its own for them. It is not used: it counts processor time in whole seconds, and wants
//! an older version of a crate that is here already.

use prometheus::Registry;

/// A registry with the client libraries' `process_*` metrics of this process; empty where the system has no `/proc`.
///
/// For a program that has no such metrics yet: see [`Store::join`](crate::metrics::Store::join).
#[must_use]
pub fn process_registry() -> Registry {
    let registry = Registry::new();
    #[cfg(target_os = "linux")]
    if let Ok(collector) = linux::ProcessCollector::new() {
        // The only one in the registry, so no other has its names.
        let _ = registry.register(Box::new(collector));
    }
    registry
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::{self, File};
    use std::io;
    use std::os::unix::fs::FileExt;

    use prometheus::core::{Collector, Desc};
    use prometheus::proto::MetricFamily;
    use prometheus::{Counter, Gauge};
    use rustix::param::{clock_ticks_per_second, page_size};
    use rustix::process::{Resource, getrlimit};

    pub(super) struct ProcessCollector {
        /// `/proc/self/stat`, where there is one.
        stat: Option<File>,
        cpu: Counter,
        open_fds: Gauge,
        max_fds: Gauge,
        virtual_memory: Gauge,
        resident_memory: Gauge,
        start_time: Gauge,
        threads: Gauge,
    }

    impl ProcessCollector {
        pub(super) fn new() -> prometheus::Result<Self> {
            Ok(Self {
                stat: File::open("/proc/self/stat").ok(),
                cpu: Counter::new(
                    "process_cpu_seconds_total",
                    "Total user and system CPU time spent in seconds.",
                )?,
                open_fds: Gauge::new("process_open_fds", "Number of open file descriptors.")?,
                max_fds: Gauge::new("process_max_fds", "Maximum number of open file descriptors.")?,
                virtual_memory: Gauge::new("process_virtual_memory_bytes", "Virtual memory size in bytes.")?,
                resident_memory: Gauge::new(
                    "process_resident_memory_bytes",
                    "Resident memory size in bytes.",
                )?,
                start_time: Gauge::new(
                    "process_start_time_seconds",
                    "Start time of the process since unix epoch in seconds.",
                )?,
                threads: Gauge::new("process_threads", "Number of OS threads in the process.")?,
            })
        }

        fn all(&self) -> [&dyn Collector; 7] {
            [
                &self.cpu,
                &self.open_fds,
                &self.max_fds,
                &self.virtual_memory,
                &self.resident_memory,
                &self.start_time,
                &self.threads,
            ]
        }

        /// Reads the numbers; `None` where the kernel does not tell.
        fn read(&self) -> Option<()> {
            // Fifty-two numbers of at most twenty digits and a short name.
            let mut text = [0; 2048];
            let length = self.stat.as_ref()?.read_at(&mut text, 0).ok()?;
            let stat = String::from_utf8_lossy(text.get(..length)?);
            // The name of the process comes first and may hold anything; what follows is numbers.
            let (_, text) = stat.rsplit_once(") ")?;
            let mut numbers = [0.0; 22];
            for (number, text) in numbers.iter_mut().zip(text.split_ascii_whitespace()) {
                *number = text.parse().unwrap_or_default();
            }
            let number = |index: usize| numbers.get(index).copied();
            let ticks = clock_ticks_per_second() as f64;
            let cpu = (number(11)? + number(12)?) / ticks;
            self.cpu.inc_by((cpu - self.cpu.get()).max(0.0));
            self.threads.set(number(17)?);
            let since_boot = number(19)? / ticks;
            self.virtual_memory.set(number(20)?);
            self.resident_memory.set(number(21)? * page_size() as f64);
            self.open_fds.set(open_descriptors().ok()? as f64);
            if let Some(limit) = getrlimit(Resource::Nofile).current {
                self.max_fds.set(limit as f64);
            }
            if self.start_time.get() == 0.0 {
                let stat = fs::read_to_string("/proc/stat").ok()?;
                let boot = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
                self.start_time.set(boot.trim().parse::<f64>().ok()? + since_boot);
            }
            Some(())
        }
    }

    /// How many entries the folder has: since Linux 6.2 its size says so, before they had to be counted.
    fn open_descriptors() -> io::Result<u64> {
        const FOLDER: &str = "/proc/self/fd";
        match fs::metadata(FOLDER)?.len() {
            // The folder is itself open while it is listed.
            0 => Ok((fs::read_dir(FOLDER)?.count() as u64).saturating_sub(1)),
            count => Ok(count),
        }
    }

    impl Collector for ProcessCollector {
        fn desc(&self) -> Vec<&Desc> {
            self.all().into_iter().flat_map(Collector::desc).collect()
        }

        fn collect(&self) -> Vec<MetricFamily> {
            match self.read() {
                Some(()) => self.all().into_iter().flat_map(Collector::collect).collect(),
                None => Vec::new(),
            }
        }
    }
}

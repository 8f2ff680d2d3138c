//! What a process has of memory, descriptors and threads, by /proc.

use std::{collections::BTreeMap, fmt};

/// A look at a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Bytes of memory, and the most that it ever had.
    pub(crate) memory: u64,
    pub(crate) peak: u64,
    pub(crate) descriptors: usize,
    pub(crate) threads: u64,
}

impl Figures {
    #[track_caller]
    pub(crate) fn of(pid: i32) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a status");
        let number = |name: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let number = line.and_then(|line| line.split_ascii_whitespace().next());
            number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{name} in {status}"))
        };
        Self {
            memory: number("VmRSS") * 1024,
            peak: number("VmHWM") * 1024,
            descriptors: descriptors(pid).len(),
            threads: number("Threads"),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (memory, peak) = (mebibytes(self.memory), mebibytes(self.peak));
        let (descriptors, threads) = (self.descriptors, self.threads);
        write!(f, "{memory:.1} MiB (peak {peak:.1}), {descriptors} descriptors, {threads} threads")
    }
}

/// What the descriptors of a process lead to; sockets without their numbers.
pub(crate) fn descriptors(pid: i32) -> Vec<String> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten();
    let targets = entries.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    targets.map(|target| target.display().to_string()).collect()
}

/// How many descriptors there are of each sort, for messages.
pub(crate) fn sorts(pid: i32) -> BTreeMap<String, usize> {
    let mut sorts = BTreeMap::new();
    for target in descriptors(pid) {
        let sort = target.split('[').next().unwrap_or_default().to_owned();
        *sorts.entry(sort).or_default() += 1;
    }
    sorts
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
pub(crate) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

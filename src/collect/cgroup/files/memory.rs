//! The files on memory. In version 1 everything is out of `memory.stat`, in version 2 swap and events have their own.

use std::io;

use super::{in_each, in_own, least, read, read_one};
use crate::collect::KernelFile;
use crate::collect::cgroup::parse;
use crate::collect::cgroup::place::{Folders, Version};

/// Version 1 says "no limit" with the largest number of pages; nothing near it is a limit.
const NO_LIMIT: u64 = 1 << 62;

#[derive(Debug, Default)]
pub(in crate::collect::cgroup) struct Memory {
    /// Names of what is read out of `memory.stat`.
    keys: [&'static str; 4],
    usage: Option<KernelFile>,
    stat: Option<KernelFile>,
    swap: Option<KernelFile>,
    events: Option<KernelFile>,
    limits: Vec<KernelFile>,
    /// What the machine has: a limit beyond it is none.
    machine: Option<u64>,
}

/// What is read out of `memory.stat`, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::collect::cgroup) struct MemoryStat {
    /// Page cache that is the first to go.
    pub(in crate::collect::cgroup) inactive_file: Option<u64>,
    pub(in crate::collect::cgroup) rss: Option<u64>,
    swap: Option<u64>,
    /// The least limit from here to the very top, which only version 1 tells.
    limit: Option<u64>,
}

impl Memory {
    pub(in crate::collect::cgroup) fn new(place: Option<(Version, Folders)>, machine: Option<u64>) -> Self {
        let Some((version, folders)) = place else { return Self::default() };
        let (keys, usage, limit) = match version {
            Version::One => (
                ["total_inactive_file", "total_rss", "total_swap", "hierarchical_memory_limit"],
                "memory.usage_in_bytes",
                "memory.limit_in_bytes",
            ),
            Version::Two => (["inactive_file", "anon", "", ""], "memory.current", "memory.max"),
        };
        let only_two = |name| if version == Version::Two { in_own(&folders, name) } else { None };
        Self {
            keys,
            usage: in_own(&folders, usage),
            stat: in_own(&folders, "memory.stat"),
            swap: only_two("memory.swap.current"),
            events: only_two("memory.events"),
            limits: in_each(&folders, limit),
            machine,
        }
    }

    pub(in crate::collect::cgroup) fn usage(&mut self) -> io::Result<Option<u64>> {
        read_one(&mut self.usage, parse::number)
    }

    pub(in crate::collect::cgroup) fn stat(&mut self) -> io::Result<MemoryStat> {
        let keys = self.keys;
        let values = read_one(&mut self.stat, |text| parse::keyed(text, keys))?;
        let [inactive_file, rss, swap, limit] = values.unwrap_or_default();
        Ok(MemoryStat { inactive_file, rss, swap, limit })
    }

    /// The bytes that the group may use, given what `memory.stat` said.
    pub(in crate::collect::cgroup) fn limit(&mut self, stat: &MemoryStat) -> io::Result<Option<u64>> {
        let own = least(&mut self.limits, |file| read(file, parse::limit))?;
        let most = self.machine.unwrap_or(NO_LIMIT).min(NO_LIMIT);
        Ok(own.into_iter().chain(stat.limit).min().filter(|limit| *limit < most))
    }

    pub(in crate::collect::cgroup) fn swap(&mut self, stat: &MemoryStat) -> io::Result<Option<u64>> {
        Ok(read_one(&mut self.swap, parse::number)?.or(stat.swap))
    }

    /// How often each of `events` happened.
    pub(in crate::collect::cgroup) fn events<const N: usize>(
        &mut self,
        events: [&'static str; N],
    ) -> io::Result<Option<[Option<u64>; N]>> {
        read_one(&mut self.events, |text| parse::keyed(text, events))
    }
}

//! The files on memory, of the own group and of those above it. In version 1 nearly everything is out of `memory.stat`, in
//! version 2 swap and events have their own.

use std::io;
use std::path::Path;

use super::{Limit, least, read, read_one};
use crate::collect::KernelFile;
use crate::collect::cgroup::parse;
use crate::collect::cgroup::place::{Folders, Version};

/// Version 1 says "no limit" with the largest number of pages; nothing near it is a limit.
const NO_LIMIT: u64 = 1 << 62;

#[derive(Debug, Default)]
pub(in crate::collect::cgroup) struct Memory {
    levels: Vec<Level>,
    /// What the machine has: a limit beyond it is none.
    machine: Option<u64>,
}

#[derive(Debug)]
struct Level {
    /// Names of what is read out of `memory.stat`.
    keys: [&'static str; 4],
    usage: KernelFile,
    stat: KernelFile,
    swap: Option<KernelFile>,
    events: Option<KernelFile>,
    /// What cannot be exceeded.
    limit: KernelFile,
    /// What can, but slows the group down until it has given back what is beyond.
    high: Option<KernelFile>,
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

impl Level {
    fn new(version: Version, folder: &Path) -> Self {
        let file = |name| KernelFile::new(folder.join::<&str>(name));
        match version {
            Version::One => Self {
                keys: ["total_inactive_file", "total_rss", "total_swap", "hierarchical_memory_limit"],
                usage: file("memory.usage_in_bytes"),
                stat: file("memory.stat"),
                swap: None,
                events: None,
                limit: file("memory.limit_in_bytes"),
                high: None,
            },
            Version::Two => Self {
                keys: ["inactive_file", "anon", "", ""],
                usage: file("memory.current"),
                stat: file("memory.stat"),
                swap: Some(file("memory.swap.current")),
                events: Some(file("memory.events")),
                limit: file("memory.max"),
                high: Some(file("memory.high")),
            },
        }
    }

    fn stat(&mut self) -> io::Result<MemoryStat> {
        let keys = self.keys;
        let values = read(&mut self.stat, |text| parse::keyed(text, keys))?;
        let [inactive_file, rss, swap, limit] = values.unwrap_or_default();
        Ok(MemoryStat { inactive_file, rss, swap, limit })
    }

    fn limit(&mut self) -> io::Result<Option<u64>> {
        let limits = [read(&mut self.limit, parse::limit)?, read_one(&mut self.high, parse::limit)?];
        Ok(limits.into_iter().flatten().flatten().min())
    }
}

impl Memory {
    pub(in crate::collect::cgroup) fn new(place: Option<(Version, Folders)>, machine: Option<u64>) -> Self {
        let Some((version, folders)) = place else { return Self::default() };
        let levels = folders.iter().map(|folder| Level::new(version, folder));
        Self { levels: levels.collect(), machine }
    }

    /// The bytes that the group may use.
    pub(in crate::collect::cgroup) fn limit(&mut self) -> io::Result<Option<Limit<u64>>> {
        let visible = least(&mut self.levels, Level::limit)?;
        let inherited = match self.levels.first_mut() {
            // Only version 1 tells it.
            Some(own) if own.high.is_none() => own.stat()?.limit,
            _ => None,
        };
        let limit = match (visible, inherited) {
            (Some(visible), Some(inherited)) if visible.most == inherited => Some(visible),
            // Of a group that is out of sight, which leaves the own one to count what is used; or the visible one does not
            // count, as groups of version 1 need not limit those below them.
            (_, Some(inherited)) => Some(Limit { level: 0, most: inherited }),
            (visible, None) => visible,
        };
        let most = self.machine.unwrap_or(NO_LIMIT).min(NO_LIMIT);
        Ok(limit.filter(|limit| limit.most < most))
    }

    /// The bytes that the group at this level uses.
    pub(in crate::collect::cgroup) fn usage(&mut self, level: usize) -> io::Result<Option<u64>> {
        self.levels.get_mut(level).map_or(Ok(None), |level| read(&mut level.usage, parse::number))
    }

    pub(in crate::collect::cgroup) fn stat(&mut self, level: usize) -> io::Result<MemoryStat> {
        self.levels.get_mut(level).map_or(Ok(MemoryStat::default()), Level::stat)
    }

    /// What is swapped out of it, given what `memory.stat` said.
    pub(in crate::collect::cgroup) fn swap(
        &mut self,
        level: usize,
        stat: &MemoryStat,
    ) -> io::Result<Option<u64>> {
        let own =
            self.levels.get_mut(level).map_or(Ok(None), |level| read_one(&mut level.swap, parse::number))?;
        Ok(own.or(stat.swap))
    }

    /// How often each of `events` happened.
    pub(in crate::collect::cgroup) fn events<const N: usize>(
        &mut self,
        level: usize,
        events: [&'static str; N],
    ) -> io::Result<Option<[Option<u64>; N]>> {
        let file = self.levels.get_mut(level).map(|level| &mut level.events);
        file.map_or(Ok(None), |file| read_one(file, |text| parse::keyed(text, events)))
    }
}

//! The files of this process' control group, by resource, in either version. They stay open; a file that is not there,
//! or no longer, is a number that is not there.

mod memory;

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::parse;
use super::place::{Folders, Version};
use crate::collect::KernelFile;
use crate::collect::pressure::{self, Stalls};

pub(super) use memory::Memory;

/// Version 1 counts processor time in these, whatever the kernel's own clock is.
const USER_HZ: f64 = 100.0;

/// What `parse` makes of the file; `None` where there is no such file or the kernel has it switched off.
fn read<T>(file: &mut KernelFile, parse: impl FnOnce(&str) -> Option<T>) -> io::Result<Option<T>> {
    match file.text() {
        Ok(text) => parse(text).map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into()),
        Err(error) => match Errno::from_io_error(&error) {
            Some(Errno::NOENT | Errno::NODEV | Errno::NOTDIR | Errno::OPNOTSUPP) => Ok(None),
            _ => Err(error),
        },
    }
}

/// The limit that a group meets first: the least of its own and of those above it; of equal ones the nearest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Limit<T> {
    /// How many groups above the own one it is. What is used of it, and what happens at it, is counted there.
    pub(super) level: usize,
    pub(super) most: T,
}

fn least<F, T: PartialOrd>(
    levels: &mut [F],
    mut read: impl FnMut(&mut F) -> io::Result<Option<T>>,
) -> io::Result<Option<Limit<T>>> {
    levels.iter_mut().enumerate().try_fold(None, |least: Option<Limit<T>>, (level, files)| {
        let limit = read(files)?.map(|most| Limit { level, most });
        Ok(match (least, limit) {
            (Some(least), Some(limit)) if limit.most < least.most => Some(limit),
            (least, limit) => least.or(limit),
        })
    })
}

/// Reads the file if the version has one.
fn read_one<T>(
    file: &mut Option<KernelFile>,
    parse: impl FnOnce(&str) -> Option<T>,
) -> io::Result<Option<T>> {
    file.as_mut().map_or(Ok(None), |file| read(file, parse))
}

/// The files on processors, of the own group and of those above it.
#[derive(Debug, Default)]
pub(super) struct Cpu(Vec<CpuLevel>);

#[derive(Debug)]
struct CpuLevel {
    /// `cpu.stat`, with the unit of its throttled time.
    version: Version,
    stat: KernelFile,
    /// Version 1's `cpuacct.stat`.
    times: Option<KernelFile>,
    quota: Quota,
}

#[derive(Debug)]
enum Quota {
    One { quota: KernelFile, period: KernelFile },
    Two(KernelFile),
}

/// What the group did since it was made, in seconds and numbers of periods.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct CpuStat {
    /// In user mode, in the kernel.
    pub(super) times: Option<(f64, f64)>,
    pub(super) throttling: Option<Throttling>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Throttling {
    pub(super) periods: u64,
    pub(super) throttled: u64,
    pub(super) time: f64,
}

impl Cpu {
    /// The controller, and version 1's apart that counts the time.
    pub(super) fn new(cpu: Option<(Version, Folders)>, accounting: Option<(Version, Folders)>) -> Self {
        let accounting = match accounting {
            Some((Version::One, folders)) => folders,
            _ => Folders::new(),
        };
        // The time is counted though nothing limits it.
        let (version, folders) = cpu.unwrap_or_else(|| (Version::One, accounting.clone()));
        // In another place of its hierarchy, only the own group is the same in both.
        let same = accounting.len() == folders.len();
        let levels = folders.iter().enumerate().map(|(level, folder)| CpuLevel {
            version,
            stat: KernelFile::new(folder.join("cpu.stat")),
            times: accounting
                .get(level)
                .filter(|_| same || level == 0)
                .map(|folder| KernelFile::new(folder.join("cpuacct.stat"))),
            quota: match version {
                Version::One => Quota::One {
                    quota: KernelFile::new(folder.join("cpu.cfs_quota_us")),
                    period: KernelFile::new(folder.join("cpu.cfs_period_us")),
                },
                Version::Two => Quota::Two(KernelFile::new(folder.join("cpu.max"))),
            },
        });
        Self(levels.collect())
    }

    /// How many processors the group may use.
    pub(super) fn limit(&mut self) -> io::Result<Option<Limit<f64>>> {
        least(&mut self.0, |level| match &mut level.quota {
            Quota::Two(file) => Ok(read(file, parse::processors)?.flatten()),
            Quota::One { quota, period } => {
                let (quota, period) = (read(quota, owned)?, read(period, owned)?);
                let Some((quota, period)) = quota.zip(period) else { return Ok(None) };
                parse::processors_of_two(&quota, &period).ok_or_else(|| io::ErrorKind::InvalidData.into())
            }
        })
    }

    /// What the group at this level did.
    pub(super) fn stat(&mut self, level: usize) -> io::Result<CpuStat> {
        const KEYS: [&str; 6] =
            ["user_usec", "system_usec", "nr_periods", "nr_throttled", "throttled_usec", "throttled_time"];
        let mut all = CpuStat::default();
        let Some(CpuLevel { version, stat, times, .. }) = self.0.get_mut(level) else { return Ok(all) };
        if let Some(values) = read(stat, |text| parse::keyed(text, KEYS))? {
            let [user, system, periods, throttled, micros, nanos] = values;
            let time = match version {
                Version::One => nanos.map(|nanos| nanos as f64 / 1e9),
                Version::Two => micros.map(seconds),
            };
            all.times = user.map(seconds).zip(system.map(seconds));
            all.throttling = periods
                .zip(throttled)
                .zip(time)
                .map(|((periods, throttled), time)| Throttling { periods, throttled, time });
        }
        if let Some([Some(user), Some(system)]) =
            read_one(times, |text| parse::keyed(text, ["user", "system"]))?
        {
            all.times = Some((user as f64 / USER_HZ, system as f64 / USER_HZ));
        }
        Ok(all)
    }
}

fn owned(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// Microseconds as seconds.
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// The files on tasks, of the own group and of those above it: how many there are, and how many there may be.
#[derive(Debug, Default)]
pub(super) struct Pids(Vec<(KernelFile, KernelFile)>);

impl Pids {
    pub(super) fn new(place: Option<(Version, Folders)>) -> Self {
        let Some((_, folders)) = place else { return Self::default() };
        let file = |folder: &Path, name| KernelFile::new(folder.join(name));
        Self(folders.iter().map(|folder| (file(folder, "pids.current"), file(folder, "pids.max"))).collect())
    }

    /// How many tasks the group at this level has.
    pub(super) fn usage(&mut self, level: usize) -> io::Result<Option<u64>> {
        self.0.get_mut(level).map_or(Ok(None), |(usage, _)| read(usage, parse::number))
    }

    pub(super) fn limit(&mut self) -> io::Result<Option<Limit<u64>>> {
        least(&mut self.0, |(_, limit)| Ok(read(limit, parse::limit)?.flatten()))
    }
}

/// How long tasks waited for a resource, in the own group and in those above it, which only version 2 tells.
#[derive(Debug)]
pub(super) struct Pressure {
    pub(super) resource: &'static str,
    levels: Vec<KernelFile>,
    /// Whether the levels of its limit are these, and not those of another hierarchy.
    same: bool,
}

impl Pressure {
    /// Of the topmost group of all it would be the machine's, so `folders` have to be without that. `is_same` tells of a
    /// controller whether it has the same groups.
    pub(super) fn all(folders: &[PathBuf], is_same: impl Fn(&str) -> bool) -> Vec<Self> {
        let of = |resource: &'static str| {
            let file = |folder: &PathBuf| KernelFile::new(folder.join(format!("{resource}.pressure")));
            Self { resource, levels: folders.iter().map(file).collect(), same: is_same(resource) }
        };
        ["cpu", "memory", "io"].map(of).into()
    }

    /// Of the level that has the limit, or else of the own group.
    pub(super) fn read(&mut self, level: usize) -> io::Result<Option<Stalls>> {
        let level = if self.same { level } else { 0 };
        self.levels.get_mut(level).map_or(Ok(None), |file| read(file, pressure::parse))
    }
}

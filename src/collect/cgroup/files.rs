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

pub(super) use memory::{Memory, MemoryStat};

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

/// The least of the limits of a group and of those above it.
fn least<F, T: PartialOrd>(
    files: &mut [F],
    mut read: impl FnMut(&mut F) -> io::Result<Option<Option<T>>>,
) -> io::Result<Option<T>> {
    files.iter_mut().try_fold(None, |least: Option<T>, file| {
        let limit = read(file)?.flatten();
        Ok(match (least, limit) {
            (Some(least), Some(limit)) if limit < least => Some(limit),
            (least, limit) => least.or(limit),
        })
    })
}

fn in_each(folders: &[PathBuf], name: &str) -> Vec<KernelFile> {
    folders.iter().map(|folder| KernelFile::new(folder.join(name))).collect()
}

fn in_own(folders: &[PathBuf], name: &str) -> Option<KernelFile> {
    folders.first().map(|folder| KernelFile::new(folder.join(name)))
}

/// Reads the file if the version has one.
fn read_one<T>(
    file: &mut Option<KernelFile>,
    parse: impl FnOnce(&str) -> Option<T>,
) -> io::Result<Option<T>> {
    file.as_mut().map_or(Ok(None), |file| read(file, parse))
}

#[derive(Debug, Default)]
pub(super) struct Cpu {
    /// `cpu.stat`, with the unit of its throttled time.
    stat: Option<(Version, KernelFile)>,
    /// Version 1's `cpuacct.stat`.
    times: Option<KernelFile>,
    quotas: Vec<Quota>,
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
        let mut files = Self::default();
        if let Some((version, folders)) = cpu {
            files.stat = in_own(&folders, "cpu.stat").map(|stat| (version, stat));
            files.quotas = match version {
                Version::One => in_each(&folders, "cpu.cfs_quota_us")
                    .into_iter()
                    .zip(in_each(&folders, "cpu.cfs_period_us"))
                    .map(|(quota, period)| Quota::One { quota, period })
                    .collect(),
                Version::Two => in_each(&folders, "cpu.max").into_iter().map(Quota::Two).collect(),
            };
        }
        if let Some((Version::One, folders)) = accounting {
            files.times = in_own(&folders, "cpuacct.stat");
        }
        files
    }

    /// How many processors the group may use.
    pub(super) fn limit(&mut self) -> io::Result<Option<f64>> {
        least(&mut self.quotas, |level| match level {
            Quota::Two(file) => read(file, parse::processors),
            Quota::One { quota, period } => {
                let (quota, period) = (read(quota, owned)?, read(period, owned)?);
                let Some((quota, period)) = quota.zip(period) else { return Ok(None) };
                parse::processors_of_two(&quota, &period)
                    .map(Some)
                    .ok_or_else(|| io::ErrorKind::InvalidData.into())
            }
        })
    }

    pub(super) fn stat(&mut self) -> io::Result<CpuStat> {
        const KEYS: [&str; 6] =
            ["user_usec", "system_usec", "nr_periods", "nr_throttled", "throttled_usec", "throttled_time"];
        let mut all = CpuStat::default();
        if let Some((version, file)) = &mut self.stat
            && let Some(values) = read(file, |text| parse::keyed(text, KEYS))?
        {
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
            read_one(&mut self.times, |text| parse::keyed(text, ["user", "system"]))?
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

#[derive(Debug, Default)]
pub(super) struct Pids {
    usage: Option<KernelFile>,
    limits: Vec<KernelFile>,
}

impl Pids {
    pub(super) fn new(place: Option<(Version, Folders)>) -> Self {
        let Some((_, folders)) = place else { return Self::default() };
        Self { usage: in_own(&folders, "pids.current"), limits: in_each(&folders, "pids.max") }
    }

    pub(super) fn usage(&mut self) -> io::Result<Option<u64>> {
        read_one(&mut self.usage, parse::number)
    }

    pub(super) fn limit(&mut self) -> io::Result<Option<u64>> {
        least(&mut self.limits, |file| read(file, parse::limit))
    }
}

/// How long the tasks of the group waited for a resource, which only version 2 tells.
#[derive(Debug)]
pub(super) struct Pressure {
    pub(super) resource: &'static str,
    file: KernelFile,
}

impl Pressure {
    pub(super) fn all(folder: &Path) -> Vec<Self> {
        let of = |(resource, name)| Self { resource, file: KernelFile::new(folder.join(name)) };
        [("cpu", "cpu.pressure"), ("memory", "memory.pressure"), ("io", "io.pressure")].map(of).into()
    }

    pub(super) fn read(&mut self) -> io::Result<Option<Stalls>> {
        read(&mut self.file, pressure::parse)
    }
}

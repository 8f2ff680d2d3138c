//! Collector `filesystem`: how full the mounted file systems are.
//!
//! Reads `/proc/self/mountinfo` and asks every mount that is [shown](selection) with statvfs(2): one that answers out of
//! the kernel's memory at once, any other on a thread that may [hang](asker). Some 30 µs for the list, 3 µs for the
//! former and 25 µs for the latter. A mount that does not answer within 100 ms is marked and
//! not asked again before it has answered; all together take half a second at most, and those for which no time was
//! left come first the next time. What is found at a mount's path and is not that mount is [withheld](belongs). A file
//! system without blocks is left out, and inodes where it has no fixed number of them. Says nothing of directories and
//! quotas.

mod asker;
mod belongs;
mod list;
pub(super) mod mountinfo;
mod selection;
mod wanted;

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::disk::Disk;
use super::{Collector, Root, Sheet, Source};
use rustix::io::Errno;
use tracing::warn;

use crate::config::Fields;
use crate::model::{Definition, Instrument, Reason};

pub(crate) use belongs::{Elsewhere, disk_of};

use asker::{Answer, Ask, Asker, Key, Space};
use list::{List, Listed};
use selection::Selection;
use wanted::Wanted;

static USAGE: Definition = Definition {
    name: "system.filesystem.usage",
    instrument: Instrument::UpDownCounter,
    unit: "By",
    attributes: &[
        "system.device",
        "system.filesystem.mountpoint",
        "system.filesystem.type",
        "system.filesystem.mode",
        "system.filesystem.state",
    ],
    help: "Space of the file system by state: used, free for everybody, reserved for root; the three add up to the limit",
};
static LIMIT: Definition = Definition {
    name: "system.filesystem.limit",
    instrument: Instrument::UpDownCounter,
    unit: "By",
    attributes: MOUNT,
    help: "Size of the file system",
};
static UTILIZATION: Definition = Definition {
    name: "system.filesystem.utilization",
    instrument: Instrument::Gauge,
    unit: "1",
    attributes: MOUNT,
    help: "Share of the space that is used, of what everybody can use, as df counts",
};
static INODES: Definition = Definition {
    name: "system.filesystem.inodes.usage",
    instrument: Instrument::UpDownCounter,
    unit: "{inode}",
    attributes: USAGE.attributes,
    help: "Inodes of the file system by state: used, free",
};
static UNRESPONSIVE: Definition = Definition {
    name: "vitalsign.filesystem.unresponsive",
    instrument: Instrument::Gauge,
    unit: "",
    attributes: &["system.filesystem.mountpoint"],
    help: "1 if the file system does not answer, or only says that it cannot (ENOTCONN, ESTALE, EIO); its other series are withheld then",
};

const MOUNT: &[&str] =
    &["system.device", "system.filesystem.mountpoint", "system.filesystem.type", "system.filesystem.mode"];

static DEFINITIONS: &[&Definition] = &[&USAGE, &LIMIT, &UTILIZATION, &INODES, &UNRESPONSIVE];

/// See the module.
pub(super) struct Filesystem;

impl Source for Filesystem {
    fn name(&self) -> &'static str {
        "filesystem"
    }

    fn about(&self) -> &'static str {
        "Measures how full the mounted file systems are, and marks those that do not answer."
    }

    fn definitions(&self) -> &'static [&'static Definition] {
        DEFINITIONS
    }

    fn build(&self, root: &Root, fields: &mut Fields<'_>) -> Option<Box<dyn Collector>> {
        let none = Vec::<String>::new;
        let types = Wanted {
            include: fields.or(
                "include_types",
                none(),
                "types of file systems to show, such as `ext4` or `nfs*` (`*` stands for anything); only these are \
                 shown then, and no type is hidden by default. Unless given, everything is shown but pseudo file \
                 systems, those in memory, read-only images, remote ones and `fuse.*`",
            ),
            exclude: fields.or("exclude_types", none(), "types not to show, beside those hidden by default"),
        };
        let mounts = Wanted {
            include: fields.or(
                "include_mounts",
                none(),
                "mount points to show, such as `/data` or `/mnt/*` (`*` stands for anything, `/` too); only these are \
                 shown then, and no mount point is hidden by default. Unless given, everything is shown but what is \
                 under `/dev`, `/proc`, `/sys`, and what container engines mount",
            ),
            exclude: fields.or("exclude_mounts", none(), "mount points not to show, beside those hidden by default"),
        };
        for (name, patterns) in [("include_mounts", &mounts.include), ("exclude_mounts", &mounts.exclude)] {
            if patterns.iter().any(|pattern| !pattern.starts_with(['/', '*'])) {
                fields.problem(name, "every mount point starts with `/` or `*`");
                return None;
            }
        }
        let selection = Selection { types, mounts };
        Some(Box::new(FilesystemCollector::new(root, selection, Arc::new(Space::read), Patience::default())))
    }
}

#[derive(Clone, Copy, Debug)]
struct Patience {
    /// How long one mount may take to answer.
    each: Duration,
    /// How long all of them may.
    all: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { each: Duration::from_millis(100), all: Duration::from_millis(500) }
    }
}

struct FilesystemCollector {
    list: List,
    asker: Asker,
    patience: Patience,
    /// Which mount is asked first.
    first: usize,
    /// Mounts that are not where they should be, as far as that was told.
    elsewhere: HashSet<Key>,
}

impl FilesystemCollector {
    fn new(root: &Root, selection: Selection, ask: Ask, patience: Patience) -> Self {
        Self {
            list: List::new(root, selection),
            asker: Asker::new(ask),
            patience,
            first: 0,
            elsewhere: HashSet::new(),
        }
    }

    /// Asks the mount, if it can be told in time whether it answers.
    fn ask(&mut self, index: usize, end: Instant) -> Option<(&Listed, Answer)> {
        let mount = self.list.mounts.get(index)?;
        let in_time = || end.saturating_duration_since(Instant::now()) >= self.patience.each;
        let answer = if mount.prompt {
            self.asker.ask_here(&mount.path)
        } else if self.asker.hangs(&mount.key) || in_time() {
            self.asker.ask(&mount.key, &mount.path, self.patience.each)
        } else {
            Answer::NotAsked
        };
        Some(match answer {
            Answer::Space(space) if !self.list.has_found(mount, space.on) => (mount, Answer::Elsewhere),
            answer => (mount, answer),
        })
    }
}

impl FilesystemCollector {
    /// Tells the log of those of these mounts that it was not told of.
    fn say_once(&mut self, elsewhere: HashSet<Key>) {
        for (_, mountpoint) in elsewhere.difference(&self.elsewhere) {
            warn!(
                mountpoint = %mountpoint.display(),
                root_path = %self.list.root().display(),
                "a file system of the host is not mounted under root_path; its numbers are withheld: mount the host's \
                 root there as a whole, with propagation `rslave`"
            );
        }
        self.elsewhere = elsewhere;
    }
}

impl Collector for FilesystemCollector {
    fn name(&self) -> &'static str {
        Filesystem.name()
    }

    fn reasons(&self) -> &'static [Reason] {
        REASONS
    }

    fn collect(&mut self, sheet: &mut Sheet) {
        match self.list.update() {
            Ok((true, changed)) if changed => self.first = 0,
            Ok((true, _)) => {}
            Ok((false, _)) => return,
            Err(error) => return sheet.fail(reason(&error), format_args!("the list of mounts: {error}")),
        }
        if self.list.malformed > 0 {
            sheet.fail(Reason::Protocol, format_args!("{} lines of the list of mounts", self.list.malformed));
        }
        self.asker.look_back();
        let end = Instant::now() + self.patience.all;
        let (mut next, mut left_out) = (0, 0_usize);
        let mut elsewhere = HashSet::new();
        for index in (self.first..self.list.mounts.len()).chain(0..self.first) {
            let Some((mount, answer)) = self.ask(index, end) else { continue };
            match answer {
                Answer::Space(space) => mount.fill(&space, sheet),
                Answer::Elsewhere => {
                    let Listed { mountpoint, path, key, .. } = mount;
                    sheet.fail(
                        Reason::NotFound,
                        format_args!("{mountpoint}: not mounted at {}", path.display()),
                    );
                    elsewhere.insert(key.clone());
                }
                Answer::Hangs => {
                    sheet.set(&UNRESPONSIVE, &[&mount.mountpoint], 1.0);
                    sheet.fail(Reason::Timeout, format_args!("{}: it does not answer", mount.mountpoint));
                }
                Answer::Failed(error) => {
                    let unresponsive = if is_unresponsive(&error) { 1.0 } else { 0.0 };
                    sheet.set(&UNRESPONSIVE, &[&mount.mountpoint], unresponsive);
                    sheet.fail(reason(&error), format_args!("{}: {error}", mount.mountpoint));
                }
                Answer::NotAsked => {
                    if left_out == 0 {
                        next = index;
                    }
                    left_out += 1;
                }
            }
        }
        self.first = next;
        self.say_once(elsewhere);
        if left_out > 0 {
            sheet.fail(Reason::Timeout, format_args!("no time or thread for {left_out} mounts, others hang"));
        }
    }
}

impl Listed {
    fn fill(&self, space: &Space, sheet: &mut Sheet) {
        sheet.set(&UNRESPONSIVE, &[&self.mountpoint], 0.0);
        let Disk { total, used, available } = space.disk;
        if total == 0 {
            return;
        }
        let mount = [self.device.as_str(), &self.mountpoint, &self.kind, self.mode];
        let [device, mountpoint, kind, mode] = mount;
        // A server may claim more free space than there is.
        let free = available.min(total.saturating_sub(used));
        let reserved = total.saturating_sub(used).saturating_sub(free);
        for (state, bytes) in [("used", used), ("free", free), ("reserved", reserved)] {
            sheet.set(&USAGE, &[device, mountpoint, kind, mode, state], bytes as f64);
        }
        sheet.set(&LIMIT, &mount, total as f64);
        sheet.set(&UTILIZATION, &mount, Disk { available: free, ..space.disk }.usage());
        let (inodes, free) = space.inodes;
        if inodes > 0 {
            for (state, inodes) in [("used", inodes.saturating_sub(free)), ("free", free)] {
                sheet.set(&INODES, &[device, mountpoint, kind, mode, state], inodes as f64);
            }
        }
    }
}

/// Everything that [`reason`] gives, and what is not understood of the list of mounts.
const REASONS: &[Reason] = &[
    Reason::NotFound,
    Reason::Denied,
    Reason::Unreachable,
    Reason::Timeout,
    Reason::Protocol,
    Reason::Other,
];

/// Whether the error stands for an answer that does not come: of a server that is gone, or a disk.
fn is_unresponsive(error: &io::Error) -> bool {
    const GONE: [Errno; 4] = [Errno::TIMEDOUT, Errno::NOTCONN, Errno::STALE, Errno::IO];
    Errno::from_io_error(error).is_some_and(|errno| GONE.contains(&errno))
}

fn reason(error: &io::Error) -> Reason {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Reason::Denied,
        io::ErrorKind::NotFound => Reason::NotFound,
        io::ErrorKind::NotConnected
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::StaleNetworkFileHandle => Reason::Unreachable,
        io::ErrorKind::TimedOut => Reason::Timeout,
        _ => Reason::Other,
    }
}

#[cfg(test)]
mod tests;

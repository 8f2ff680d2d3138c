//! The list of mounts that are shown, read again when something was mounted and four times a minute, taken apart again
//! only when it has changed.
//!
//! With a root other than `/`, a folder in which a container has its host, the host's mounts are those of its first
//! process; where that may not be read, they are what this process has mounted under the folder. Each is asked under
//! the folder and shown as it is called within it. What something else covers cannot be asked and is not shown.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::asker::Key;
use super::belongs::Own;
use super::mountinfo::{self, Mount, Tree};
use super::selection::{self, Selection};
use crate::collect::place::On;
use crate::collect::{KernelFile, Root};

/// The list and where it comes from.
pub(super) struct List {
    root: Root,
    /// The first one that can be read is taken.
    files: Vec<(KernelFile, Seen)>,
    selection: Selection,
    own: Own,
    /// As it was read last.
    seen: Seen,
    content: Option<Vec<u8>>,
    read: Option<Instant>,
    pub(super) mounts: Vec<Listed>,
    /// How many lines were none.
    pub(super) malformed: usize,
}

/// The kernel tells when something is mounted, but not when a file system turns read-only by itself.
const REREAD: Duration = Duration::from_secs(15);

/// How a file writes its mount points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// With the folder of the root in front, as this process sees them.
    FromHere,
    /// As they are called under the root.
    FromWithin,
}

/// A mount that is shown.
pub(super) struct Listed {
    pub(super) key: Key,
    /// Where it is asked.
    pub(super) path: PathBuf,
    pub(super) mountpoint: String,
    pub(super) device: String,
    pub(super) kind: String,
    pub(super) mode: &'static str,
    id: u64,
    mounted: (u32, u32),
    /// Whether asking it cannot hang.
    pub(super) prompt: bool,
}

/// Types of file systems that say how full they are out of the kernel's memory, whatever their disk does. Others wait
/// for a server, for a program or for their own locks.
const PROMPT: &[&str] = &["ext2", "ext3", "ext4", "ramfs", "tmpfs", "xfs"];

impl List {
    pub(super) fn new(root: &Root, selection: Selection) -> Self {
        let own = ("proc/self/mountinfo", Seen::FromHere);
        let files =
            if root.is_whole() { vec![own] } else { vec![("proc/1/mountinfo", Seen::FromWithin), own] };
        Self {
            root: root.clone(),
            files: files.into_iter().map(|(path, seen)| (root.file(path).of_long_lines(), seen)).collect(),
            selection,
            own: Own::default(),
            seen: Seen::FromHere,
            content: None,
            read: None,
            mounts: Vec::new(),
            malformed: 0,
        }
    }

    /// Brings the list up to date. Gives whether there is one on this system, and whether it has changed.
    pub(super) fn update(&mut self) -> io::Result<(bool, bool)> {
        let recent = self.read.is_some_and(|read| read.elapsed() < REREAD);
        // The first file is the one that was read, unless it could not be: then it is tried each time.
        if recent && self.files.first().is_some_and(|(file, _)| !file.may_have_changed()) {
            return Ok((true, false));
        }
        self.read = Some(Instant::now());
        let mut found = Err(io::ErrorKind::NotFound.into());
        for (file, seen) in &mut self.files {
            found = file.read().map(|content| (content, *seen));
            if found.is_ok() {
                break;
            }
        }
        let (content, seen) = match found {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((false, false)),
            Err(error) => return Err(error),
        };
        self.seen = seen;
        if seen == Seen::FromWithin {
            // Without it devices alone tell.
            let _ = self.own.update();
        }
        let changed = self.content.as_deref() != Some(content);
        if changed {
            let (mounts, malformed) = mountinfo::parse(content);
            self.content = Some(content.to_vec());
            // No process is without a single mount.
            self.malformed = malformed + usize::from(mounts.is_empty() && malformed == 0);
            let mounts: Vec<Mount> = Tree::new(&mounts).reachable().cloned().collect();
            let mounts = match seen {
                Seen::FromHere => from_within(&self.root, mounts),
                Seen::FromWithin => mounts,
            };
            let slow = mounts.iter().filter(|mount| !PROMPT.contains(&mount.kind.as_str()));
            let slow: HashSet<PathBuf> = slow.map(|mount| mount.path.clone()).collect();
            let mounts = self.selection.choose(mounts).into_iter();
            self.mounts = mounts.map(|mount| Listed::new(&self.root, mount, &slow)).collect();
        }
        Ok((true, changed))
    }

    /// Under which folder they are looked for.
    pub(super) fn root(&self) -> PathBuf {
        self.root.join("")
    }

    /// Whether what was asked for `mount` is that mount.
    pub(super) fn has_found(&self, mount: &Listed, on: Option<On>) -> bool {
        let Some(on) = on else { return true };
        match self.seen {
            Seen::FromHere => on.mount.map_or(on.device == mount.mounted, |id| id == mount.id),
            Seen::FromWithin => self.own.is_on(on, mount.mounted),
        }
    }
}

impl Listed {
    /// `slow` is where file systems are mounted that may hang: so may whatever lies below.
    fn new(root: &Root, mount: Mount, slow: &HashSet<PathBuf>) -> Self {
        let within = mount.path.strip_prefix("/").unwrap_or(&mount.path);
        Self {
            path: if root.is_whole() { mount.path.clone() } else { root.join(within) },
            mountpoint: selection::label(&mount.path),
            device: mount.source,
            kind: mount.kind,
            mode: if mount.read_only { "ro" } else { "rw" },
            prompt: !mount.path.ancestors().any(|above| slow.contains(above)),
            id: mount.id,
            mounted: mount.device,
            key: (mount.id, mount.path),
        }
    }
}

/// The mounts under `root` as they are called within it.
fn from_within(root: &Root, mounts: Vec<Mount>) -> Vec<Mount> {
    if !root.is_of_this_system(&mounts) {
        return mounts;
    }
    let folder = root.join("");
    let within = |mount: &Mount| Some(Path::new("/").join(mount.path.strip_prefix(&folder).ok()?));
    mounts.into_iter().filter_map(|mount| Some(Mount { path: within(&mount)?, ..mount })).collect()
}

//! Whether what was found at a path is on the mount that a list of mounts has there. It is not where the path leads
//! elsewhere: the host's root is not mounted where its `/proc` says, something covers the mount, or it was mounted
//! after this container started and does not reach it. Another disk's numbers would stand under its name then.
//!
//! A list of another namespace of mounts has other numbers for them, so there the devices are compared, by the list of
//! this process, which knows its own mounts by number.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use super::mountinfo::{self, Mount, Tree};
use crate::collect::disk::Disk;
use crate::collect::place::{On, Place};
use crate::collect::{KernelFile, Root};

/// Major and minor number.
type Device = (u32, u32);

/// What is mounted for this process.
#[derive(Debug)]
pub(super) struct Own {
    file: KernelFile,
    devices: HashMap<u64, Device>,
}

impl Default for Own {
    fn default() -> Self {
        let file = Root::default().file("proc/self/mountinfo").of_long_lines();
        Self { file, devices: HashMap::new() }
    }
}

impl Own {
    /// Reads the list again.
    pub(super) fn update(&mut self) -> io::Result<Vec<Mount>> {
        let (mounts, _) = mountinfo::parse(self.file.read()?);
        self.devices = mounts.iter().map(|mount| (mount.id, mount.device)).collect();
        Ok(mounts)
    }

    /// Whether what is `on` a mount of this process is on that `device`.
    pub(super) fn is_on(&self, on: On, device: Device) -> bool {
        let mount = on.mount.and_then(|id| self.devices.get(&id));
        *mount.unwrap_or(&on.device) == device
    }
}

/// What was found is on another mount than the host has there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Elsewhere;

/// The file system of `path` on the machine whose root is at `root`. Hangs with it.
pub(crate) fn disk_of(root: &Root, path: &Path) -> io::Result<Result<Disk, Elsewhere>> {
    if root.is_whole() {
        return Disk::read(path).map(Ok);
    }
    let place = Place::find_under(root, path)?;
    let belongs = match place.on()? {
        Some(on) => belongs(root, &place, on)?,
        None => true,
    };
    if !belongs {
        return Ok(Err(Elsewhere));
    }
    Ok(Ok(Disk::of(&place.space()?)))
}

fn belongs(root: &Root, place: &Place, on: On) -> io::Result<bool> {
    let top = Place::find(&root.join(""))?.path()?;
    let found = place.path()?;
    let Ok(within) = found.strip_prefix(&top) else { return Ok(false) };
    let mut own = Own::default();
    let ours = own.update().unwrap_or_default();
    let is_under = |mount: &Mount| mount.path.starts_with(&top);
    Ok(match root.file("proc/1/mountinfo").of_long_lines().read() {
        Ok(content) => {
            let (mounts, _) = mountinfo::parse(content);
            let held = Tree::new(&mounts).holding(&Path::new("/").join(within));
            held.is_some_and(|mount| own.is_on(on, mount.device))
        }
        // Who may not read the host's list knows what of it is mounted here; with nothing mounted it is no host.
        Err(_) => {
            !ours.iter().any(is_under)
                || ours.iter().any(|mount| Some(mount.id) == on.mount && is_under(mount))
        }
    })
}

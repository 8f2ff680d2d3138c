//! A path, looked up once: on which mount it is, and how full that one's file system is. Both are asked of what was found,
//! so that nothing can be mounted in between.
//!
//! Four system calls, 3 µs. They ask the file system itself, so on a network mount whose server is gone they hang and
//! cannot be stopped: whoever calls must be ready for that.

use std::io;
use std::path::{Path, PathBuf};

use super::Root;

/// On which mount something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct On {
    /// The number of the mount, which lists of mounts have too; `None` where the kernel does not tell.
    pub(super) mount: Option<u64>,
    /// Major and minor number of the device. Of a part of btrfs it is one that no list of mounts has.
    pub(super) device: (u32, u32),
}

#[cfg(target_os = "linux")]
pub(super) use linux::Place;
#[cfg(not(target_os = "linux"))]
pub(super) use other::Place;

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::{read_link, read_to_string};
    use std::os::fd::{AsRawFd, OwnedFd};

    use rustix::fs::{
        AtFlags, Mode, OFlags, ResolveFlags, StatVfs, StatxFlags, fstatvfs, open, openat2, statx,
    };
    use rustix::io::Errno;

    use super::{On, Path, PathBuf, Root, io};

    /// What was found at a path, not opened for anything.
    pub(in crate::collect) struct Place(OwnedFd);

    const FOUND: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

    impl Place {
        /// What is at `path`.
        pub(in crate::collect) fn find(path: &Path) -> io::Result<Self> {
            Ok(Self(open(path, FOUND, Mode::empty())?))
        }

        /// What is at `path` for one who has `root` as his root: links lead to places under it.
        pub(in crate::collect) fn find_under(root: &Root, path: &Path) -> io::Result<Self> {
            let top = open(root.join(""), FOUND | OFlags::DIRECTORY, Mode::empty())?;
            match openat2(&top, path, FOUND, Mode::empty(), ResolveFlags::IN_ROOT) {
                Ok(found) => Ok(Self(found)),
                // Kernels before 5.6, and what containers do not let through. Where a link leads elsewhere then, the
                // mount is another one than it has to be.
                Err(Errno::NOSYS | Errno::PERM) => {
                    Self::find(&root.join(path.strip_prefix("/").unwrap_or(path)))
                }
                Err(error) => Err(error.into()),
            }
        }

        /// How full its file system is.
        pub(in crate::collect) fn space(&self) -> io::Result<StatVfs> {
            Ok(fstatvfs(&self.0)?)
        }

        /// The mount that it is on.
        pub(in crate::collect) fn on(&self) -> io::Result<Option<On>> {
            let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
            let told = statx(&self.0, "", flags, StatxFlags::MNT_ID)?;
            let mount = if StatxFlags::from_bits_retain(told.stx_mask).contains(StatxFlags::MNT_ID) {
                Some(told.stx_mnt_id)
            } else {
                self.mount_by_descriptor()
            };
            Ok(Some(On { mount, device: (told.stx_dev_major, told.stx_dev_minor) }))
        }

        /// Kernels before 5.8 tell the mount of an open file only here.
        fn mount_by_descriptor(&self) -> Option<u64> {
            let text = read_to_string(format!("/proc/self/fdinfo/{}", self.0.as_raw_fd())).ok()?;
            text.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim().parse().ok()
        }

        /// Its path without links, as this process sees it.
        pub(in crate::collect) fn path(&self) -> io::Result<PathBuf> {
            read_link(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::collect::filesystem::mountinfo;

        #[test]
        fn a_place_is_on_the_mount_that_the_list_has_there() {
            for path in ["/", "/proc", "/proc/self/stat", "/dev"] {
                let place = Place::find(Path::new(path)).unwrap();
                let on = place.on().unwrap().unwrap();
                assert_eq!(on.mount, place.mount_by_descriptor(), "{path}");
                let (mounts, _) = mountinfo::parse(&std::fs::read("/proc/self/mountinfo").unwrap());
                let held =
                    mountinfo::Tree::new(&mounts).holding(&place.path().unwrap()).map(|mount| mount.id);
                assert_eq!(on.mount, held, "{path}");
            }
        }

        #[test]
        fn links_lead_to_places_under_the_root() {
            let folder = tempfile::tempdir().unwrap();
            let root = Root::new(folder.path());
            std::fs::create_dir_all(root.join("mnt/data")).unwrap();
            std::os::unix::fs::symlink("/mnt", root.join("var")).unwrap();
            let found = Place::find_under(&root, Path::new("/var/data")).unwrap();
            assert_eq!(found.path().unwrap(), folder.path().canonicalize().unwrap().join("mnt/data"));
            let nothing = Place::find_under(&root, Path::new("/no/such")).err().unwrap();
            assert_eq!(nothing.kind(), io::ErrorKind::NotFound);
        }
    }
}

/// Where nothing tells mounts apart, every path is where it should be.
#[cfg(not(target_os = "linux"))]
mod other {
    use rustix::fs::{StatVfs, statvfs};

    use super::{On, Path, PathBuf, Root, io};

    pub(in crate::collect) struct Place(PathBuf);

    impl Place {
        pub(in crate::collect) fn find(path: &Path) -> io::Result<Self> {
            Ok(Self(path.to_owned()))
        }

        pub(in crate::collect) fn find_under(root: &Root, path: &Path) -> io::Result<Self> {
            Self::find(&root.join(path.strip_prefix("/").unwrap_or(path)))
        }

        pub(in crate::collect) fn space(&self) -> io::Result<StatVfs> {
            Ok(statvfs(&self.0)?)
        }

        pub(in crate::collect) fn on(&self) -> io::Result<Option<On>> {
            Ok(None)
        }

        pub(in crate::collect) fn path(&self) -> io::Result<PathBuf> {
            Ok(self.0.clone())
        }
    }
}

//! Which mounts are shown.
//!
//! Hidden unless asked for: what holds no data of its own (`proc`, `tmpfs`, images), what is remote and may hang
//! (`nfs4`, `fuse.*`), and what container engines mount by the dozen. An overlay at `/` is shown: that is what a
//! container has for a disk. Of the mounts of one file system one is shown: no part of what is mounted elsewhere as a
//! whole, and of the others the one with the shortest path.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::mountinfo::Mount;
use super::wanted::Wanted;

/// Types without data of their own, and remote ones.
const HIDDEN_TYPES: &[&str] = &[
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "erofs",
    "fusectl",
    "hugetlbfs",
    "iso9660",
    "mqueue",
    "nsfs",
    "overlay",
    "proc",
    "procfs",
    "pstore",
    "ramfs",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "squashfs",
    "sysfs",
    "tmpfs",
    "tracefs",
    // Behind a network or a program, either of which may stop answering.
    "9p",
    "acfs",
    "afs",
    "auristorfs",
    "beegfs",
    "ceph",
    "cifs",
    "coda",
    "fhgfs",
    "fuse",
    "fuse.*",
    "gfs",
    "gfs2",
    "gpfs",
    "ibrix",
    "lustre",
    "ncp",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "orangefs",
    "panfs",
    "pvfs2",
    "smb3",
    "smbfs",
    "virtiofs",
];

const HIDDEN_MOUNTS: &[&str] = &[
    "/dev",
    "/dev/*",
    "/proc",
    "/proc/*",
    "/sys",
    "/sys/*",
    "/run/credentials/*",
    "/var/lib/docker/*",
    "/var/lib/containers/storage/*",
];

/// The types of a container's own root.
const OVERLAYS: &[&str] = &["overlay", "fuse.fuse-overlayfs"];

/// Which mounts are wanted.
#[derive(Debug, Default)]
pub(super) struct Selection {
    pub(super) types: Wanted,
    pub(super) mounts: Wanted,
}

impl Selection {
    /// The mounts that are shown, in the order of `mounts`.
    pub(super) fn choose(&self, mounts: Vec<Mount>) -> Vec<Mount> {
        let mut shown: Vec<Option<Mount>> = Vec::with_capacity(mounts.len());
        // What is mounted last on a path hides what was there. Paths that look alike as labels count as one.
        let mut by_path = HashMap::new();
        for mount in mounts {
            if let Some(earlier) = by_path.insert(label(&mount.path), shown.len())
                && let Some(hidden) = shown.get_mut(earlier)
            {
                *hidden = None;
            }
            shown.push(Some(mount));
        }
        let mut wanted: Vec<Mount> = shown.into_iter().flatten().filter(|mount| self.wants(mount)).collect();
        let wholes: HashSet<_> = wanted.iter().map(|mount| (mount.device, mount.root.clone())).collect();
        let is_part = |mount: &Mount| {
            mount.root.ancestors().skip(1).any(|root| wholes.contains(&(mount.device, root.to_owned())))
        };
        wanted.retain(|mount| !is_part(mount));
        let mut shortest: HashMap<(u32, u32), (usize, PathBuf)> = HashMap::new();
        for mount in &wanted {
            let candidate = (mount.path.as_os_str().len(), mount.path.clone());
            let known = shortest.entry(mount.device).or_insert_with(|| candidate.clone());
            *known = candidate.min(known.clone());
        }
        wanted.retain(|mount| shortest.get(&mount.device).is_some_and(|(_, path)| *path == mount.path));
        wanted
    }

    fn wants(&self, mount: &Mount) -> bool {
        let is_own_root = mount.path == Path::new("/") && OVERLAYS.contains(&mount.kind.as_str());
        let hidden = if is_own_root { &[] } else { HIDDEN_TYPES };
        self.types.shows(&mount.kind, hidden) && self.mounts.shows(&label(&mount.path), HIDDEN_MOUNTS)
    }
}

/// The path as a label can show it.
pub(super) fn label(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::mountinfo;
    use super::*;
    use proptest::prelude::*;

    fn shown(selection: &Selection, mountinfo: &str) -> Vec<String> {
        let (mounts, malformed) = mountinfo::parse(mountinfo.as_bytes());
        assert_eq!(malformed, 0);
        selection.choose(mounts).iter().map(|mount| label(&mount.path)).collect()
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    const HOST: &str = "\
22 27 0:21 / /proc rw - proc proc rw
24 27 0:6 / /dev rw - devtmpfs devtmpfs rw
25 24 0:23 / /dev/shm rw - tmpfs tmpfs rw
27 1 254:0 / / rw - ext4 /dev/vda rw
30 25 0:27 / /dev/shm rw - tmpfs tmpfs rw
33 27 254:0 /srv/data /srv/bound rw - ext4 /dev/vda rw
34 27 8:1 / /boot/efi rw - vfat /dev/sda1 rw
35 27 0:40 / /home rw - nfs4 server:/home rw
36 27 0:41 / /mnt/ssh rw - fuse.sshfs me@there:/ rw
37 27 0:42 / /mnt/ntfs rw - fuseblk /dev/sdb1 rw
38 27 0:43 / /var/lib/docker/overlay2/1/merged rw - overlay overlay rw
39 27 8:2 / /var/lib/docker rw - xfs /dev/sda2 rw
40 27 8:3 / /var/lib/docker/volumes/v rw - ext4 /dev/sda3 rw
";

    #[test]
    fn a_host_shows_its_disks() {
        assert_eq!(shown(&Selection::default(), HOST), ["/", "/boot/efi", "/mnt/ntfs", "/var/lib/docker"]);
    }

    #[test]
    fn a_container_shows_its_overlay() {
        let container = "\
1 0 0:50 / / rw - overlay overlay rw
2 1 254:0 /docker/c/resolv.conf /etc/resolv.conf rw - ext4 /dev/vda rw
3 1 254:0 /docker/c/hosts /etc/hosts rw - ext4 /dev/vda rw
4 1 0:51 / /other rw - overlay overlay rw
";
        assert_eq!(shown(&Selection::default(), container), ["/", "/etc/hosts"]);
    }

    #[test]
    fn including_replaces_what_is_hidden_by_default_and_excluding_wins() {
        let with =
            |include_types: &[&str], exclude_types: &[&str], include: &[&str], exclude: &[&str]| Selection {
                types: Wanted { include: words(include_types), exclude: words(exclude_types) },
                mounts: Wanted { include: words(include), exclude: words(exclude) },
            };
        assert_eq!(shown(&with(&["nfs*", "fuse.*"], &[], &[], &[]), HOST), ["/home", "/mnt/ssh"]);
        assert_eq!(shown(&with(&[], &["fuseblk", "v*"], &[], &[]), HOST), ["/", "/var/lib/docker"]);
        assert_eq!(shown(&with(&[], &[], &["/srv/*", "/home"], &[]), HOST), ["/srv/bound"]);
        assert_eq!(shown(&with(&[], &[], &[], &["/mnt/*", "/var/*"]), HOST), ["/", "/boot/efi"]);
        assert_eq!(shown(&with(&["*"], &["nfs4"], &["/mnt/*", "/home"], &["*ntfs"]), HOST), ["/mnt/ssh"]);
    }

    #[test]
    fn a_part_that_is_mounted_elsewhere_does_not_stand_for_the_whole() {
        let data = "27 1 254:0 / / rw - ext4 /dev/vda rw\n28 27 8:1 / /srv/postgres/data rw - ext4 /dev/sda1 rw\n\
                    29 27 8:1 /backups /b rw - ext4 /dev/sda1 rw\n";
        assert_eq!(shown(&Selection::default(), data), ["/", "/srv/postgres/data"]);
        let volumes = "27 1 0:30 /@ / rw - btrfs /dev/vda rw\n28 27 0:30 /@home /home rw - btrfs /dev/vda rw\n\
                       29 27 0:30 /@home/a/b /x rw - btrfs /dev/vda rw\n";
        assert_eq!(shown(&Selection::default(), volumes), ["/"]);
        let all_are_parts = "1 0 0:50 / / rw - overlay overlay rw\n2 1 254:0 /volumes/x /data rw - ext4 /dev/vda rw\n\
                             3 1 254:0 /containers/c/hosts /etc/hosts rw - ext4 /dev/vda rw\n";
        assert_eq!(shown(&Selection::default(), all_are_parts), ["/", "/data"]);
    }

    #[test]
    fn what_is_mounted_over_it_hides_a_mount() {
        let twice =
            "1 0 8:1 / / rw - ext4 a rw\n2 1 8:2 / /data rw - ext4 b rw\n3 1 8:3 / /data rw - xfs c rw\n";
        let (mounts, _) = mountinfo::parse(twice.as_bytes());
        let sources: Vec<_> =
            Selection::default().choose(mounts).into_iter().map(|mount| mount.source).collect();
        assert_eq!(sources, ["a", "c"]);
        let by_memory = "1 0 8:2 / /data rw - ext4 b rw\n2 1 0:3 / /data rw - tmpfs c rw\n";
        assert!(shown(&Selection::default(), by_memory).is_empty());
    }

    proptest! {
        #[test]
        fn no_path_and_no_device_is_shown_twice(devices in proptest::collection::vec((0_u32..4, "/[ab]{0,2}"), 0..12)) {
            let lines = devices.iter().enumerate().map(|(id, (minor, path))| format!("{id} 0 8:{minor} / {path} rw - ext4 x rw\n"));
            let (mounts, _) = mountinfo::parse(lines.collect::<String>().as_bytes());
            let shown = Selection::default().choose(mounts);
            for (index, mount) in shown.iter().enumerate() {
                for other in &shown[..index] {
                    prop_assert!(mount.path != other.path && mount.device != other.device);
                }
            }
            prop_assert_eq!(shown.is_empty(), devices.is_empty());
        }
    }
}

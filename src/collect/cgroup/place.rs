//! Where the files of this process' control group are, per controller: a machine may have some controllers in version 1
//! and the others in version 2.
//!
//! `/proc/self/cgroup` says which group, `/proc/self/mountinfo` where the groups are mounted and from which group on. What
//! is above that, or beside it, is not visible and left out. Both are as this process sees them, whatever root is configured:
//! a container that has its host in a folder lists its own mounts and the host's. Reads nothing itself.

use std::path::{Component, Path, PathBuf};

use crate::collect::Root;
use crate::collect::filesystem::mountinfo::Mount;

/// How many groups deep one is looked for; the kernel's own limit is lower unless somebody raised it.
const DEEPEST: usize = 64;

/// The two layouts of control groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

/// The folder of a group, then those of the groups above it as far as they are visible.
pub(super) type Folders = Vec<PathBuf>;

/// One line of `/proc/self/cgroup`: the group in one hierarchy.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Membership<'a> {
    /// Controllers of version 1, separated by commas; empty for version 2.
    controllers: &'a str,
    path: &'a str,
}

/// The lines of `/proc/self/cgroup`; `None` where one is of another format.
pub(super) fn memberships(text: &str) -> Option<Vec<Membership<'_>>> {
    text.lines()
        .map(|line| {
            let mut fields = line.splitn(3, ':');
            let number: u32 = fields.next()?.parse().ok()?;
            let (controllers, path) = (fields.next()?, fields.next()?);
            let well_formed = path.starts_with('/') && (number == 0) == controllers.is_empty();
            well_formed.then_some(Membership { controllers, path })
        })
        .collect()
}

/// The group of this process for `controller`.
pub(super) fn find(
    controller: &str,
    memberships: &[Membership<'_>],
    mounts: &[Mount],
    root: &Root,
) -> Option<(Version, Folders)> {
    let has = |list: &str| list.split(',').any(|word| word == controller);
    let Some(own) = memberships.iter().find(|membership| has(membership.controllers)) else {
        return Some((Version::Two, unified(memberships, mounts, root)?));
    };
    let of_it = |mount: &Mount| mount.kind == "cgroup" && has(&mount.options);
    Some((Version::One, most_visible(mounts, of_it, own.path, root)?))
}

/// Whether the group for `controller` is that of version 2, by its path: even where its own hierarchy is of version 1.
pub(super) fn is_unified(controller: &str, memberships: &[Membership<'_>]) -> bool {
    let path = |wanted: &dyn Fn(&str) -> bool| {
        memberships.iter().find(|membership| wanted(membership.controllers)).map(|membership| membership.path)
    };
    let own = path(&|list| list.split(',').any(|word| word == controller));
    own.is_none() || own == path(&str::is_empty)
}

/// The group of this process in version 2, with whatever controllers.
pub(super) fn unified(memberships: &[Membership<'_>], mounts: &[Mount], root: &Root) -> Option<Folders> {
    let own = memberships.iter().find(|membership| membership.controllers.is_empty())?;
    most_visible(mounts, |mount| mount.kind == "cgroup2", own.path, root)
}

/// The group at `path` by that of the mounts that are `wanted` which shows most of what is above it; of equal ones the last.
fn most_visible(
    mounts: &[Mount],
    wanted: impl Fn(&Mount) -> bool,
    path: &str,
    root: &Root,
) -> Option<Folders> {
    let is_made_up = !root.is_of_this_system(mounts);
    let found = mounts.iter().filter(|mount| wanted(mount));
    found.filter_map(|mount| folders(mount, path, root, is_made_up)).max_by_key(Vec::len)
}

/// `None` where `mount` does not show the group at `path`.
fn folders(mount: &Mount, path: &str, root: &Root, is_made_up: bool) -> Option<Folders> {
    let below = Path::new(path).strip_prefix(&mount.root).ok()?;
    // A group outside of this process' namespace is written with `..`, and nobody says what that stands for.
    if !below.components().all(|component| matches!(component, Component::Normal(_))) {
        return None;
    }
    let top = if is_made_up { root.join(mount.path.strip_prefix("/").ok()?) } else { mount.path.clone() };
    Some(below.ancestors().take(DEEPEST).map(|group| top.join(group)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::filesystem::mountinfo;
    use proptest::prelude::*;

    fn places(cgroup: &str, mountinfo: &str, controller: &str) -> Option<(Version, Vec<String>)> {
        let (mounts, _) = mountinfo::parse(mountinfo.as_bytes());
        let (version, folders) = find(controller, &memberships(cgroup)?, &mounts, &Root::default())?;
        // A path that ends in a slash is the same path.
        let names =
            folders.iter().map(|folder| folder.components().collect::<PathBuf>().display().to_string());
        Some((version, names.collect()))
    }

    const UNIFIED: &str = "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";

    #[test]
    fn a_service_sees_all_groups_above() {
        let (version, folders) = places("0::/system.slice/a.service\n", UNIFIED, "memory").unwrap();
        assert_eq!(version, Version::Two);
        assert_eq!(
            folders,
            ["/sys/fs/cgroup/system.slice/a.service", "/sys/fs/cgroup/system.slice", "/sys/fs/cgroup"]
        );
    }

    #[test]
    fn a_container_sees_its_own_group_only() {
        assert_eq!(places("0::/\n", UNIFIED, "cpu").unwrap().1, ["/sys/fs/cgroup"]);
        let bound = "9 8 0:31 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n";
        for controller in ["cpu", "cpuacct"] {
            let found = places("4:cpu,cpuacct:/docker/abc\n0::/\n", bound, controller);
            assert_eq!(found, Some((Version::One, vec!["/sys/fs/cgroup/cpu,cpuacct".to_owned()])));
        }
    }

    #[test]
    fn every_controller_is_where_it_is() {
        let cgroup = "4:memory:/a/b\n3:cpuset:/\n1:name=systemd:/\n0::/u\n";
        let mounts = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let (version, folders) = places(cgroup, mounts, "memory").unwrap();
        assert_eq!((version, folders.len()), (Version::One, 3));
        assert_eq!(folders[0], "/sys/fs/cgroup/memory/a/b");
        let (version, folders) = places(cgroup, mounts, "cpu").unwrap();
        assert_eq!((version, folders[0].as_str()), (Version::Two, "/sys/fs/cgroup/unified/u"));
        assert_eq!(places(cgroup, mounts, "cpuset"), None, "not mounted");
    }

    #[test]
    fn a_container_that_has_its_host_in_a_folder_finds_its_own_group_and_what_is_above() {
        let under = |root: &str, cgroup: &str, mountinfo: &str| {
            let (mounts, _) = mountinfo::parse(mountinfo.as_bytes());
            find("memory", &memberships(cgroup).unwrap(), &mounts, &Root::new(root))
                .map(|(_, folders)| folders)
        };
        // With a namespace of groups of its own the host's are out of sight.
        let private = "1 0 0:1 / / rw - overlay overlay rw\n2 1 0:28 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n\
                       3 1 8:1 / /host ro - ext4 a rw\n4 3 0:28 /../.. /host/sys/fs/cgroup ro - cgroup2 cgroup2 rw\n";
        let own = PathBuf::from("/sys/fs/cgroup");
        assert_eq!(under("/host", "0::/\n", private), Some(vec![own.join("")]));
        // Without, the host's mount shows those above, where its own does not.
        let shared = "1 0 0:1 / / rw - overlay overlay rw\n2 1 0:28 /a/b /sys/fs/cgroup ro - cgroup2 cgroup rw\n\
                      3 1 8:1 / /host ro - ext4 a rw\n4 3 0:28 / /host/sys/fs/cgroup ro - cgroup2 cgroup2 rw\n";
        let host = PathBuf::from("/host/sys/fs/cgroup");
        let all = vec![host.join("a/b"), host.join("a"), host.join("")];
        assert_eq!(under("/host", "0::/a/b\n", shared), Some(all));
        // A folder in which nothing is mounted has its own list.
        assert_eq!(
            under("/made/up", "0::/\n", private),
            Some(vec![PathBuf::from("/made/up/sys/fs/cgroup/")])
        );
    }

    #[test]
    fn what_is_out_of_sight_is_not_guessed() {
        assert_eq!(places("0::/../../other\n", UNIFIED, "memory"), None);
        let elsewhere = "9 8 0:31 /docker/xyz /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
        assert_eq!(places("4:memory:/docker/abc\n", elsewhere, "memory"), None);
        assert_eq!(places("", UNIFIED, "memory"), None);
    }

    #[test]
    fn reads_memberships() {
        assert_eq!(memberships("0::/a:b\n"), Some(vec![Membership { controllers: "", path: "/a:b" }]));
        for wrong in ["0::", "0:cpu:/", "1::/", "x:cpu:/", "1:cpu", "\n", "1:cpu:a"] {
            assert_eq!(memberships(wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn garbage_leads_nowhere_else(text in "([0-9]{1,3}|:|cpu|memory|/|\\.\\.|,|\n|\\PC){0,12}") {
            let mounts = "1 0 0:3 / /c rw - cgroup c rw,cpu,memory\n2 0 0:4 / /u rw - cgroup2 u rw\n";
            if let Some((_, folders)) = places(&text, mounts, "cpu") {
                prop_assert!(folders.iter().all(|folder| !folder.contains("/../") && folder.len() > 1));
            }
        }
    }
}

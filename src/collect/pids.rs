//! How many processes and threads there are, on the machine and in the control group of this process.
//!
//! Two small reads, save for the number of processes, which is that of the folders in `/proc`: some microseconds each.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Root;

/// How many processes the machine has, those of the kernel included.
pub(crate) fn processes(root: &Root) -> io::Result<u64> {
    let mut count = 0;
    for entry in fs::read_dir(root.join("proc"))? {
        count += u64::from(pid_of(&entry?).is_some());
    }
    Ok(count)
}

/// The number of the process that a folder of `/proc` is about.
pub(crate) fn pid_of(entry: &fs::DirEntry) -> Option<u32> {
    entry.file_name().to_str()?.parse().ok()
}

/// How many threads the machine has, those of the kernel included.
pub(crate) fn threads(root: &Root) -> io::Result<u64> {
    // `0.00 0.01 0.05 1/99 1234`: running threads and all threads.
    let text = fs::read_to_string(root.join("proc/loadavg"))?;
    let all =
        text.split_ascii_whitespace().nth(3).and_then(|threads| threads.split_once('/')?.1.parse().ok());
    all.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no number of threads"))
}

/// What the control group of this process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupTasks {
    /// Its processes and threads.
    pub(crate) tasks: u64,
    /// How many it may hold, by its own limit or one above it; `None` without a limit.
    pub(crate) limit: Option<u64>,
}

/// What the control group of this process holds; `None` where nothing counts that.
pub(crate) fn group(root: &Root) -> io::Result<Option<GroupTasks>> {
    let Some((mount, own)) = place(root)? else { return Ok(None) };
    let read = |folder: &Path, file: &str| fs::read_to_string(folder.join(file));
    let tasks = match read(&own, "pids.current") {
        Ok(tasks) => tasks.trim().parse().map_err(|_| io::ErrorKind::InvalidData)?,
        // The root group has no such file.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let above = own.ancestors().take_while(|folder| folder.starts_with(&mount));
    let limit = above.filter_map(|folder| read(folder, "pids.max").ok()?.trim().parse().ok()).min();
    Ok(Some(GroupTasks { tasks, limit }))
}

/// Where the hierarchy that counts is mounted, and the folder of our own group in it.
fn place(root: &Root) -> io::Result<Option<(PathBuf, PathBuf)>> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup"))?;
    let mounts = fs::read_to_string(root.join("proc/self/mountinfo"))?;
    // `number:controllers:path`; in the second version there is one hierarchy, with number 0 and no controllers.
    let mut first = None;
    let mut second = None;
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':');
        match (fields.next(), fields.next(), fields.next()) {
            (_, Some(controllers), Some(path)) if controllers.split(',').any(|name| name == "pids") => {
                first = Some(path);
            }
            (Some("0"), Some(""), Some(path)) => second = Some(path),
            _ => {}
        }
    }
    let (path, kind) = match (first, second) {
        (Some(path), _) => (path, "cgroup"),
        (None, Some(path)) => (path, "cgroup2"),
        (None, None) => return Ok(None),
    };
    Ok(mounts.lines().find_map(|line| {
        // `… root mountpoint … - type source options`
        let (place, details) = line.split_once(" - ")?;
        let mut details = details.split(' ');
        let fits = details.next() == Some(kind)
            && (kind == "cgroup2"
                || details.nth(1).is_some_and(|options| options.split(',').any(|name| name == "pids")));
        let mut place = place.split(' ').skip(3);
        let (top, mount) = (place.next()?, place.next()?);
        // Seen from inside a container the path may lie above what is mounted: our group is then the mount itself.
        let below = Path::new(path).strip_prefix(top).ok();
        let mount = root.join(mount.trim_start_matches('/'));
        let own = below.map_or_else(|| mount.clone(), |below| mount.join(below));
        fits.then_some((mount, own))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        for (path, content) in files {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), content).unwrap();
        }
        (folder, root)
    }

    #[test]
    fn counts_processes_and_threads() {
        let files = [
            ("proc/loadavg", "0.00 0.01 0.05 2/345 678\n"),
            ("proc/1/stat", ""),
            ("proc/42/stat", ""),
            ("proc/sys/x", ""),
        ];
        let (_folder, root) = tree(&files);
        assert_eq!((processes(&root).unwrap(), threads(&root).unwrap()), (2, 345));
        assert!(threads(&tree(&[("proc/loadavg", "odd")]).1).is_err());
    }

    #[test]
    fn reads_the_one_hierarchy_and_the_lowest_limit() {
        let files = [
            ("proc/self/cgroup", "0::/a/b\n"),
            ("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n"),
            ("sys/fs/cgroup/a/b/pids.current", "7\n"),
            ("sys/fs/cgroup/a/b/pids.max", "max\n"),
            ("sys/fs/cgroup/a/pids.max", "50\n"),
        ];
        let (_folder, root) = tree(&files);
        assert_eq!(group(&root).unwrap(), Some(GroupTasks { tasks: 7, limit: Some(50) }));
    }

    #[test]
    fn prefers_the_hierarchy_that_counts() {
        let files = [
            ("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:pids:/docker/abc\n0::/docker/abc\n"),
            (
                "proc/self/mountinfo",
                "1 2 0:1 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n\
                 3 2 0:2 /docker/abc /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n",
            ),
            ("sys/fs/cgroup/pids/pids.current", "3\n"),
            ("sys/fs/cgroup/pids/pids.max", "max\n"),
        ];
        let (_folder, root) = tree(&files);
        assert_eq!(group(&root).unwrap(), Some(GroupTasks { tasks: 3, limit: None }));
    }

    #[test]
    fn a_group_that_nobody_counts_is_none() {
        let mounts = ("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
        for groups in ["0::/\n", "", "3:cpu:/\n"] {
            assert_eq!(group(&tree(&[("proc/self/cgroup", groups), mounts]).1).unwrap(), None, "{groups:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn reads_this_machine() {
        let root = Root::default();
        let (processes, threads) = (processes(&root).unwrap(), threads(&root).unwrap());
        assert!(processes >= 1 && threads >= processes, "{processes} processes, {threads} threads");
        if let Some(group) = group(&root).unwrap() {
            assert!(group.tasks >= 1);
        }
    }
}

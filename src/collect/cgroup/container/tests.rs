//! The numbers for checks, over the files of machines of each kind.

use std::fs;
use std::time::Duration;

use super::super::tests::{copy, fixture};
use super::super::unlimited;
use super::*;

#[cfg(target_os = "linux")]
mod kernel;

#[test]
fn memory_is_what_is_used_of_the_limit() {
    for name in ["v2", "v1", "hybrid", "container"] {
        let memory = Container::new(&fixture(name)).memory(Instant::now()).unwrap().unwrap();
        assert_eq!(memory, ContainerMemory { limit: 536_870_912, working_set: 136_314_880 }, "{name}");
        assert!((memory.usage() - 0.2539).abs() < 1e-4);
    }
    for name in ["service", "top", "unlimited", "nowhere"] {
        assert_eq!(Container::new(&fixture(name)).memory(Instant::now()).unwrap(), None, "{name}");
    }
    assert_eq!(ContainerMemory { limit: 0, working_set: 0 }.usage(), 1.0);
}

#[test]
fn processors_are_what_was_used_of_the_limit_since_the_last_time() {
    let (_folder, root) = copy("v2");
    let stat = root.join("sys/fs/cgroup/apps.slice/apps-shop.slice/cpu.stat");
    let used = |user: u64, system: u64| {
        fs::write(&stat, format!("user_usec {user}\nsystem_usec {system}\n")).unwrap();
    };
    let mut container = Container::new(&root);
    let start = Instant::now();
    let mut usage =
        |seconds: f64| container.cpu(start + Duration::from_secs_f64(seconds)).unwrap().unwrap().usage;
    used(10_000_000, 0);
    assert_eq!(usage(0.0), None);
    used(11_000_000, 2_000_000);
    assert_eq!(usage(4.0), Some(0.5), "three seconds of the six that one and a half processors have");
    used(50_000_000, 2_000_000);
    assert_eq!(usage(4.5), Some(0.5), "asked again within a second, it repeats itself");
    assert_eq!(usage(8.0), Some(1.0), "a burst");
    used(0, 0);
    assert_eq!(usage(10.0), Some(0.0), "another group counts anew");
}

#[test]
fn a_limit_that_cannot_be_reached_is_none() {
    let (_folder, root) = copy("hybrid");
    let cpu = |online: &str| {
        fs::write(root.join("sys/devices/system/cpu/online"), online).unwrap();
        Container::new(&root).cpu(Instant::now()).unwrap().map(|cpu| cpu.limit)
    };
    assert_eq!(cpu("0-7\n"), Some(1.5));
    assert_eq!(cpu("0-1\n"), Some(1.5));
    assert_eq!(cpu("0\n"), None, "there is but one");
    for name in ["container", "service", "top", "unlimited", "nowhere"] {
        assert_eq!(Container::new(&fixture(name)).cpu(Instant::now()).unwrap(), None, "{name}");
    }
}

#[test]
fn a_limit_that_cannot_be_read_is_an_error() {
    let (_folder, root) = copy("container");
    fs::write(root.join("sys/fs/cgroup/memory.max"), "lots\n").unwrap();
    fs::write(root.join("sys/fs/cgroup/cpu.max"), "lots\n").unwrap();
    let mut container = Container::new(&root);
    assert_eq!(container.memory(Instant::now()).unwrap_err().kind(), io::ErrorKind::InvalidData);
    assert_eq!(container.cpu(Instant::now()).unwrap_err().kind(), io::ErrorKind::InvalidData);
}

#[test]
fn where_there_is_no_limit_it_looks_again_after_a_while() {
    let (_folder, root) = copy("unlimited");
    let limit = |file: &str, text: &str| {
        fs::write(root.join("sys/fs/cgroup").join(file), text).unwrap();
    };
    let start = Instant::now();
    let (mut container, before, after) = (Container::new(&root), unlimited::FOR.mul_f64(0.9), unlimited::FOR);
    assert_eq!(container.memory(start).unwrap(), None);
    assert_eq!(container.cpu(start).unwrap(), None);
    // The kernel tells the least limit above in each group.
    let stat = |limit: u64| format!("total_inactive_file 0\nhierarchical_memory_limit {limit}\n");
    limit("memory/process_api/ae1c/memory.limit_in_bytes", "536870912\n");
    limit("memory/process_api/ae1c/memory.stat", &stat(536_870_912));
    limit("cpu/cpu.cfs_quota_us", "50000\n");
    assert_eq!(container.memory(start + before).unwrap(), None);
    assert_eq!(container.cpu(start + before).unwrap(), None);
    assert_eq!(container.memory(start + after).unwrap().map(|memory| memory.limit), Some(536_870_912));
    assert_eq!(container.cpu(start + after).unwrap().map(|cpu| cpu.limit), Some(0.5));
    limit("memory/process_api/ae1c/memory.limit_in_bytes", "536870000\n");
    limit("memory/process_api/ae1c/memory.stat", &stat(536_870_000));
    let later = container.memory(start + after + Duration::from_secs(1)).unwrap();
    assert_eq!(later.map(|memory| memory.limit), Some(536_870_000), "a limit is read each time");
}

fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Root) {
    let folder = tempfile::tempdir().unwrap();
    let root = Root::new(folder.path());
    for (path, content) in files {
        fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        fs::write(root.join(path), content).unwrap();
    }
    (folder, root)
}

fn tasks(root: &Root) -> Option<ContainerTasks> {
    Container::new(root).tasks().unwrap()
}

#[test]
fn reads_the_one_hierarchy_and_the_lowest_limit() {
    let files = [
        ("proc/self/cgroup", "0::/a/b\n"),
        ("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n"),
        ("sys/fs/cgroup/a/b/pids.current", "7\n"),
        ("sys/fs/cgroup/a/b/pids.max", "max\n"),
        ("sys/fs/cgroup/a/pids.current", "40\n"),
        ("sys/fs/cgroup/a/pids.max", "50\n"),
    ];
    let (_folder, root) = tree(&files);
    assert_eq!(tasks(&root), Some(ContainerTasks { tasks: 40, limit: Some(50) }));
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
    assert_eq!(tasks(&root), Some(ContainerTasks { tasks: 3, limit: None }));
}

#[test]
fn a_group_that_nobody_counts_is_none() {
    let mounts = ("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    for groups in ["0::/\n", "", "3:cpu:/\n"] {
        assert_eq!(tasks(&tree(&[("proc/self/cgroup", groups), mounts]).1), None, "{groups:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn tasks_of_this_process_are_counted_where_they_are() {
    if let Some(group) = tasks(&Root::default()) {
        assert!(group.tasks >= 1);
    }
}

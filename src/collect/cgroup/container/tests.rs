//! The numbers for checks, over the files of machines of each kind.

use std::fs;
use std::time::Duration;

use super::super::tests::{copy, fixture};
use super::*;

#[test]
fn memory_is_what_is_used_of_the_limit() {
    for name in ["v2", "v1", "hybrid", "container"] {
        let memory = Container::new(&fixture(name)).memory().unwrap().unwrap();
        assert_eq!(memory, ContainerMemory { limit: 536_870_912, working_set: 136_314_880 }, "{name}");
        assert!((memory.usage() - 0.2539).abs() < 1e-4);
    }
    for name in ["service", "top", "unlimited", "nowhere"] {
        assert_eq!(Container::new(&fixture(name)).memory().unwrap(), None, "{name}");
    }
    assert_eq!(ContainerMemory { limit: 0, working_set: 0 }.usage(), 1.0);
}

#[test]
fn processors_are_what_was_used_of_the_limit_since_the_last_time() {
    let (_folder, root) = copy("v2");
    let stat = root.join("sys/fs/cgroup/apps.slice/apps-shop.slice/shop.service/cpu.stat");
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
    assert_eq!(container.memory().unwrap_err().kind(), io::ErrorKind::InvalidData);
    assert_eq!(container.cpu(Instant::now()).unwrap_err().kind(), io::ErrorKind::InvalidData);
}

//! Real groups of the kernel that runs the tests: one with limits, in it another one that uses what the limits allow, and
//! beside that the own one, which uses nothing. Run by `tests/run`, with a command of their own, where groups can be made.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::*;

/// Where the groups of one controller are, and the words of its version.
struct Controller {
    folder: PathBuf,
    is_two: bool,
}

impl Controller {
    fn find(name: &str) -> Self {
        let two = PathBuf::from("/sys/fs/cgroup");
        let one = two.join(name);
        if one.is_dir() {
            return Self { folder: one, is_two: false };
        }
        let given = fs::read_to_string(two.join("cgroup.subtree_control")).unwrap();
        assert!(given.split_whitespace().any(|word| word == name), "no {name} among {given:?}");
        Self { folder: two, is_two: true }
    }
}

/// A group with a limit and two in it; they go with it.
struct Groups {
    above: PathBuf,
    is_two: bool,
    member: Option<Child>,
}

impl Groups {
    fn make(controller: &str) -> Self {
        let Controller { folder, is_two } = Controller::find(controller);
        let above = folder.join(name());
        fs::create_dir(&above).unwrap();
        fs::create_dir(above.join("own")).unwrap();
        if is_two {
            fs::write(above.join("cgroup.subtree_control"), format!("+{controller}")).unwrap();
        }
        fs::create_dir(above.join("other")).unwrap();
        Self { above, is_two, member: None }
    }

    fn limit(&self, one: &str, two: &str, value: &str) {
        fs::write(self.above.join(if self.is_two { two } else { one }), value).unwrap();
    }

    /// Runs a program in the other group, until the groups go.
    fn run(&mut self, script: &str) {
        let script = format!("echo $$ > {}/cgroup.procs && {script}", self.above.join("other").display());
        let mut command = Command::new("sh");
        command.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::null());
        self.member = Some(command.spawn().unwrap());
    }

    /// A root with the kernel's own lists, in which this process is in the own group.
    fn root(&self, controller: &str) -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        fs::create_dir_all(root.join("proc/self")).unwrap();
        for file in ["proc/self/mountinfo", "proc/meminfo"] {
            fs::copy(Path::new("/").join(file), root.join(file)).unwrap();
        }
        std::os::unix::fs::symlink("/sys", root.join("sys")).unwrap();
        let line = if self.is_two { "0::".to_owned() } else { format!("1:{controller}:") };
        fs::write(root.join("proc/self/cgroup"), format!("{line}/{}/own\n", name())).unwrap();
        (folder, root)
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        if let Some(mut member) = self.member.take() {
            let _ = member.kill();
            let _ = member.wait();
        }
        let until = Instant::now() + Duration::from_secs(20);
        for group in [self.above.join("own"), self.above.join("other"), self.above.clone()] {
            // It is empty a moment after its last process is gone.
            while fs::remove_dir(&group).is_err() && group.is_dir() && Instant::now() < until {
                std::thread::yield_now();
            }
        }
    }
}

/// As no other run of these tests has.
fn name() -> String {
    let test =
        std::thread::current().name().unwrap_or_default().rsplit("::").next().unwrap_or_default().to_owned();
    format!("vitalsign-{}-{test}", std::process::id())
}

fn soon<T: std::fmt::Debug>(mut look: impl FnMut() -> T, mut good: impl FnMut(&T) -> bool) -> T {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let found = look();
        if good(&found) || Instant::now() > until {
            return found;
        }
    }
}

#[test]
#[ignore = "needs the right to make groups"]
fn memory_that_others_use_under_the_same_limit_counts() {
    const LIMIT: u64 = 64 << 20;
    let mut groups = Groups::make("memory");
    groups.limit("memory.limit_in_bytes", "memory.max", &LIMIT.to_string());
    groups.run("x=$(head -c 20000000 /dev/zero | tr '\\0' x); read y");
    let (_folder, root) = groups.root("memory");
    let now = tokio::time::Instant::now();
    let memory =
        soon(|| Container::new(&root).memory(now).unwrap().unwrap(), |memory| memory.working_set > 16 << 20);
    assert_eq!(memory.limit, LIMIT);
    assert!((16 << 20..=LIMIT).contains(&memory.working_set), "{memory:?}: what the other group uses");
}

#[test]
#[ignore = "needs the right to make groups"]
fn tasks_of_others_under_the_same_limit_count() {
    let mut groups = Groups::make("pids");
    groups.limit("pids.max", "pids.max", "50");
    groups.run("read y");
    let (_folder, root) = groups.root("pids");
    let found = soon(|| tasks(&root).unwrap(), |found| found.tasks == 1);
    assert_eq!(found, ContainerTasks { tasks: 1, limit: Some(50) });
}

#[test]
#[ignore = "needs the right to make groups"]
fn a_limit_on_processors_is_met_where_it_is() {
    let mut groups = Groups::make("cpu");
    if groups.is_two {
        groups.limit("", "cpu.max", "10000 100000");
    } else {
        groups.limit("cpu.cfs_period_us", "", "100000");
        groups.limit("cpu.cfs_quota_us", "", "10000");
    }
    groups.run("while :; do :; done");
    let (_folder, root) = groups.root("cpu");
    let mut own = Own::new(&root);
    let throttled = soon(
        || {
            let cpu = &mut own.files().unwrap().cpu;
            let limit = cpu.limit().unwrap().unwrap();
            assert_eq!((limit.level, limit.most), (1, 0.1));
            cpu.stat(limit.level).unwrap().throttling.map_or(0, |throttling| throttling.throttled)
        },
        |throttled| *throttled > 0,
    );
    assert!(throttled > 0, "the other group was held back");
    assert_eq!(own.files().unwrap().cpu.stat(0).unwrap().throttling.map_or(0, |own| own.throttled), 0);
}

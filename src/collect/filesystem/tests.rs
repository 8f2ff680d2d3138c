//! The collector over lists of mounts made for it, with calls that hang until told otherwise. A real mount that hangs is
//! in [`fuse`].

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use parking_lot::Mutex;
use tempfile::TempDir;

use super::*;
use crate::collect::place::On;
use crate::config::Document;
use crate::metrics::{Store, render, violations};

#[cfg(target_os = "linux")]
mod fuse;
#[cfg(target_os = "linux")]
mod namespace;

/// A root with a list of mounts, and what a collector says of it.
struct Machine {
    folder: TempDir,
    store: Store,
    sheet: Sheet,
    collector: FilesystemCollector,
}

/// For tests in which nothing hangs, however slow the machine is.
const PATIENT: Patience = Patience { each: Duration::from_secs(600), all: Duration::from_secs(3600) };

const SPACE: Space =
    Space { disk: Disk { total: 1000, used: 300, available: 600 }, inodes: (50, 20), on: None };

impl Machine {
    fn new(
        mountinfo: &[u8],
        patience: Patience,
        ask: impl Fn(&Path) -> io::Result<Space> + Send + Sync + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        std::fs::create_dir_all(root.join("proc/self")).unwrap();
        std::fs::write(root.join("proc/self/mountinfo"), mountinfo).unwrap();
        Self::over(folder, &root, Selection::default(), patience, Arc::new(ask))
    }

    fn over(folder: TempDir, root: &Root, selection: Selection, patience: Patience, ask: Ask) -> Self {
        let store = Store::new();
        let sheet = Sheet::new(&store, "filesystem", super::super::sheet::Counts::SinceBoot);
        Self { folder, store, sheet, collector: FilesystemCollector::new(root, selection, ask, patience) }
    }

    /// Reads once; gives the page of values and the errors.
    fn collect(&mut self) -> (String, Vec<Reason>) {
        self.sheet.begin();
        self.collector.collect(&mut self.sheet);
        let errors = self.sheet.end().to_vec();
        let mut page = Vec::new();
        render(&self.store.snapshot(), &mut page);
        let page = String::from_utf8(page).unwrap();
        let values = page.lines().filter(|line| line.contains("filesystem_"));
        (
            values.filter(|line| !line.starts_with('#')).fold(String::new(), |all, line| all + line + "\n"),
            errors,
        )
    }

    fn list(&self, mountinfo: &[u8]) {
        std::fs::write(self.folder.path().join("proc/self/mountinfo"), mountinfo).unwrap();
    }
}

fn mounts(count: usize) -> String {
    (0..count)
        .fold(String::new(), |all, id| all + &format!("{id} 1000 8:{id} / /m{id} rw - zfs pool/{id} rw\n"))
}

fn unresponsive(page: &str) -> Vec<usize> {
    let of = |id| format!("vitalsign_filesystem_unresponsive{{system_filesystem_mountpoint=\"/m{id}\"}} 1\n");
    (0..20).filter(|id| page.contains(&of(*id))).collect()
}

fn limits(page: &str) -> usize {
    page.matches("system_filesystem_limit_bytes{").count()
}

#[test]
fn shows_what_a_mount_says() {
    let mut machine = Machine::new(b"1 0 8:1 / / ro - ext4 /dev/sda1 rw\n", PATIENT, |_| Ok(SPACE));
    let (page, errors) = machine.collect();
    assert!(errors.is_empty());
    let at = "system_device=\"/dev/sda1\",system_filesystem_mountpoint=\"/\",system_filesystem_type=\"ext4\",\
              system_filesystem_mode=\"ro\"";
    for line in [
        format!("system_filesystem_usage_bytes{{{at},system_filesystem_state=\"used\"}} 300"),
        format!("system_filesystem_usage_bytes{{{at},system_filesystem_state=\"free\"}} 600"),
        format!("system_filesystem_usage_bytes{{{at},system_filesystem_state=\"reserved\"}} 100"),
        format!("system_filesystem_limit_bytes{{{at}}} 1000"),
        format!("system_filesystem_utilization_ratio{{{at}}} 0.3333333333333333"),
        format!("system_filesystem_inodes_usage{{{at},system_filesystem_state=\"used\"}} 30"),
        format!("system_filesystem_inodes_usage{{{at},system_filesystem_state=\"free\"}} 20"),
        "vitalsign_filesystem_unresponsive{system_filesystem_mountpoint=\"/\"} 0".to_owned(),
    ] {
        assert!(page.lines().any(|found| found == line), "{line}\n{page}");
    }
    assert_eq!(page.lines().count(), 8);
}

#[test]
fn the_states_add_up_whatever_a_server_claims() {
    let disk = Disk { total: 1000, used: 300, available: u64::MAX };
    let mut machine =
        Machine::new(mounts(1).as_bytes(), PATIENT, move |_| Ok(Space { disk, inodes: (0, 0), on: None }));
    let (page, _) = machine.collect();
    assert!(page.contains("state=\"free\"} 700\n") && page.contains("state=\"reserved\"} 0\n"), "{page}");
    assert!(!page.contains("inodes"), "{page}");
    let none = Space { disk: Disk { total: 0, used: 0, available: 0 }, inodes: (7, 7), on: None };
    let (page, _) = Machine::new(mounts(1).as_bytes(), PATIENT, move |_| Ok(none)).collect();
    assert_eq!(page.lines().count(), 1, "{page}");
}

#[test]
fn only_what_does_not_answer_is_unresponsive_and_each_says_why() {
    for (errno, marked, reason) in [
        (Errno::TIMEDOUT, true, Reason::Timeout),
        (Errno::NOTCONN, true, Reason::Unreachable),
        (Errno::STALE, true, Reason::Unreachable),
        (Errno::IO, true, Reason::Other),
        (Errno::ACCESS, false, Reason::Denied),
        (Errno::PERM, false, Reason::Denied),
        (Errno::NOENT, false, Reason::NotFound),
        (Errno::NOTDIR, false, Reason::Other),
        (Errno::NOSYS, false, Reason::Other),
    ] {
        let mut machine = Machine::new(mounts(2).as_bytes(), PATIENT, move |path| {
            if path.ends_with("m0") { Err(errno.into()) } else { Ok(SPACE) }
        });
        let (page, errors) = machine.collect();
        let expected = if marked { vec![0] } else { vec![] };
        assert_eq!((unresponsive(&page), limits(&page), errors), (expected, 1, vec![reason]), "{errno}");
    }
}

#[test]
fn a_mount_that_is_not_where_the_host_says_is_withheld_and_told_of_once() {
    let at = |minor| Space { on: Some(On { mount: None, device: (8, minor) }), ..SPACE };
    let machine = |asked: Space| {
        let mut machine = Machine::new(b"", PATIENT, move |_| Ok(asked));
        std::fs::create_dir_all(machine.folder.path().join("proc/1")).unwrap();
        let list = "1 0 8:1 / / rw - ext4 a rw\n2 1 8:2 / /data rw - ext4 b rw\n";
        std::fs::write(machine.folder.path().join("proc/1/mountinfo"), list).unwrap();
        let read = machine.collect();
        assert_eq!(machine.collect(), read);
        (read, machine.collector.elsewhere.len())
    };
    let ((page, errors), told) = machine(at(1));
    assert!(limits(&page) == 1 && page.contains("mountpoint=\"/\"") && !page.contains("/data"), "{page}");
    assert_eq!((errors, told), (vec![Reason::NotFound], 1));
    let ((page, errors), told) = machine(at(3));
    assert_eq!((page, errors, told), (String::new(), vec![Reason::NotFound; 2], 2));
}

#[test]
fn what_is_covered_is_not_asked_and_no_error() {
    let list =
        "1 0 8:1 / / rw - ext4 a rw\n2 1 8:2 / /srv/deep rw - ext4 b rw\n3 1 8:3 / /srv rw - ext4 c rw\n";
    let asked: Arc<Mutex<Vec<PathBuf>>> = Arc::default();
    let ask = {
        let asked = Arc::clone(&asked);
        move |path: &Path| {
            asked.lock().push(path.to_owned());
            Ok(SPACE)
        }
    };
    let mut machine = Machine::new(list.as_bytes(), PATIENT, ask);
    assert_eq!(machine.collect().1, []);
    let folder = machine.folder.path();
    assert_eq!(*asked.lock(), [folder.to_owned(), folder.join("srv")]);
}

#[test]
fn ten_thousand_mounts_below_slow_ones_are_listed_without_a_search() {
    use crate::collect::sheet::tests::LOOKS;
    let line = |id: usize| {
        format!("{id} 1 8:{id} / /m{id} rw - {} x rw\n", if id.is_multiple_of(2) { "zfs" } else { "tmpfs" })
    };
    let list = (2..10_002).fold("1 0 8:1 / / rw - ext4 x rw\n".to_owned(), |all, id| all + &line(id));
    let mut machine = Machine::new(list.as_bytes(), PATIENT, |_| Ok(SPACE));
    let (page, errors) = machine.collect();
    assert_eq!((limits(&page), errors), (5_001, vec![]));
    let before = LOOKS.with(std::cell::Cell::get);
    machine.collect();
    assert_eq!(LOOKS.with(std::cell::Cell::get) - before, 5_001 * 8);
}

#[test]
fn no_list_is_no_error_and_a_broken_one_is() {
    let mut machine = Machine::new(b"", PATIENT, |_| Ok(SPACE));
    assert_eq!(machine.collect(), (String::new(), vec![Reason::Protocol]));
    machine.list(b"1 0 8:1 / / rw - ext4\n2 0 8:2 / /m\xff rw - ext4 x rw\n");
    let (page, errors) = machine.collect();
    assert_eq!((limits(&page), errors), (1, vec![Reason::Protocol]));
    machine.list(b"2 0 8:2 / /m rw - ext4 x rw\n");
    assert_eq!(machine.collect().1, []);
    let folder = tempfile::tempdir().unwrap();
    let root = Root::new(folder.path());
    let mut empty = Machine::over(folder, &root, Selection::default(), PATIENT, Arc::new(|_| Ok(SPACE)));
    assert_eq!(empty.collect(), (String::new(), vec![]));
}

/// Paths that hang until they are told to go on.
#[derive(Clone, Default)]
struct Hangs {
    waiting: Arc<Mutex<Vec<Sender<()>>>>,
    calls: Arc<AtomicUsize>,
}

impl Hangs {
    fn call(&self) -> io::Result<Space> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let (sender, told) = channel();
        self.waiting.lock().push(sender);
        let _ = told.recv();
        Ok(SPACE)
    }

    fn let_go(&self) {
        self.waiting.lock().clear();
    }
}

/// For those that hang whatever the time.
const HASTY: Patience = Patience { each: Duration::from_millis(150), all: Duration::from_secs(3600) };
/// Where the others have to answer in time, also on a slow machine.
const FAIR: Patience = Patience { each: Duration::from_secs(2), all: Duration::from_secs(3600) };

#[test]
fn a_mount_that_hangs_is_left_out_until_it_is_back() {
    let (hangs, broken) = (Hangs::default(), Arc::new(AtomicBool::new(true)));
    let ask = {
        let (hangs, broken) = (hangs.clone(), Arc::clone(&broken));
        move |path: &Path| {
            if path.ends_with("m1") && broken.load(Ordering::SeqCst) { hangs.call() } else { Ok(SPACE) }
        }
    };
    let mut machine = Machine::new(mounts(3).as_bytes(), FAIR, ask);
    for _ in 0..3 {
        let (page, errors) = machine.collect();
        assert_eq!((unresponsive(&page), limits(&page)), (vec![1], 2), "{page}");
        assert_eq!(errors, [Reason::Timeout]);
    }
    assert_eq!(hangs.calls.load(Ordering::SeqCst), 1, "it is not asked again meanwhile");
    broken.store(false, Ordering::SeqCst);
    hangs.let_go();
    let until = Instant::now() + Duration::from_secs(60);
    while limits(&machine.collect().0) < 3 {
        assert!(Instant::now() < until, "it came back");
    }
    assert!(unresponsive(&machine.collect().0).is_empty());
}

#[test]
fn only_what_cannot_hang_is_asked_without_a_thread() {
    let here = std::thread::current().id();
    let asked: Arc<Mutex<Vec<(PathBuf, bool)>>> = Arc::default();
    let ask = {
        let asked = Arc::clone(&asked);
        move |path: &Path| {
            asked.lock().push((path.to_owned(), std::thread::current().id() == here));
            Ok(SPACE)
        }
    };
    let list = "1 0 8:1 / / rw - ext4 a rw\n2 1 8:2 / /zfs rw - zfs b rw\n3 2 8:3 / /zfs/on rw - xfs c rw\n\
                4 1 0:4 / /home rw - nfs4 d:/ rw\n5 4 8:5 / /home/here rw - ext4 e rw\n6 1 8:6 / /homes rw - xfs f rw\n";
    let mut machine = Machine::new(list.as_bytes(), PATIENT, ask);
    let root = machine.folder.path().to_owned();
    assert_eq!(machine.collect().1, []);
    let wanted = [("", true), ("zfs", false), ("zfs/on", false), ("home/here", false), ("homes", true)];
    assert_eq!(*asked.lock(), wanted.map(|(path, here)| (root.join(path), here)));
}

#[test]
fn few_threads_hang_at_most() {
    let hangs = Hangs::default();
    let ask = {
        let hangs = hangs.clone();
        move |path: &Path| if path.ends_with("m9") { Ok(SPACE) } else { hangs.call() }
    };
    let mut machine = Machine::new(mounts(10).as_bytes(), HASTY, ask);
    let (page, errors) = machine.collect();
    assert_eq!(unresponsive(&page), (0..asker::MOST_HANGING).collect::<Vec<_>>());
    assert_eq!((limits(&page), errors.len()), (0, asker::MOST_HANGING + 1), "two were not asked");
    hangs.let_go();
    let until = Instant::now() + Duration::from_secs(60);
    while limits(&machine.collect().0) < 1 {
        assert!(Instant::now() < until, "those that were not asked come first when there is a thread");
    }
    hangs.let_go();
}

#[test]
fn all_mounts_together_have_a_time_limit_and_take_turns() {
    let hangs = Hangs::default();
    let ask = {
        let hangs = hangs.clone();
        move |path: &Path| if path.ends_with("m0") { hangs.call() } else { Ok(SPACE) }
    };
    let patience = Patience { each: Duration::from_millis(200), all: Duration::from_millis(300) };
    let mut machine = Machine::new(mounts(3).as_bytes(), patience, ask);
    let (page, errors) = machine.collect();
    assert_eq!((unresponsive(&page), limits(&page), errors), (vec![0], 0, vec![Reason::Timeout; 2]));
    assert_eq!(machine.collector.first, 1);
    machine.collector.patience = PATIENT;
    let (page, errors) = machine.collect();
    assert_eq!((unresponsive(&page), limits(&page), errors), (vec![0], 2, vec![Reason::Timeout]));
    hangs.let_go();
}

#[test]
fn another_root_is_asked_under_its_folder_and_named_as_within() {
    let asked: Arc<Mutex<Vec<PathBuf>>> = Arc::default();
    let ask = {
        let asked = Arc::clone(&asked);
        move |path: &Path| {
            asked.lock().push(path.to_owned());
            Ok(SPACE)
        }
    };
    let mut machine =
        Machine::new(b"1 0 8:1 / / rw - ext4 a rw\n2 1 8:2 / /data rw - ext4 b rw\n", PATIENT, ask);
    let folder = machine.folder.path().to_owned();
    machine.collect();
    assert_eq!(*asked.lock(), [folder.clone(), folder.join("data")]);

    // A container that has the host under a folder lists both its own mounts and the host's.
    asked.lock().clear();
    let under = folder.display();
    machine.list(format!("1 0 8:1 / / rw - ext4 a rw\n2 1 8:2 / {under} rw - ext4 b rw\n3 2 8:3 / {under}/srv rw - ext4 c rw\n").as_bytes());
    let (page, _) = machine.collect();
    assert_eq!(*asked.lock(), [folder.clone(), folder.join("srv")]);
    assert!(page.contains("system_device=\"b\",system_filesystem_mountpoint=\"/\""), "{page}");

    // The host's first process, where it may be read, says it best.
    let first = machine.folder.path().join("proc/1");
    std::fs::create_dir(&first).unwrap();
    std::fs::write(first.join("mountinfo"), "1 0 8:1 / /only rw - ext4 z rw\n").unwrap();
    let (page, _) = machine.collect();
    assert!(page.contains("mountpoint=\"/only\"") && limits(&page) == 1, "{page}");
}

#[test]
fn settings_say_which() {
    let build = |text: &str| {
        let read = Document::parse("t", text, &|_| None)
            .read(|fields| Filesystem.build(&Root::default(), fields).is_some());
        read.map(|(built, _)| built).map_err(|problems| problems.to_string())
    };
    assert_eq!(build("include_types: [ext4, 'fuse.*']\nexclude_mounts: [/mnt/*, '*/tmp']\n"), Ok(true));
    assert_eq!(build(""), Ok(true));
    let problem = build("exclude_mounts: [data]\n").unwrap_err();
    assert!(problem.contains("exclude_mounts") && problem.contains("starts with `/`"), "{problem}");
}

#[test]
fn definitions_keep_the_rules() {
    // The unit `1` is for the ratios of OpenTelemetry's own, of which this is one.
    let found: Vec<_> =
        DEFINITIONS.iter().filter(|found| found.unit != "1").flat_map(|found| violations(found)).collect();
    assert!(found.is_empty(), "{found:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn agrees_with_df() {
    let folder = tempfile::tempdir().unwrap();
    let only = Selection {
        types: Wanted { include: vec!["*".to_owned()], exclude: Vec::new() },
        mounts: Wanted { include: vec!["/".to_owned()], exclude: Vec::new() },
    };
    let mut machine = Machine::over(folder, &Root::default(), only, PATIENT, Arc::new(Space::read));
    let (page, errors) = machine.collect();
    assert!(errors.is_empty());
    let df = std::process::Command::new("df").args(["--output=size,itotal", "-B1", "/"]).output().unwrap();
    let text = String::from_utf8(df.stdout).unwrap();
    let numbers: Vec<f64> =
        text.lines().nth(1).unwrap().split_whitespace().map(|word| word.parse().unwrap()).collect();
    let sum = |name: &str| -> f64 {
        let values = page.lines().filter(|line| line.starts_with(name));
        values.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
    };
    assert_eq!(sum("system_filesystem_limit_bytes"), numbers[0]);
    assert_eq!(sum("system_filesystem_usage_bytes"), numbers[0]);
    assert_eq!(sum("system_filesystem_inodes_usage"), numbers[1]);
}

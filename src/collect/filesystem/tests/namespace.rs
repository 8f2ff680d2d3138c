//! Real mounts, in a namespace of mounts of the tests' own: a container that has its host under a folder, wholly and in
//! part. Needs the right to make namespaces, and says so where it is missing.

use std::process::Command;

use super::*;
use crate::collect::filesystem::{Elsewhere, disk_of};

/// In the working folder of the inner tests, so that nobody mounts anything outside of a namespace by accident.
const FOLDER: &str = "mounts-in-a-namespace";

/// Runs the test of this name alone in a namespace of its own.
pub(super) fn in_a_namespace(test: &str) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(FOLDER)).unwrap();
    let mut command = Command::new("unshare");
    command.args(["-rm", "--propagation", "private", "--"]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("{}::{test}", module_path!().split_once("::").unwrap().1)]);
    let output = command.args(["--ignored", "--nocapture"]).current_dir(folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("went to its end"),
        "needs namespaces: run as root, or as a user who may `unshare -rm`\n{text}{errors}"
    );
}

fn folder() -> Option<PathBuf> {
    std::path::absolute(FOLDER).ok().filter(|folder| folder.is_dir())
}

fn mount(args: &[&str], at: &Path) {
    std::fs::create_dir_all(at).unwrap();
    assert!(Command::new("mount").args(args).arg(at).status().unwrap().success(), "{args:?}");
}

fn unmount(at: &Path) {
    assert!(Command::new("umount").arg(at).status().unwrap().success());
}

/// A host of two disks, of 3 and 5 MiB, in a folder; and a container in whose root it is at `host`, or parts of it.
struct Host {
    disks: PathBuf,
    root: PathBuf,
    list: String,
}

const ROOT_DISK: u64 = 3 << 20;
const DATA_DISK: u64 = 5 << 20;

impl Host {
    fn new(folder: &Path) -> Self {
        let (disks, root) = (folder.join("disks"), folder.join("host"));
        mount(&["-t", "tmpfs", "-o", "size=3m", "root_disk"], &disks);
        mount(&["-t", "tmpfs", "-o", "size=5m", "data_disk"], &disks.join("data"));
        std::fs::create_dir_all(disks.join("proc/1")).unwrap();
        std::fs::create_dir_all(&root).unwrap();
        // What the first process of the host has: the same mounts with other numbers, from its own root on.
        let (mounts, _) = mountinfo::parse(&std::fs::read("/proc/self/mountinfo").unwrap());
        let line = |id: u32, parent: u32, path: &str, source: &str| {
            let device = mounts.iter().find(|mount| mount.source == source).unwrap().device;
            format!("{id} {parent} {}:{} / {path} rw - tmpfs {source} rw\n", device.0, device.1)
        };
        let list = line(7001, 7000, "/", "root_disk") + &line(7002, 7001, "/data", "data_disk");
        std::fs::write(disks.join("proc/1/mountinfo"), &list).unwrap();
        Self { disks, root, list }
    }

    /// What the collector shows of each mount point, and how many errors there are.
    fn shown(&self) -> (Vec<(String, u64)>, usize) {
        let everything = Selection {
            types: Wanted { include: vec!["*".to_owned()], exclude: Vec::new() },
            ..Selection::default()
        };
        let root = Root::new(&self.root);
        let scratch = tempfile::tempdir().unwrap();
        let mut machine = Machine::over(scratch, &root, everything, PATIENT, Arc::new(Space::read));
        let (page, errors) = machine.collect();
        let sizes =
            page.lines().filter(|line| line.starts_with("system_filesystem_limit_bytes{")).map(|line| {
                let (labels, size) = line.rsplit_once("} ").unwrap();
                let point = labels.split("mountpoint=\"").nth(1).unwrap().split('"').next().unwrap();
                (point.to_owned(), size.parse().unwrap())
            });
        let mut sizes: Vec<_> = sizes.collect();
        sizes.sort();
        (sizes, errors.len())
    }

    /// How large the file system of a path of the host is, as its check says.
    fn size(&self, path: &str) -> Option<u64> {
        match disk_of(&Root::new(&self.root), Path::new(path)).unwrap() {
            Ok(disk) => Some(disk.total),
            Err(Elsewhere) => None,
        }
    }
}

#[test]
fn only_a_host_that_is_there_is_measured() {
    in_a_namespace("inner_host");
}

#[test]
#[ignore = "runs in a namespace, which the test above makes"]
fn inner_host() {
    let Some(folder) = folder() else { return };
    let host = Host::new(&folder);
    let both = vec![("/".to_owned(), ROOT_DISK), ("/data".to_owned(), DATA_DISK)];
    let bind = |from: &Path, to: &Path| mount(&["--rbind", from.to_str().unwrap()], to);

    // The whole host, as README says.
    bind(&host.disks, &host.root);
    assert_eq!(host.shown(), (both.clone(), 0));
    std::os::unix::fs::symlink("/data", host.root.join("link")).unwrap();
    std::fs::create_dir(host.root.join("data/deep")).unwrap();
    for (path, size) in
        [("/", ROOT_DISK), ("/proc", ROOT_DISK), ("/data/deep", DATA_DISK), ("/link", DATA_DISK)]
    {
        assert_eq!(host.size(path), Some(size), "{path}");
    }
    assert_eq!(
        disk_of(&Root::new(&host.root), Path::new("/no/such")).unwrap_err().kind(),
        io::ErrorKind::NotFound
    );

    // Something of the container covers a disk.
    mount(&["-t", "tmpfs", "-o", "size=7m", "cover"], &host.root.join("data"));
    assert_eq!(host.shown(), (both[..1].to_vec(), 1));
    assert_eq!((host.size("/data"), host.size("/")), (None, Some(ROOT_DISK)));
    unmount(&host.root.join("data"));
    assert_eq!(host.shown(), (both.clone(), 0));

    // A disk that was mounted after the container started and does not come through.
    unmount(&host.root.join("data"));
    assert_eq!(host.shown(), (both[..1].to_vec(), 1));
    assert_eq!((host.size("/data"), host.size("/link")), (None, None));
    unmount(&host.root);

    // Only the host's /proc.
    bind(&host.disks.join("proc"), &host.root.join("proc"));
    assert_eq!(host.shown(), (vec![], 2));
    assert_eq!((host.size("/"), host.size("/proc")), (None, Some(ROOT_DISK)));
    unmount(&host.root.join("proc"));

    // Its list, and another disk in its place.
    mount(&["-t", "tmpfs", "-o", "size=9m", "other_disk"], &host.root);
    std::fs::create_dir_all(host.root.join("proc/1")).unwrap();
    std::fs::create_dir_all(host.root.join("data")).unwrap();
    std::fs::write(host.root.join("proc/1/mountinfo"), &host.list).unwrap();
    assert_eq!(host.shown(), (vec![], 2));
    assert_eq!((host.size("/"), host.size("/data")), (None, None));
    println!("went to its end");
}

#[test]
fn a_mount_of_a_part_and_one_that_is_covered_do_not_stand_for_others() {
    in_a_namespace("inner_binds");
}

#[test]
#[ignore = "runs in a namespace, which the test above makes"]
fn inner_binds() {
    let Some(folder) = folder() else { return };
    let whole = folder.join("a/long/way/to/the/disk");
    mount(&["-t", "tmpfs", "-o", "size=3m", "disk"], &whole);
    std::fs::create_dir(whole.join("part")).unwrap();
    let part = folder.join("p");
    mount(&["--bind", whole.join("part").to_str().unwrap()], &part);
    let covered = folder.join("covered/deep");
    mount(&["-t", "tmpfs", "-o", "size=5m", "deep"], &covered);
    mount(&["-t", "tmpfs", "-o", "size=7m", "cover"], &folder.join("covered"));
    std::fs::create_dir(&covered).unwrap();

    let selection = Selection {
        types: Wanted { include: vec!["tmpfs".to_owned()], exclude: Vec::new() },
        mounts: Wanted { include: vec![format!("{}/*", folder.display())], exclude: Vec::new() },
    };
    let scratch = tempfile::tempdir().unwrap();
    let mut machine = Machine::over(scratch, &Root::default(), selection, PATIENT, Arc::new(Space::read));
    let (page, errors) = machine.collect();
    let sizes: Vec<_> = page
        .lines()
        .filter(|line| line.starts_with("system_filesystem_limit_bytes{"))
        .map(|line| line.split("system_device=\"").nth(1).unwrap().split('"').next().unwrap())
        .collect();
    assert_eq!((sizes, errors), (vec!["cover", "disk"], vec![]), "{page}");
    assert!(page.contains(&format!("mountpoint=\"{}\"", whole.display())), "{page}");
    println!("went to its end");
}

//! A real mount that never answers: a FUSE file system whose program is frozen, as `sshfs` is when its server is gone.
//!
//! It is mounted in a mount namespace of its own, which ends with the test and with all that hangs in it. Needs
//! `/dev/fuse` and the right to make namespaces, and says so where either is missing.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::Command;

use parking_lot::Condvar;

use super::*;
use crate::supervisor;

/// In the working folder of the inner test, so that nobody mounts anything outside of a namespace by accident.
const FOLDER: &str = "frozen-in-a-namespace";

#[test]
fn a_mount_whose_program_is_frozen_costs_only_its_own_numbers() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(FOLDER)).unwrap();
    let unshare = |program: &Path, args: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["-rm", "--propagation", "private", "--"]).arg(program).args(args);
        command.current_dir(folder.path()).output()
    };
    let possible = unshare(Path::new("true"), &[]).is_ok_and(|output| output.status.success());
    let fuse = OpenOptions::new().read(true).write(true).open("/dev/fuse");
    assert!(
        possible && fuse.is_ok(),
        "needs /dev/fuse and namespaces: run as root, or as a user who may `unshare -rm`"
    );
    let name = "collect::filesystem::tests::fuse::in_a_namespace";
    let output =
        unshare(&std::env::current_exe().unwrap(), &["--exact", name, "--ignored", "--nocapture"]).unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("it hung and came back"), "{text}");
}

#[test]
#[ignore = "runs in a namespace, which the test above makes"]
fn in_a_namespace() {
    let Ok(folder) = std::path::absolute(FOLDER) else { return };
    if !folder.is_dir() {
        return;
    }
    let (good, bad) = (folder.join("good"), folder.join("bad"));
    std::fs::create_dir(&good).unwrap();
    std::fs::create_dir(&bad).unwrap();
    mount(&["-t", "tmpfs", "-o", "size=1m", "good"], &good, None);
    let program = Program::mounted_on(&bad);

    let selection = Selection {
        types: Wanted { include: vec!["fuse*".to_owned(), "tmpfs".to_owned()], exclude: Vec::new() },
        mounts: Wanted { include: vec![format!("{}/*", folder.display())], exclude: Vec::new() },
    };
    let scratch = tempfile::tempdir().unwrap();
    // Time for the good one to answer on a slow machine.
    let patience = Patience { each: FAIR.each, all: FAIR.each * 10 };
    let mut machine = Machine::over(scratch, &Root::default(), selection, patience, Arc::new(Space::read));
    let shown = |page: &str, path: &Path| {
        let at = format!("system_filesystem_mountpoint=\"{}\"", path.display());
        let withheld = page.contains(&format!("vitalsign_filesystem_unresponsive{{{at}}} 1\n"));
        let series = page.lines().filter(|line| line.contains(&at)).count();
        assert_eq!(withheld, series == 1, "{page}");
        !withheld
    };
    let until = |machine: &mut Machine, expected: [bool; 2]| {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let (page, _) = machine.collect();
            if [shown(&page, &good), shown(&page, &bad)] == expected {
                return;
            }
            assert!(Instant::now() < end, "{page}");
        }
    };
    // A slow machine may miss the time limit once.
    until(&mut machine, [true, true]);
    assert!(machine.collect().0.contains("system_device=\"frozen\""));

    program.freeze(true);
    until(&mut machine, [true, false]);
    let asked = program.asked();
    for _ in 0..3 {
        let since = Instant::now();
        let (page, _) = machine.collect();
        assert_eq!([shown(&page, &good), shown(&page, &bad)], [true, false]);
        assert!(since.elapsed() < patience.all * 2, "nobody waits for it: {:?}", since.elapsed());
    }
    assert_eq!(program.asked(), asked, "it is not asked again");

    program.freeze(false);
    until(&mut machine, [true, true]);
    println!("it hung and came back");
}

fn mount(args: &[&str], path: &Path, device: Option<File>) {
    let mut command = Command::new("mount");
    // Without its helpers: /dev/fuse is handed over as its standard input.
    command.arg("-i").args(args).arg(path);
    if let Some(device) = device {
        command.stdin(device);
    }
    assert!(command.status().unwrap().success());
}

/// The program behind the file system, which answers nothing but how full it is.
struct Program(Arc<State>);

#[derive(Default)]
struct State {
    frozen: Mutex<bool>,
    changed: Condvar,
    asked: AtomicUsize,
}

impl Program {
    fn mounted_on(path: &Path) -> Self {
        let device = OpenOptions::new().read(true).write(true).open("/dev/fuse").unwrap();
        let options = "fd=0,rootmode=40000,user_id=0,group_id=0";
        mount(&["-t", "fuse", "-o", options, "frozen"], path, Some(device.try_clone().unwrap()));
        let state = Arc::<State>::default();
        let program = Self(Arc::clone(&state));
        supervisor::thread("fuse", move || state.serve(device)).unwrap();
        program
    }

    fn freeze(&self, frozen: bool) {
        *self.0.frozen.lock() = frozen;
        self.0.changed.notify_all();
    }

    fn asked(&self) -> usize {
        self.0.asked.load(Ordering::SeqCst)
    }
}

impl State {
    fn serve(&self, mut device: File) {
        const FORGET: u32 = 2;
        const STATFS: u32 = 17;
        const INIT: u32 = 26;
        const NOT_IMPLEMENTED: i32 = -38;
        let mut request = vec![0; 1 << 17];
        while device.read(&mut request).is_ok_and(|length| length >= 16) {
            let (operation, unique) = (&request[4..8], &request[8..16]);
            let operation = u32::from_ne_bytes(operation.try_into().unwrap());
            let (error, body): (i32, Vec<u8>) = match operation {
                FORGET => continue,
                // Version 7.31, no options, writes of 4096 bytes.
                INIT => (
                    0,
                    [7_u32, 31, 0, 0, 0, 4096, 1]
                        .into_iter()
                        .chain([0; 9])
                        .flat_map(u32::to_ne_bytes)
                        .collect(),
                ),
                STATFS => {
                    self.asked.fetch_add(1, Ordering::SeqCst);
                    let mut frozen = self.frozen.lock();
                    while *frozen {
                        self.changed.wait(&mut frozen);
                    }
                    // Blocks, free, available, files, free; sizes of a block, a name and a fragment; the rest is zero.
                    let counts = [1000_u64, 700, 600, 50, 20].into_iter().flat_map(u64::to_ne_bytes);
                    let sizes = [512_u32, 255, 512].into_iter().chain([0; 7]).flat_map(u32::to_ne_bytes);
                    (0, counts.chain(sizes).collect())
                }
                _ => (NOT_IMPLEMENTED, Vec::new()),
            };
            let length = u32::try_from(16 + body.len()).unwrap();
            let answer = [&length.to_ne_bytes()[..], &error.to_ne_bytes(), unique, &body].concat();
            device.write_all(&answer).unwrap();
        }
    }
}

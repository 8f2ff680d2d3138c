//! A real mount that never answers: a FUSE file system whose program is frozen, as `sshfs` is when its server is gone.
//!
//! It is mounted in a mount namespace of its own, which ends with the test and with all that hangs in it. Needs
//! `/dev/fuse` and the right to make namespaces, and says so where either is missing.

use std::fs::OpenOptions;
use std::process::Command;

use super::*;
use crate::supervisor;

#[path = "../../../../benches/support/fuse.rs"]
mod program;

use program::{Program, mount};

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
    let program = Program::mounted_on(&bad, |program| drop(supervisor::thread("fuse", program).unwrap()));

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
    let marked = |machine: &mut Machine, expected: &str| {
        let line = format!(
            "vitalsign_filesystem_unresponsive{{system_filesystem_mountpoint=\"{}\"}} {expected}\n",
            bad.display()
        );
        let (page, errors) = machine.collect();
        assert!(page.contains(&line) && limits(&page) == 1, "{page}");
        errors
    };
    for (errno, expected, reason) in [
        (Errno::STALE, "1", Reason::Unreachable),
        (Errno::NOTCONN, "1", Reason::Unreachable),
        (Errno::IO, "1", Reason::Other),
        (Errno::ACCESS, "0", Reason::Denied),
        (Errno::NOENT, "0", Reason::NotFound),
    ] {
        program.refuse(errno.raw_os_error());
        assert_eq!(marked(&mut machine, expected), [reason], "{errno}");
    }
    program.refuse(0);
    until(&mut machine, [true, true]);
    println!("it hung and came back");
}

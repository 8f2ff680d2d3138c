//! Tells the program what it is built from, for `vitalsign_build_info`.

use std::env;
use std::path::Path;
use std::process::Command;

#[expect(clippy::disallowed_methods, reason = "how a build script is spoken to and speaks")]
fn main() {
    // One file at least: else cargo would take any change in the folder for a reason to run this again.
    println!("cargo:rerun-if-changed=build.rs");
    for file in revision_files() {
        println!("cargo:rerun-if-changed={file}");
    }
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = first_line(Command::new(rustc).arg("--version"));
    let version = version.split_whitespace().nth(1).unwrap_or_default().to_owned();
    // Outside a checkout (an unpacked package) there is no revision; an empty label is an absent one.
    let revision = git(&["rev-parse", "--short=12", "HEAD"]);
    let branch = git(&["rev-parse", "--abbrev-ref", "HEAD"]);
    println!("cargo:rustc-env=VITALSIGN_RUSTC={version}");
    println!("cargo:rustc-env=VITALSIGN_REVISION={revision}");
    println!("cargo:rustc-env=VITALSIGN_BRANCH={branch}");
    let target = env::var("TARGET").unwrap_or_default();
    // Tables that tell where the program holds addresses, a hundredth as large as usual: at start all of it is read into
    // memory and stays there. glibc understands it since 2.36, and the linker leaves it out where the C library cannot.
    if target.ends_with("-linux-gnu") {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    println!("cargo:rustc-env=VITALSIGN_TARGET={target}");
}

/// The files that change with the revision: HEAD, the branch that it names, and those that hold many branches. Git is
/// asked where they are: a linked worktree has a HEAD of its own and shares the branches.
///
/// None of them may be missing, for cargo takes a missing file for a changed one.
fn revision_files() -> Vec<String> {
    let path = |name: &str| git(&["rev-parse", "--git-path", name]);
    let mut files: Vec<String> = ["HEAD", "packed-refs", "reftable"].map(path).into();
    files.retain(|file| Path::new(file).exists());
    // On a detached HEAD there is no branch.
    let branch = git(&["symbolic-ref", "-q", "HEAD"]);
    if !branch.is_empty() {
        // A branch that is packed has no file until the next commit makes one, which changes the folder.
        let file = path(&branch);
        let nearest = Path::new(&file).ancestors().find(|path| path.exists());
        files.extend(nearest.and_then(Path::to_str).map(str::to_owned));
    }
    files
}

fn git(args: &[&str]) -> String {
    first_line(Command::new("git").args(args))
}

fn first_line(command: &mut Command) -> String {
    let output = command.output().ok().filter(|output| output.status.success());
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

//! Tells the program what it is built from, for `vitalsign_build_info`.

use std::env;
use std::process::Command;

#[expect(clippy::disallowed_methods, reason = "how a build script is spoken to and speaks")]
fn main() {
    // In a worktree `.git` is a file that names the folder.
    let folder = first_line(Command::new("git").args(["rev-parse", "--git-path", "HEAD"]));
    println!("cargo:rerun-if-changed={}", if folder.is_empty() { "build.rs" } else { &folder });
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = first_line(Command::new(rustc).arg("--version"));
    let version = version.split_whitespace().nth(1).unwrap_or_default().to_owned();
    // Outside a checkout (an unpacked package) there is no revision; an empty label is an absent one.
    let revision = first_line(Command::new("git").args(["rev-parse", "--short=12", "HEAD"]));
    let branch = first_line(Command::new("git").args(["rev-parse", "--abbrev-ref", "HEAD"]));
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

fn first_line(command: &mut Command) -> String {
    let output = command.output().ok().filter(|output| output.status.success());
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

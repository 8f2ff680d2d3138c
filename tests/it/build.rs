//! How the program is built: that it knows the revision that it is built from, compiles nothing without a
//! reason, and out of how many crates.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::harness::{process::output, scratch::Scratch, user::User};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A package of one line with the build script of this one, in a checkout of its own.
struct Checkout {
    package: PathBuf,
    target: PathBuf,
}

impl Checkout {
    fn new(scratch: &Scratch) -> Self {
        let new = Self { package: scratch.join("package"), target: scratch.join("target") };
        fs::create_dir_all(new.package.join("src")).unwrap();
        fs::copy(Path::new(ROOT).join("build.rs"), new.package.join("build.rs")).unwrap();
        let write = |name: &str, text: &str| fs::write(new.package.join(name), text).unwrap();
        write("Cargo.toml", "[package]\nname = \"probe\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
        write(
            "src/main.rs",
            "fn main() { println!(\"{} {}\", env!(\"VITALSIGN_REVISION\"), env!(\"VITALSIGN_BRANCH\")); }",
        );
        new.git(&["init", "--quiet", "--initial-branch=main"]);
        new.git(&["add", "."]);
        new.commit();
        new
    }

    /// The same checkout's branches in another folder, with a branch of its own.
    fn worktree(&self, scratch: &Scratch, branch: &str) -> Self {
        let package = scratch.join("worktree");
        self.git(&["worktree", "add", "--quiet", "-b", branch, package.to_str().unwrap()]);
        Self { package, target: scratch.join("target-of-worktree") }
    }

    #[track_caller]
    fn git(&self, args: &[&str]) -> String {
        let mut git = Command::new("git");
        for name in ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"] {
            git.env_remove(name);
        }
        let name =
            ["-c", "user.name=probe", "-c", "user.email=probe@localhost", "-c", "commit.gpgsign=false"];
        git.args(name).args(args).current_dir(&self.package);
        output(git).trim().to_owned()
    }

    fn commit(&self) {
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "more"]);
    }

    /// Builds it; says whether there was anything to compile.
    #[track_caller]
    fn build(&self) -> bool {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--offline", "--target-dir"]).arg(&self.target).current_dir(&self.package);
        let done = cargo.output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{said}");
        said.contains("Compiling probe")
    }

    /// It is built again after a change, and then says what is checked out; without a change it is not.
    #[track_caller]
    fn assert_up_to_date(&self, what: &str) {
        self.build();
        let said = output(Command::new(self.target.join("debug/probe")));
        let revision = self.git(&["rev-parse", "--short=12", "HEAD"]);
        let branch = self.git(&["rev-parse", "--abbrev-ref", "HEAD"]);
        assert_eq!(said.trim(), format!("{revision} {branch}"), "{what}");
        assert!(!self.build(), "{what}: compiled again although nothing changed");
    }
}

#[test]
fn the_revision_is_that_of_the_last_commit() {
    let scratch = Scratch::new("build", User::oneself());
    let checkout = Checkout::new(&scratch);
    checkout.assert_up_to_date("the first commit");
    checkout.commit();
    checkout.assert_up_to_date("a commit");
    checkout.git(&["pack-refs", "--all"]);
    checkout.assert_up_to_date("the branches packed");
    checkout.commit();
    checkout.assert_up_to_date("a commit on a packed branch");
    checkout.git(&["checkout", "--quiet", "-b", "other"]);
    checkout.assert_up_to_date("another branch of the same revision");

    let worktree = checkout.worktree(&scratch, "feature/deep");
    worktree.assert_up_to_date("a worktree");
    worktree.commit();
    worktree.assert_up_to_date("a commit in a worktree");
    worktree.git(&["checkout", "--quiet", "--detach"]);
    worktree.commit();
    worktree.assert_up_to_date("a commit on no branch");
    checkout.assert_up_to_date("the checkout beside it");
}

/// Outside of a checkout there is no revision, and the package builds.
#[test]
fn without_git_there_is_no_revision() {
    let scratch = Scratch::new("build", User::oneself());
    let checkout = Checkout::new(&scratch);
    fs::remove_dir_all(checkout.package.join(".git")).unwrap();
    checkout.build();
    assert_eq!(output(Command::new(checkout.target.join("debug/probe"))), " \n");
    assert!(!checkout.build(), "compiled again although nothing changed");
}

const CRATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/crates.txt");

/// How many crates, this one included, a first build compiles for Linux; not those of build scripts.
#[track_caller]
fn crates(features: &[&str]) -> usize {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--locked", "--offline", "--edges=normal", "--prefix=none", "--format={p}"]);
    cargo.args(["--target", "x86_64-unknown-linux-gnu"]).args(features).current_dir(ROOT);
    let listed = output(cargo);
    let names = listed.lines().map(|line| line.split(" (").next().unwrap_or_default());
    names.collect::<BTreeSet<_>>().len()
}

/// Each crate is paid for at every first build, which has to stay below four minutes: one more is a decision. What few
/// people need belongs into `full`; what came with a new version of something else may be a feature to switch off.
#[test]
fn the_crates_of_a_first_build_are_as_many_as_the_golden_file_says() {
    let counted = format!(
        "default {}\nfull {}\nnone {}\n",
        crates(&[]),
        crates(&["--features", "full"]),
        crates(&["--no-default-features"])
    );
    #[expect(clippy::disallowed_methods, reason = "how to ask for a new golden file")]
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(CRATES, &counted).unwrap();
    }
    let golden = fs::read_to_string(CRATES).unwrap();
    assert_eq!(
        counted, golden,
        "the number of crates has changed: see `cargo tree`, run this test with UPDATE_GOLDEN=1 where it is meant, and say \
         in the commit what the crate costs (`cargo build --release --timings`)"
    );
}

#[test]
fn the_image_has_everything_in_the_smallest_and_fastest_form() {
    let file = fs::read_to_string(Path::new(ROOT).join("deploy/Dockerfile")).unwrap();
    assert!(file.contains("cargo build --profile dist --features full --locked"), "{file}");
    assert!(file.contains("target/dist/vitalsign"), "{file}");
}

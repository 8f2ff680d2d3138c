//! A directory per server or agent, below one directory per test process that is gone when the process is.

use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use super::{guard::Guard, user::User};

/// A directory of one user, removed on drop.
#[derive(Debug)]
pub(crate) struct Scratch {
    dir: tempfile::TempDir,
}

impl Scratch {
    /// A new directory, named after what lives in it.
    pub(crate) fn new(name: &str, user: User) -> Self {
        let dir = tempfile::Builder::new()
            .prefix(&format!("{name}-"))
            .tempdir_in(root())
            .expect("make a directory for a test");
        user.own(dir.path());
        Self { dir }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The path of `name` in it.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file that `user` can read.
    pub(crate) fn write(&self, name: &str, text: &str, user: User) -> PathBuf {
        let path = self.join(name);
        std::fs::write(&path, text).unwrap_or_else(|e| panic!("write {}: {e}", path.display()));
        user.own(&path);
        path
    }
}

/// The directory of this test process. When that process ends, its servers are ending too, and some still
/// need their files for it: the directory goes when nobody works in it any more, or after ten seconds.
fn root() -> &'static Path {
    static ROOT: OnceLock<(PathBuf, Guard)> = OnceLock::new();
    let (root, _) = ROOT.get_or_init(|| {
        let root = tempfile::Builder::new().prefix("vitalsign-").tempdir().expect("make a directory").keep();
        // Servers run as other users and must be able to pass through.
        std::fs::set_permissions(&root, Permissions::from_mode(0o755)).expect("open the directory");
        let script = r#"
            n=0
            while [ $n -lt 100 ] && ls -l /proc/[0-9]*/cwd | grep -qF "$1"; do n=$((n + 1)); sleep 0.1; done
            rm -rf -- "$1""#;
        let guard = Guard::new(script, [&root]);
        (root, guard)
    });
    root
}

//! Whom a server runs as: an unprivileged user when the tests run as root (PostgreSQL insists), else oneself.

use std::{os::unix::fs::chown, path::Path};

/// An account of the machine, or oneself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct User {
    ids: Option<(u32, u32)>,
}

impl User {
    /// Oneself, privileges and all.
    pub(crate) fn oneself() -> Self {
        Self { ids: None }
    }

    /// The first of `names` that the machine has, else `nobody`; oneself when not root.
    pub(crate) fn unprivileged(names: &[&str]) -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self::oneself();
        }
        let accounts = std::fs::read_to_string("/etc/passwd").expect("read /etc/passwd");
        let ids = names.iter().chain(&["nobody"]).find_map(|name| ids(&accounts, name));
        assert!(ids.is_some(), "neither {names:?} nor nobody in /etc/passwd: run the tests unprivileged");
        Self { ids }
    }

    /// Makes `path` this user's.
    pub(crate) fn own(self, path: &Path) {
        if let Some((uid, gid)) = self.ids {
            chown(path, Some(uid), Some(gid)).unwrap_or_else(|e| panic!("chown {}: {e}", path.display()));
        }
    }

    /// The arguments that make `setpriv` become this user.
    pub(crate) fn setpriv(self) -> Vec<String> {
        self.ids.map_or_else(Vec::new, |(uid, gid)| {
            vec![format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".to_owned()]
        })
    }
}

fn ids(accounts: &str, name: &str) -> Option<(u32, u32)> {
    let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

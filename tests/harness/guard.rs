//! A shell that outlives the test process, for what must happen however that process ends (a SIGKILL runs no
//! destructor): it blocks on a pipe whose other end only the test process holds.

use std::{
    ffi::OsStr,
    io::Write,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
};

/// Runs its script when the test process ends before the guard is dropped.
#[derive(Debug)]
pub(crate) struct Guard {
    shell: Child,
}

impl Guard {
    /// `script` is for `sh`, with `args` as its `$@`.
    pub(crate) fn new<A: AsRef<OsStr>>(script: &str, args: impl IntoIterator<Item = A>) -> Self {
        let shell = Command::new("/bin/sh")
            .arg("-c")
            .arg(format!("read -r _ || {{ {script}; }}"))
            .arg("guard")
            .args(args)
            .env_clear()
            .env("PATH", super::process::PATH)
            .process_group(0) // an interrupt at the terminal is for the tests, not for the guard
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("start /bin/sh");
        Self { shell }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.shell.stdin.take() {
            let _ = pipe.write_all(b"dismissed\n");
        }
        let _ = self.shell.wait();
    }
}

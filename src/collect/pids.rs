//! How many processes and threads there are on the machine.
//!
//! Two small reads, save for the number of processes, which is that of the folders in `/proc`: some microseconds each.

use std::fs;
use std::io;

use super::Root;

/// How many processes the machine has, those of the kernel included.
pub(crate) fn processes(root: &Root) -> io::Result<u64> {
    let mut count = 0;
    for entry in fs::read_dir(root.join("proc"))? {
        count += u64::from(pid_of(&entry?).is_some());
    }
    Ok(count)
}

/// The number of the process that a folder of `/proc` is about.
pub(crate) fn pid_of(entry: &fs::DirEntry) -> Option<u32> {
    entry.file_name().to_str()?.parse().ok()
}

/// The number of this process among them: under another root, the host's for one, it is not the one that it knows itself
/// by. `None` where it is not among them.
pub(crate) fn own(root: &Root) -> Option<u32> {
    if root.is_whole() {
        return Some(std::process::id());
    }
    fs::read_link(root.join("proc/self")).ok()?.to_str()?.parse().ok()
}

/// How many threads the machine has, those of the kernel included.
pub(crate) fn threads(root: &Root) -> io::Result<u64> {
    // `0.00 0.01 0.05 1/99 1234`: running threads and all threads.
    let text = fs::read_to_string(root.join("proc/loadavg"))?;
    let all =
        text.split_ascii_whitespace().nth(3).and_then(|threads| threads.split_once('/')?.1.parse().ok());
    all.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no number of threads"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        for (path, content) in files {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), content).unwrap();
        }
        (folder, root)
    }

    #[test]
    fn counts_processes_and_threads() {
        let files = [
            ("proc/loadavg", "0.00 0.01 0.05 2/345 678\n"),
            ("proc/1/stat", ""),
            ("proc/42/stat", ""),
            ("proc/sys/x", ""),
        ];
        let (_folder, root) = tree(&files);
        assert_eq!((processes(&root).unwrap(), threads(&root).unwrap()), (2, 345));
        assert!(threads(&tree(&[("proc/loadavg", "odd")]).1).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn reads_this_machine() {
        let root = Root::default();
        let (processes, threads) = (processes(&root).unwrap(), threads(&root).unwrap());
        assert!(processes >= 1 && threads >= processes, "{processes} processes, {threads} threads");
    }
}

//! The two files that say how names are looked up, read again when one of them changes.
//!
//! Costs two `stat` a look-up, as glibc does. A file that cannot be read counts as one that is not there.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::conf::Conf;
use super::hosts::Hosts;

/// A list of unwanted hosts may have megabytes.
const MOST: u64 = 8 << 20;

/// See the module.
#[derive(Debug)]
pub(super) struct Files {
    hosts: PathBuf,
    resolv_conf: PathBuf,
    read: Mutex<Option<Last>>,
}

/// What was read, and what the files were like before.
#[derive(Debug)]
struct Last {
    stamps: [Option<Stamp>; 2],
    known: Arc<Known>,
}

/// What the files say.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) hosts: Hosts,
    pub(super) conf: Conf,
}

/// What changes when a file does: device, inode, size, and both times to the nanosecond.
type Stamp = (u64, u64, u64, [i64; 4]);

impl Files {
    pub(super) fn new(hosts: impl Into<PathBuf>, resolv_conf: impl Into<PathBuf>) -> Self {
        Self { hosts: hosts.into(), resolv_conf: resolv_conf.into(), read: Mutex::new(None) }
    }

    /// What the files say now.
    pub(super) fn known(&self) -> Arc<Known> {
        let stamps = [stamp(&self.hosts), stamp(&self.resolv_conf)];
        let mut read = self.read.lock();
        if let Some(read) = &*read
            && read.stamps == stamps
        {
            return Arc::clone(&read.known);
        }
        let [hosts, conf] = [(&self.hosts, &stamps[0]), (&self.resolv_conf, &stamps[1])]
            .map(|(path, stamp)| stamp.map_or_else(Vec::new, |_| content(path)));
        let hostname = content(Path::new("/proc/sys/kernel/hostname"));
        let known = Arc::new(Known {
            hosts: Hosts::read(&String::from_utf8_lossy(&hosts)),
            conf: Conf::read(&conf, &String::from_utf8_lossy(&hostname)),
        });
        *read = Some(Last { stamps, known: Arc::clone(&known) });
        known
    }
}

/// None for what is no regular file: reading a pipe would hang.
fn stamp(path: &Path) -> Option<Stamp> {
    let file = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    let times = [file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec()];
    Some((file.dev(), file.ino(), file.size(), times))
}

fn content(path: &Path) -> Vec<u8> {
    let mut content = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MOST).read_to_end(&mut content));
    if read.is_err() {
        content.clear();
    }
    content
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_again_what_changed_and_only_that() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::new(dir.path().join("hosts"), dir.path().join("resolv.conf"));
        let before = files.known();
        assert_eq!((before.hosts.find("db"), before.conf.ndots), (None, 1));
        assert!(Arc::ptr_eq(&before, &files.known()));

        std::fs::write(dir.path().join("hosts"), "10.0.0.1 db\n").unwrap();
        assert!(files.known().hosts.find("db").is_some());
        std::fs::write(dir.path().join("new"), "options ndots:5\n").unwrap();
        std::fs::rename(dir.path().join("new"), dir.path().join("resolv.conf")).unwrap();
        assert_eq!(files.known().conf.ndots, 5);
        assert!(Arc::ptr_eq(&files.known(), &files.known()));
    }

    #[test]
    fn a_pipe_is_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("hosts");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
            .unwrap();
        assert_eq!(Files::new(&pipe, &pipe).known().hosts, Hosts::default());
    }
}

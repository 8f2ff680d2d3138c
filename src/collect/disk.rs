//! How full a file system is, as df(1) counts.
//!
//! One statvfs(2), below a microsecond; but it asks the file system itself, so on a network mount whose server is gone
//! it hangs and cannot be stopped. Whoever calls must be ready for that.

use std::io;
use std::path::Path;

use rustix::fs::{StatVfs, statvfs};

/// A file system, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Disk {
    pub(crate) total: u64,
    pub(crate) used: u64,
    /// What a program without privileges can still write. `used` and this do not add up to `total` where the file
    /// system keeps a reserve for root.
    pub(crate) available: u64,
}

impl Disk {
    /// Asks the file system that holds `path`.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        Ok(Self::of(&statvfs(path)?))
    }

    pub(super) fn of(stat: &StatVfs) -> Self {
        let block = if stat.f_frsize == 0 { stat.f_bsize } else { stat.f_frsize };
        Self {
            total: stat.f_blocks.saturating_mul(block),
            used: stat.f_blocks.saturating_sub(stat.f_bfree).saturating_mul(block),
            available: stat.f_bavail.saturating_mul(block),
        }
    }

    /// The share, 0 to 1, of what can be used at all that is used: df(1)'s `Use%`. A file system without blocks, such
    /// as `/proc`, is never full.
    pub(crate) fn usage(&self) -> f64 {
        let usable = self.used as f64 + self.available as f64;
        if usable == 0.0 { 0.0 } else { self.used as f64 / usable }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_reserve_counts_as_neither_used_nor_free() {
        let disk = Disk { total: 1000, used: 475, available: 475 };
        assert_eq!(disk.usage(), 0.5);
    }

    #[test]
    fn a_file_system_without_blocks_is_empty() {
        assert_eq!(Disk { total: 0, used: 0, available: 0 }.usage(), 0.0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn agrees_with_df() {
        let df = std::process::Command::new("df").args(["--output=pcent", "/"]).output().unwrap();
        let text = String::from_utf8(df.stdout).unwrap();
        let percent: f64 = text.lines().nth(1).unwrap().trim().trim_end_matches('%').parse().unwrap();
        let ours = Disk::read(Path::new("/")).unwrap().usage() * 100.0;
        // df rounds up, and the disk may be written to meanwhile.
        assert!((percent - ours).abs() <= 1.5, "df says {percent}, we say {ours}");
    }

    #[test]
    fn a_missing_path_is_an_error() {
        let error = Disk::read(Path::new("/no/such/path")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    proptest! {
        #[test]
        fn usage_is_a_ratio(total: u64, used: u64, available: u64) {
            let usage = Disk { total, used, available }.usage();
            prop_assert!((0.0..=1.0).contains(&usage));
        }
    }
}

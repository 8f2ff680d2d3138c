//! Files that somebody names, read within bounds: their size has a limit, and whoever names a pipe, a device or a folder
//! is told so instead of waiting for ever.
//!
//! A file is opened without waiting for it, and only after a look at what it is: opening some devices does something.
//! Only a configuration may come through a pipe, which then has to end within a time. Costs two calls more than an
//! ordinary read. Not for the files of the kernel, which the collectors read in their own way.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};

/// Why a file was not read.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// The system says why.
    System(io::Error),
    /// It is a pipe, a device or a socket.
    NotAFile,
    /// It is larger than this many bytes.
    TooLarge(u64),
    /// Its size changed meanwhile, so that what was read may be half of it.
    Changed,
    /// The pipe did not end within this time.
    NoEnd(Duration),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(error) => error.fmt(f),
            Self::NotAFile => f.write_str("is not a regular file"),
            Self::TooLarge(most) if *most < 1 << 20 => write!(f, "is larger than {} KiB", most >> 10),
            Self::TooLarge(most) => write!(f, "is larger than {} MiB", most >> 20),
            Self::Changed => {
                f.write_str("changed while it was read; write a new file and move it into place")
            }
            Self::NoEnd(within) => write!(f, "the pipe did not end within {}s", within.as_secs()),
        }
    }
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// What is in the regular file at `path`, `most` bytes at most.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>, Unreadable> {
    regular(&std::fs::metadata(path)?)?;
    let mut file = opened(path)?;
    let before = file.metadata()?;
    regular(&before)?;
    whole(&mut file, &before, most)
}

/// The same, also through a pipe whose other side ends `within` this time: `/dev/stdin`, or what a shell makes of `<(…)`.
pub(crate) fn read_or_wait(path: &Path, most: u64, within: Duration) -> Result<Vec<u8>, Unreadable> {
    let allowed = |metadata: &Metadata| {
        if metadata.file_type().is_fifo() { Ok(()) } else { regular(metadata) }
    };
    allowed(&std::fs::metadata(path)?)?;
    let mut file = opened(path)?;
    let before = file.metadata()?;
    allowed(&before)?;
    if before.is_file() { whole(&mut file, &before, most) } else { piped(&mut file, most, within) }
}

fn opened(path: &Path) -> Result<File, io::Error> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(File::from(open(path, flags, Mode::empty())?))
}

fn regular(metadata: &Metadata) -> Result<(), Unreadable> {
    if metadata.is_file() {
        Ok(())
    } else if metadata.is_dir() {
        Err(io::Error::from(io::ErrorKind::IsADirectory).into())
    } else {
        Err(Unreadable::NotAFile)
    }
}

fn whole(file: &mut File, before: &Metadata, most: u64) -> Result<Vec<u8>, Unreadable> {
    if before.len() > most {
        return Err(Unreadable::TooLarge(most));
    }
    let mut bytes = Vec::new();
    file.by_ref().take(most + 1).read_to_end(&mut bytes)?;
    if too_long(&bytes, most) {
        return Err(Unreadable::TooLarge(most));
    }
    // Not compared with what was read: files of the kernel are longer or shorter than they say.
    if file.metadata()?.len() == before.len() { Ok(bytes) } else { Err(Unreadable::Changed) }
}

fn piped(file: &mut File, most: u64, within: Duration) -> Result<Vec<u8>, Unreadable> {
    let until = Instant::now() + within;
    let (mut bytes, mut part) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        match poll(&mut [PollFd::new(&*file, PollFlags::IN)], Some(&left)) {
            Ok(0) => return Err(Unreadable::NoEnd(within)),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(io::Error::from(error).into()),
        }
        match file.read(&mut part) {
            Ok(0) => return Ok(bytes),
            Ok(read) => bytes.extend_from_slice(part.get(..read).unwrap_or_default()),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(error.into()),
        }
        if too_long(&bytes, most) {
            return Err(Unreadable::TooLarge(most));
        }
        if Instant::now() >= until {
            return Err(Unreadable::NoEnd(within));
        }
    }
}

fn too_long(bytes: &[u8], most: u64) -> bool {
    u64::try_from(bytes.len()).is_ok_and(|length| length > most)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// However long a slow machine takes.
    const LONG: Duration = Duration::from_secs(60);

    fn pipe(folder: &Path) -> std::path::PathBuf {
        let path = folder.join("pipe");
        let (kind, mode) = (rustix::fs::FileType::Fifo, Mode::from_raw_mode(0o600));
        rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, 0).unwrap();
        path
    }

    #[test]
    fn only_regular_files_up_to_a_size_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, vec![b'x'; 2048]).unwrap();
        assert_eq!(read(&file, 2048).unwrap().len(), 2048);
        std::os::unix::fs::symlink(&file, folder.path().join("link")).unwrap();
        assert_eq!(read(&folder.path().join("link"), 2048).unwrap().len(), 2048);
        let said = |path: &Path| read(path, 2047).unwrap_err().to_string();
        assert_eq!(said(&file), "is larger than 1 KiB");
        assert_eq!(said(&pipe(folder.path())), "is not a regular file");
        assert_eq!(said(Path::new("/dev/zero")), "is not a regular file");
        assert!(said(folder.path()).contains("is a directory"));
        assert!(said(&folder.path().join("none")).starts_with("No such file"));
        // Of a file of the kernel nobody knows the size before.
        assert!(!read(Path::new("/proc/self/status"), 1 << 20).unwrap().is_empty());
        assert!(matches!(read(Path::new("/proc/self/mountinfo"), 10), Err(Unreadable::TooLarge(10))));
    }

    #[test]
    fn a_file_that_is_written_meanwhile_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "whole").unwrap();
        let mut file = opened(&path).unwrap();
        let before = file.metadata().unwrap();
        std::fs::write(&path, "ha").unwrap();
        assert!(matches!(whole(&mut file, &before, 100), Err(Unreadable::Changed)));
    }

    #[test]
    fn a_pipe_is_read_to_its_end_within_its_time_and_size() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = pipe(folder.path());
        let nobody = read_or_wait(&pipe, 100, Duration::from_millis(10)).unwrap_err();
        assert!(matches!(nobody, Unreadable::NoEnd(_)), "{nobody}");
        let written = |bytes: &[u8], most: u64| {
            std::thread::scope(|scope| {
                let writer = scope.spawn(|| {
                    let mut pipe = File::options().write(true).open(&pipe).unwrap();
                    // Whoever reads may have had enough.
                    let _ = pipe.write_all(bytes);
                });
                let read = read_or_wait(&pipe, most, LONG);
                writer.join().unwrap();
                read
            })
        };
        assert_eq!(written(&[b'x'; 100_000], 100_000).unwrap().len(), 100_000);
        assert!(matches!(written(&[b'x'; 200_000], 100_000), Err(Unreadable::TooLarge(100_000))));
        assert!(matches!(read_or_wait(Path::new("/dev/zero"), 10, LONG), Err(Unreadable::NotAFile)));
    }
}

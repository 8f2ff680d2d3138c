//! The directory of a spool: one file a batch, a lock that keeps other processes away.
//!
//! A file is named after the batch's number, time and points, so that finding out what waits reads no file. It holds a
//! mark, its length, a checksum over name and content, and the content; it gets its name when it is complete and on the
//! disk, and the batch counts as kept when its name is there too: what was kept outlives a power cut. That a batch went is
//! not waited for: after a power cut it may be sent once more. Costs two waits for the disk a batch.

use std::cmp::Reverse;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustix::fs::{FlockOperation, flock};

use super::{Name, length};

/// What a file begins with, the version of its form included.
const MARK: &[u8; 8] = b"vsotlp\x00\x01";
/// Mark, length of the content, checksum.
const HEAD: usize = 8 + 8 + 4;
const ENDING: &str = ".batch";
const UNFINISHED: &str = ".new";

/// An open directory, locked.
#[derive(Debug)]
pub(super) struct Disk {
    directory: PathBuf,
    /// The same, open: what was done to its names is waited for through it.
    names: File,
    /// The lock goes with it.
    _lock: File,
}

/// Why a directory cannot hold a spool.
#[derive(Debug)]
pub struct SpoolError {
    directory: PathBuf,
    /// None where another process has it.
    cause: Option<io::Error>,
}

impl fmt::Display for SpoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let directory = self.directory.display();
        match &self.cause {
            None => write!(
                f,
                "otlp.spool.directory: {directory} is in use by another process: give each its own directory"
            ),
            Some(error) => write!(f, "otlp.spool.directory: {directory} {}", what_to_do(error)),
        }
    }
}

impl std::error::Error for SpoolError {}

/// What an error of the disk means for who has to mend it.
pub(in crate::push) fn what_to_do(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "has no space left: make room".to_owned()
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "is on a read-only disk: mount it writable or choose another directory".to_owned()
        }
        io::ErrorKind::PermissionDenied => "may not be written: grant this user write access".to_owned(),
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => "is not a directory".to_owned(),
        kind => format!("cannot be used: {kind}"),
    }
}

impl Disk {
    /// Takes the directory, which is made if it does not exist, and looks what is in it, in order, with sizes.
    pub(super) fn open(directory: &Path) -> Result<(Self, Vec<(Name, u64)>), SpoolError> {
        let wrong = |cause| SpoolError { directory: directory.to_owned(), cause };
        make(directory).map_err(|error| wrong(Some(error)))?;
        let lock = File::options().create(true).truncate(false).write(true).open(directory.join("lock"));
        let lock = lock.map_err(|error| wrong(Some(error)))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|error| {
            let error = io::Error::from(error);
            wrong((error.kind() != io::ErrorKind::WouldBlock).then_some(error))
        })?;
        let names = File::open(directory).map_err(|error| wrong(Some(error)))?;
        let disk = Self { directory: directory.to_owned(), names, _lock: lock };
        let found = disk.look().map_err(|error| wrong(Some(error)))?;
        Ok((disk, found))
    }

    fn look(&self) -> io::Result<Vec<(Name, u64)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let file = entry.file_name();
            let Some(file) = file.to_str() else { continue };
            if file.ends_with(UNFINISHED) {
                // Its process ended while it wrote.
                let _ = fs::remove_file(entry.path());
            } else if let Some(name) = parse(file) {
                found.push((name, entry.metadata()?.len()));
            }
        }
        found.sort_unstable_by_key(|(name, _)| (name.number, Reverse(name.points)));
        let mut kept: Vec<(Name, u64)> = Vec::with_capacity(found.len());
        for (name, size) in found {
            if kept.last().is_some_and(|(last, _)| last.number == name.number) {
                // The first half of a batch that is there as a whole: its process ended in between.
                self.remove(name);
            } else {
                kept.push((name, size));
            }
        }
        Ok(kept)
    }

    /// Writes a batch, and waits until the disk has it; its size there.
    pub(super) fn write(&self, name: Name, packed: &[u8]) -> io::Result<u64> {
        let path = self.path(name);
        let unfinished = path.with_extension(UNFINISHED.trim_start_matches('.'));
        let write = || {
            let mut file = File::create(&unfinished)?;
            let mut head = Vec::with_capacity(HEAD);
            head.extend_from_slice(MARK);
            head.extend_from_slice(&length(packed).to_le_bytes());
            head.extend_from_slice(&checksum(name, packed).to_le_bytes());
            file.write_all(&head)?;
            file.write_all(packed)?;
            file.sync_data()?;
            fs::rename(&unfinished, &path)?;
            sync_names(&self.names)
        };
        match write() {
            Ok(()) => Ok(length(packed) + length(&[0; HEAD])),
            Err(error) => {
                // The batch waits in memory: were it here too, it would be sent twice.
                let _ = fs::remove_file(&unfinished);
                let _ = fs::remove_file(&path);
                Err(error)
            }
        }
    }

    /// Reads a batch; `None` where it is not as it was written.
    pub(super) fn read(&self, name: Name) -> Option<Bytes> {
        let bytes = Bytes::from(fs::read(self.path(name)).ok()?);
        let head = bytes.get(..HEAD)?;
        let packed = bytes.slice(HEAD..);
        let mut expected = Vec::with_capacity(HEAD);
        expected.extend_from_slice(MARK);
        expected.extend_from_slice(&length(&packed).to_le_bytes());
        expected.extend_from_slice(&checksum(name, &packed).to_le_bytes());
        (head == expected).then_some(packed)
    }

    /// Removes a batch. One that cannot be removed is sent once more after a restart, which is all that can be done.
    pub(super) fn remove(&self, name: Name) {
        let _ = fs::remove_file(self.path(name));
    }

    fn path(&self, Name { number, made, points }: Name) -> PathBuf {
        self.directory.join(format!("{number:016x}-{made}-{points}{ENDING}"))
    }
}

/// Makes the directory where it does not exist, and waits until the disk has it.
fn make(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        make(parent)?;
    }
    match fs::create_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_names(&File::open(parent.unwrap_or(Path::new(".")))?),
    }
}

/// Waits until the disk has the names in a directory. Some file systems know no such waiting.
fn sync_names(directory: &File) -> io::Result<()> {
    match directory.sync_all() {
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Ok(())
        }
        done => done,
    }
}

fn checksum(Name { number, made, points }: Name, packed: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in [number, made, points] {
        hasher.update(&part.to_le_bytes());
    }
    hasher.update(packed);
    hasher.finalize()
}

pub(super) fn parse(file: &str) -> Option<Name> {
    let mut parts = file.strip_suffix(ENDING)?.split('-');
    let number = u64::from_str_radix(parts.next()?, 16).ok()?;
    let made = parts.next()?.parse().ok()?;
    let points = parts.next()?.parse().ok()?;
    // Numbers grow by steps, and times are added to: neither may come near its end.
    let sane = number < u64::MAX / 2 && made < u64::from(u32::MAX) * 10_000;
    (parts.next().is_none() && sane).then_some(Name { number, made, points })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn names_are_read_back(number in 0..u64::MAX / 2, made in 0..4_000_000_000_000_u64, points: u64) {
            let (folder, name) = (tempfile::tempdir().unwrap(), Name { number, made, points });
            let (disk, _) = Disk::open(folder.path()).unwrap();
            let path = disk.path(name);
            prop_assert_eq!(parse(path.file_name().unwrap().to_str().unwrap()), Some(name));
        }

        #[test]
        fn no_name_of_a_file_is_too_strange(file in "\\PC{0,40}(\\.batch)?") {
            let _ = parse(&file);
        }
    }
}

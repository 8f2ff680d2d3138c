//! The directory of a spool: one file a batch, a lock that keeps other processes away.
//!
//! A file gets its name when it is complete and on the disk, and the batch counts as kept when its name is there too: what
//! was kept outlives a power cut. That a batch went is not waited for: after a power cut it may be sent once more. Costs two
//! waits for the disk a batch.
//!
//! Only regular files with a name and a beginning of ours count; all others are left as they are. Nothing is opened that
//! could wait, be a link, or be endless, and everything is done in the directory that is open and locked, whatever has
//! taken its place meanwhile: see [`Disk::is_in_place`].

use std::cmp::Reverse;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustix::fs::{
    AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, Stat, flock, fstat, openat, renameat, stat, statat,
    unlinkat,
};
use rustix::io::Errno;

use super::error::SpoolError;
use super::form::{ENDING, Form, HEAD, UNFINISHED, file_name, form, head, parse};
use super::{Loss, Name, length};

const LOCK: &str = "lock";
/// What a file system puts into its root.
const OF_THE_SYSTEM: [&str; 1] = ["lost+found"];
/// How many foreign files are named.
const NAMED: usize = 5;
/// For whatever is opened: neither through a link, nor waiting for another process, nor for programs that are started.
const SAFE: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// An open directory, locked.
#[derive(Debug)]
pub(super) struct Disk {
    path: PathBuf,
    /// The same, open: what was done to its names is waited for through it.
    names: File,
    /// The lock goes with it.
    lock: File,
}

/// What was in a directory.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What waits, in order, with sizes.
    pub(super) batches: Vec<(Name, u64)>,
    /// What was ours and is no batch any more; it has been removed.
    pub(super) damaged: Loss,
    /// The first of the files that are not ours, and how many there are.
    pub(super) foreign: Vec<String>,
    pub(super) foreign_count: usize,
}

/// What became of a batch.
pub(super) enum Content {
    Good(Bytes),
    /// It is not as it was written.
    Damaged,
    /// It is not there, or something else is.
    Missing,
    /// This process is short of descriptors or memory.
    NotNow,
}

impl Disk {
    /// Takes the directory, which is made if it does not exist, and looks what is in it.
    pub(super) fn open(directory: &Path) -> Result<(Self, Found), SpoolError> {
        let take = || {
            make(directory)?;
            let names = File::open(directory)?;
            let flags = OFlags::CREATE | OFlags::WRONLY | SAFE;
            let lock = File::from(openat(&names, LOCK, flags, Mode::from_raw_mode(0o666))?);
            flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
            let disk = Self { path: directory.to_owned(), names, lock };
            let found = disk.look()?;
            io::Result::Ok((disk, found))
        };
        take().map_err(|error| SpoolError::new(directory, error))
    }

    /// Whether the directory and the lock are still those that others find under these names. They are not after somebody
    /// removed, moved, mounted or unmounted something; then another process may have taken what is there now.
    pub(super) fn is_in_place(&self) -> bool {
        let same = |one: Result<Stat, Errno>, other: Result<Stat, Errno>| match (one, other) {
            (Ok(one), Ok(other)) => (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino),
            _ => false,
        };
        same(stat(&self.path), fstat(&self.names))
            && same(statat(&self.names, LOCK, AtFlags::SYMLINK_NOFOLLOW), fstat(&self.lock))
    }

    fn look(&self) -> io::Result<Found> {
        let mut all = Found::default();
        for entry in Dir::read_from(&self.names)? {
            let entry = entry?;
            let Ok(file) = entry.file_name().to_str() else {
                all.foreign(&entry.file_name().to_string_lossy());
                continue;
            };
            if [".", "..", LOCK].contains(&file) || OF_THE_SYSTEM.contains(&file) {
                continue;
            }
            let unfinished = parse(file, UNFINISHED);
            let Some(name) = unfinished.or_else(|| parse(file, ENDING)) else {
                all.foreign(file);
                continue;
            };
            match self.form(file) {
                // Its process ended while it wrote.
                Ok((Form::Whole | Form::Damaged, _)) if unfinished.is_some() => self.unlink(file),
                Ok((Form::Whole, size)) => all.batches.push((name, size)),
                Ok((Form::Damaged, _)) => {
                    all.damaged.add(name);
                    self.unlink(file);
                }
                // It went while we looked.
                Err(Errno::NOENT) => {}
                Err(error) if is_shortage(error) => return Err(error.into()),
                Ok((Form::Foreign, _)) | Err(_) => all.foreign(file),
            }
        }
        all.batches.sort_unstable_by_key(|(name, _)| (name.number, Reverse(name.points)));
        all.batches.dedup_by(|(name, _), (kept, _)| {
            let twice = kept.number == name.number;
            if twice {
                // The first half of a batch that is there as a whole: its process ended in between.
                self.remove(*name);
            }
            twice
        });
        Ok(all)
    }

    /// What a file with a name of ours is, and its size.
    fn form(&self, file: &str) -> Result<(Form, u64), Errno> {
        let Some((opened, size)) = self.regular(file)? else { return Ok((Form::Foreign, 0)) };
        let mut beginning = Vec::with_capacity(HEAD);
        opened.take(length(&[0; HEAD])).read_to_end(&mut beginning).map_err(|_| Errno::IO)?;
        Ok((form(&beginning, size), size))
    }

    /// Opens a regular file; `None` where it is none.
    fn regular(&self, file: &str) -> Result<Option<(File, u64)>, Errno> {
        let size = |stat: Stat| {
            (FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
                .then(|| u64::try_from(stat.st_size).unwrap_or(0))
        };
        // Already to open a device may do something.
        if size(statat(&self.names, file, AtFlags::SYMLINK_NOFOLLOW)?).is_none() {
            return Ok(None);
        }
        let opened = openat(&self.names, file, OFlags::RDONLY | SAFE, Mode::empty())?;
        Ok(size(fstat(&opened)?).map(|size| (File::from(opened), size)))
    }

    /// Writes a batch, and waits until the disk has it; its size there.
    pub(super) fn write(&self, name: Name, packed: &[u8]) -> io::Result<u64> {
        let [unfinished, finished] = [UNFINISHED, ENDING].map(|ending| file_name(name, ending));
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | SAFE;
        let mut file = File::from(openat(&self.names, &unfinished, flags, Mode::from_raw_mode(0o666))?);
        let mut named = false;
        let mut write = || {
            file.write_all(&head(name, packed))?;
            file.write_all(packed)?;
            file.sync_data()?;
            renameat(&self.names, &unfinished, &self.names, &finished)?;
            named = true;
            sync_names(&self.names)
        };
        match write() {
            Ok(()) => Ok(length(packed) + length(&[0; HEAD])),
            Err(error) => {
                // The batch waits in memory: were it here too, it would be sent twice.
                self.unlink(if named { &finished } else { &unfinished });
                Err(error)
            }
        }
    }

    /// Reads a batch that was of this size.
    pub(super) fn read(&self, name: Name, size: u64) -> Content {
        let (file, now) = match self.regular(&file_name(name, ENDING)) {
            Ok(Some(opened)) => opened,
            Err(error) if is_shortage(error) => return Content::NotNow,
            Ok(None) | Err(_) => return Content::Missing,
        };
        let wanted = if now == size { size } else { length(&[0; HEAD]) };
        let mut bytes = Vec::new();
        if usize::try_from(wanted).ok().is_none_or(|wanted| bytes.try_reserve_exact(wanted).is_err()) {
            return Content::NotNow;
        }
        let read = file.take(wanted).read_to_end(&mut bytes);
        let bytes = Bytes::from(bytes);
        let packed = bytes.slice(HEAD.min(bytes.len())..);
        match form(&bytes, now) {
            Form::Foreign => Content::Missing,
            Form::Whole if read.is_ok() && now == size && bytes.starts_with(&head(name, &packed)) => {
                Content::Good(packed)
            }
            Form::Whole | Form::Damaged => Content::Damaged,
        }
    }

    /// Whether a batch is there.
    pub(super) fn has(&self, name: Name) -> bool {
        statat(&self.names, file_name(name, ENDING), AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// Removes a batch. One that cannot be removed is sent once more after a restart, which is all that can be done.
    pub(super) fn remove(&self, name: Name) {
        self.unlink(&file_name(name, ENDING));
    }

    fn unlink(&self, file: &str) {
        let _ = unlinkat(&self.names, file, AtFlags::empty());
    }
}

/// Whether an error says nothing of a file, but of this process or the machine.
fn is_shortage(error: Errno) -> bool {
    matches!(error, Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::INTR)
}

impl Found {
    fn foreign(&mut self, file: &str) {
        self.foreign_count += 1;
        if self.foreign.len() < NAMED {
            self.foreign.push(file.to_owned());
        }
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

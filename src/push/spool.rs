//! What waits for the collector: batches with the time at which they were made, oldest first, in memory or on disk.
//!
//! Bounded by size and age; whatever is lost is told to the caller, who counts it. Batches are compressed: 1,000 series
//! are 8 to 13 KiB. On disk each batch is a file of its own, so that dropping one is one system call and a broken one
//! takes no other along; a batch that counts as kept there outlives a power cut. A directory that went away or was replaced
//! is noticed with the next batch, and taken again as at the start. Knows neither protocols nor schedules; blocks, so it is
//! called where blocking is allowed.

mod disk;
mod error;
mod form;
mod found;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::settings;
use disk::{Content, Disk};

pub use error::SpoolError;
pub(super) use error::what_to_do;

/// How much waits in memory while the disk takes nothing.
const WITHOUT_DISK: u64 = 16 << 20;
/// The distance between the numbers of batches: room for the halves of one, and their halves.
const STEP: u64 = 1 << 20;

/// The queue.
#[derive(Debug)]
pub(super) struct Spool {
    waiting: VecDeque<Waiting>,
    /// The highest number so far: what went away may come back, and has its own then.
    last: u64,
    /// All that wait, and those of them in memory.
    bytes: u64,
    in_memory: u64,
    limit: u64,
    age: Duration,
    /// Where batches are to wait, and that place while it can be used.
    directory: Option<PathBuf>,
    disk: Option<Disk>,
    /// The foreign files there that the log has named.
    named: Vec<String>,
    /// The number of the batch that is being sent; it is not dropped to make room, because it may have arrived.
    sending: Option<u64>,
    lost: Lost,
}

#[derive(Debug)]
struct Waiting {
    name: Name,
    size: u64,
    /// The batch itself where it is not on disk.
    held: Option<Bytes>,
}

/// What is to be known of a batch without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// Its place in the order.
    pub(super) number: u64,
    /// When it was made, in milliseconds since 1970.
    pub(super) made: u64,
    /// How many points are in it.
    pub(super) points: u64,
}

/// Batches that are gone for a reason, and their points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Loss {
    pub(super) batches: u64,
    pub(super) points: u64,
}

/// What was lost since somebody asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lost {
    /// To make room.
    pub(super) full: Loss,
    /// Too old.
    pub(super) expired: Loss,
    /// Not as it was written.
    pub(super) corrupt: Loss,
    /// Removed or replaced by others.
    pub(super) missing: Loss,
}

/// How much waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) batches: u64,
    /// Nothing where it waits in a form that has no size.
    pub(super) bytes: Option<u64>,
    /// When the oldest was made.
    pub(super) oldest: Option<SystemTime>,
}

impl Loss {
    fn add(&mut self, name: Name) {
        self.batches += 1;
        self.points += name.points;
    }
}

impl Name {
    fn made_at(self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.made)
    }
}

impl Spool {
    /// An empty queue, or what another process left in the directory.
    ///
    /// # Errors
    /// [`SpoolError`] where the directory cannot be used.
    pub(super) fn open(settings: &settings::Spool) -> Result<Self, SpoolError> {
        let mut spool = Self {
            waiting: VecDeque::new(),
            last: 0,
            bytes: 0,
            in_memory: 0,
            limit: settings.size,
            age: settings.age,
            directory: settings.directory.clone(),
            disk: None,
            named: Vec::new(),
            sending: None,
            lost: Lost::default(),
        };
        if let Some(directory) = &settings.directory {
            let (disk, found) = Disk::open(directory)?;
            spool.enter(disk, found);
        }
        Ok(spool)
    }

    /// Puts a batch at the end. An error of the disk is told, but costs no batch: it waits in memory.
    pub(super) fn append(&mut self, made: SystemTime, points: u64, packed: Vec<u8>) -> io::Result<()> {
        let usable = self.renew();
        let number = self.last + STEP;
        self.last = number;
        let made = made.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_millis();
        let name = Name { number, made: u64::try_from(made).unwrap_or(u64::MAX), points };
        let (waiting, written) = self.store(name, packed);
        self.waiting.push_back(waiting);
        self.make_room();
        usable.and(written)
    }

    /// The oldest batch that is young enough at `now` and as it was written. It stays until it is
    /// [removed](Self::remove).
    pub(super) fn oldest(&mut self, now: SystemTime) -> Option<(Name, Bytes)> {
        self.sending = None;
        // Where that fails, the next batch tells.
        let _ = self.renew();
        loop {
            let first = self.waiting.front()?;
            let name = first.name;
            let age = now.duration_since(name.made_at()).unwrap_or(Duration::ZERO);
            if age > self.age {
                self.lost.expired.add(name);
                self.remove(name);
                continue;
            }
            let read = match (&first.held, &self.disk) {
                (Some(held), _) => Content::Good(held.clone()),
                (None, Some(disk)) => disk.read(name, first.size),
                (None, None) => Content::Missing,
            };
            let packed = match read {
                Content::Good(packed) => packed,
                Content::NotNow => return None,
                Content::Damaged => {
                    self.lost.corrupt.add(name);
                    self.remove(name);
                    continue;
                }
                Content::Missing => {
                    // What is there in its place is left alone.
                    self.lost.missing.add(name);
                    self.forget(0);
                    self.recount();
                    continue;
                }
            };
            self.sending = Some(name.number);
            return Some((name, packed));
        }
    }

    /// Takes a batch out; it was sent, or never can be. False where it was not there any more.
    pub(super) fn remove(&mut self, name: Name) -> bool {
        if self.sending == Some(name.number) {
            self.sending = None;
        }
        let at = self.position(name);
        if let Some(at) = at {
            self.take(at);
        }
        at.is_some()
    }

    /// Puts two batches in the place of one, and gives their names. `None` where there is no more room between it and the
    /// next one, so that it stays as it is. The batch itself goes last: whoever finds the directory after a sudden end
    /// finds it there, or all of it in parts.
    pub(super) fn split(&mut self, name: Name, halves: [(u64, Vec<u8>); 2]) -> Option<[Name; 2]> {
        let at = self.position(name)?;
        let next = self.waiting.get(at + 1).map_or(name.number + STEP, |next| next.name.number);
        let between = name.number + (next - name.number) / 2;
        if between == name.number {
            return None;
        }
        self.sending = None;
        let [(first, front), (second, back)] = halves;
        let names = [(name.number, first), (between, second)];
        let [first, second] = names.map(|(number, points)| Name { number, points, ..name });
        let stored = [self.store(first, front), self.store(second, back)];
        self.take(at);
        for (offset, (waiting, _)) in stored.into_iter().enumerate() {
            self.waiting.insert(at + offset, waiting);
        }
        Some([first, second])
    }

    /// What was lost since the last call.
    pub(super) fn lost(&mut self) -> Lost {
        std::mem::take(&mut self.lost)
    }

    /// How much waits.
    pub(super) fn level(&self) -> Level {
        let batches = u64::try_from(self.waiting.len()).unwrap_or(u64::MAX);
        Level {
            batches,
            bytes: Some(self.bytes),
            oldest: self.waiting.front().map(|first| first.name.made_at()),
        }
    }

    /// How many batches end with this process.
    pub(super) fn only_in_memory(&self) -> usize {
        self.waiting.iter().filter(|waiting| waiting.held.is_some()).count()
    }

    fn position(&self, name: Name) -> Option<usize> {
        self.place(name).ok()
    }

    /// Where it waits, or where it would.
    fn place(&self, name: Name) -> Result<usize, usize> {
        self.waiting.binary_search_by_key(&name.number, |waiting| waiting.name.number)
    }

    fn store(&mut self, name: Name, packed: Vec<u8>) -> (Waiting, io::Result<()>) {
        let written = self.disk.as_ref().map(|disk| disk.write(name, &packed));
        let (size, held, written) = match written {
            Some(Ok(size)) => (size, None, Ok(())),
            Some(Err(error)) => (length(&packed), Some(Bytes::from(packed)), Err(error)),
            None => (length(&packed), Some(Bytes::from(packed)), Ok(())),
        };
        self.bytes += size;
        if held.is_some() {
            self.in_memory += size;
        }
        (Waiting { name, size, held }, written)
    }

    fn take(&mut self, at: usize) {
        let Some(gone) = self.forget(at) else { return };
        if let (None, Some(disk)) = (gone.held, &self.disk) {
            disk.remove(gone.name);
        }
    }

    /// The same, but for its file.
    fn forget(&mut self, at: usize) -> Option<Waiting> {
        let gone = self.waiting.remove(at)?;
        self.bytes -= gone.size;
        if gone.held.is_some() {
            self.in_memory -= gone.size;
        }
        Some(gone)
    }

    /// Drops the oldest batches until the rest is within the limits.
    fn make_room(&mut self) {
        while self.bytes > self.limit {
            if !self.drop_oldest(|_| true) {
                return;
            }
        }
        while self.directory.is_some() && self.in_memory > WITHOUT_DISK {
            if !self.drop_oldest(|waiting| waiting.held.is_some()) {
                return;
            }
        }
    }

    fn drop_oldest(&mut self, which: impl Fn(&Waiting) -> bool) -> bool {
        let sending = self.sending;
        let may_go = |waiting: &Waiting| which(waiting) && Some(waiting.name.number) != sending;
        let Some(at) = self.waiting.iter().position(may_go) else { return false };
        if let Some(waiting) = self.waiting.get(at) {
            self.lost.full.add(waiting.name);
        }
        self.take(at);
        true
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;

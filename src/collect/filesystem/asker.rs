//! Asks mounts how full they are, on a thread of its own: a mount whose server or program is gone lets the call hang,
//! and nothing ends such a call.
//!
//! A thread that hangs is left to its call and a new one goes on; the mount is not asked again before that call has
//! come back. So every hanging mount costs one sleeping thread, and there are few of those at most. About 20 µs a
//! mount, most of it the way to the thread and back.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::Duration;

use tracing::{info, warn};

use crate::collect::disk::Disk;
use crate::collect::place::{On, Place};
use crate::supervisor;

/// How many threads may hang. With all of them hanging nothing is asked any more, until one is back.
pub(super) const MOST_HANGING: usize = 8;

/// What a file system says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Space {
    pub(super) disk: Disk,
    /// How many there may be, and how many more there can be.
    pub(super) inodes: (u64, u64),
    /// The mount that it was asked on, where that can be told.
    pub(super) on: Option<On>,
}

impl Space {
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let place = Place::find(path)?;
        let (on, stat) = (place.on()?, place.space()?);
        Ok(Self { disk: Disk::of(&stat), inodes: (stat.f_files, stat.f_ffree), on })
    }
}

/// The call; something else in tests.
pub(super) type Ask = Arc<dyn Fn(&Path) -> io::Result<Space> + Send + Sync>;

/// What came of asking.
#[derive(Debug)]
pub(super) enum Answer {
    Space(Space),
    /// What is found at its path is another mount.
    Elsewhere,
    Failed(io::Error),
    /// It did not answer in time, now or when it was last asked.
    Hangs,
    /// Not asked: too many others hang.
    NotAsked,
}

/// Which mount is meant: the number of the mount and its path, as either alone may come to mean another.
pub(super) type Key = (u64, PathBuf);

pub(super) struct Asker {
    ask: Ask,
    worker: Option<Worker>,
    hanging: Vec<Hanging>,
}

struct Worker {
    requests: Sender<PathBuf>,
    answers: Receiver<io::Result<Space>>,
}

struct Hanging {
    key: Key,
    /// Where the answer arrives when the call comes back.
    answers: Receiver<io::Result<Space>>,
}

impl Asker {
    pub(super) fn new(ask: Ask) -> Self {
        Self { ask, worker: None, hanging: Vec::new() }
    }

    /// Looks which calls came back since; their mounts are asked again.
    pub(super) fn look_back(&mut self) {
        self.hanging.retain(|Hanging { key, answers }| {
            let hangs = matches!(answers.try_recv(), Err(TryRecvError::Empty));
            if !hangs {
                info!(mountpoint = %key.1.display(), "a file system that did not answer has answered");
            }
            hangs
        });
    }

    pub(super) fn hangs(&self, key: &Key) -> bool {
        self.hanging.iter().any(|hanging| hanging.key == *key)
    }

    /// Asks for the file system at `path`, which cannot hang.
    pub(super) fn ask_here(&self, path: &Path) -> Answer {
        (self.ask)(path).map_or_else(Answer::Failed, Answer::Space)
    }

    /// Asks for the file system at `path`, and waits for the answer for as long as `patience`.
    pub(super) fn ask(&mut self, key: &Key, path: &Path, patience: Duration) -> Answer {
        if self.hangs(key) {
            return Answer::Hangs;
        }
        let worker = match self.worker.take() {
            Some(worker) => worker,
            None if self.hanging.len() >= MOST_HANGING => return Answer::NotAsked,
            None => match Worker::start(&self.ask) {
                Ok(worker) => worker,
                Err(error) => return Answer::Failed(error),
            },
        };
        if worker.requests.send(path.to_owned()).is_err() {
            return ended();
        }
        match worker.answers.recv_timeout(patience) {
            Ok(answer) => {
                self.worker = Some(worker);
                answer.map_or_else(Answer::Failed, Answer::Space)
            }
            Err(RecvTimeoutError::Timeout) => {
                warn!(mountpoint = %key.1.display(), "a file system does not answer; it is left out until it does");
                // Without anybody to send it more, the thread ends after this call.
                self.hanging.push(Hanging { key: key.clone(), answers: worker.answers });
                Answer::Hangs
            }
            Err(RecvTimeoutError::Disconnected) => ended(),
        }
    }
}

fn ended() -> Answer {
    Answer::Failed(io::Error::other("the thread that asks has ended"))
}

impl Worker {
    fn start(ask: &Ask) -> io::Result<Self> {
        let (requests, paths) = channel::<PathBuf>();
        let (sender, answers) = channel();
        let ask = Arc::clone(ask);
        supervisor::thread("vitalsign-mount", move || {
            for path in paths {
                if sender.send(ask(&path)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { requests, answers })
    }
}

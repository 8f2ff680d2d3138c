//! What is found in the directory becomes what waits: at the start, and again whenever the directory was taken away or
//! replaced. Costs four questions to the system for each batch, and a look at every file only when something changed.

use std::io;

use tracing::warn;

use super::disk::{Disk, Found};
use super::error::SpoolError;
use super::{Name, Spool, Waiting};

impl Spool {
    /// Makes what is in a directory wait.
    pub(super) fn enter(&mut self, disk: Disk, Found { batches, damaged, foreign, foreign_count }: Found) {
        if foreign != self.named {
            if foreign_count > 0 {
                let more = foreign_count - foreign.len();
                warn!(files = ?foreign, more, "otlp.spool.directory holds files of others: they are left alone");
            }
            self.named = foreign;
        }
        self.lost.corrupt.batches += damaged.batches;
        self.lost.corrupt.points += damaged.points;
        for (name, size) in batches {
            if size > self.limit {
                // Alone it is too much; the others need not make room for it.
                self.lost.full.add(name);
                disk.remove(name);
            } else if let Err(at) = self.place(name) {
                self.last = self.last.max(name.number);
                self.bytes += size;
                self.waiting.insert(at, Waiting { name, size, held: None });
            }
        }
        self.disk = Some(disk);
        self.make_room();
    }

    /// Where the directory is not in its place any more, forgets what waited there, and takes what has come instead.
    pub(super) fn renew(&mut self) -> io::Result<()> {
        let Some(directory) = &self.directory else { return Ok(()) };
        if self.disk.as_ref().is_some_and(Disk::is_in_place) {
            return Ok(());
        }
        // With it goes the lock, which is to be taken again.
        self.disk = None;
        let opened = Disk::open(directory);
        let (waited, held) =
            std::mem::take(&mut self.waiting).into_iter().partition(|waiting| waiting.held.is_none());
        let waited: Vec<Waiting> = waited;
        self.waiting = held.into();
        self.bytes = self.in_memory;
        let renewed = opened.map(|(disk, found)| self.enter(disk, found)).map_err(SpoolError::into_cause);
        let gone: Vec<Name> =
            waited.iter().map(|waiting| waiting.name).filter(|name| self.place(*name).is_err()).collect();
        gone.into_iter().for_each(|name| self.lost.missing.add(name));
        renewed
    }

    /// Forgets what is not in the directory any more.
    pub(super) fn recount(&mut self) {
        let Some(disk) = &self.disk else { return };
        let (lost, bytes) = (&mut self.lost, &mut self.bytes);
        self.waiting.retain(|waiting| {
            let there = waiting.held.is_some() || disk.has(waiting.name);
            if !there {
                lost.missing.add(waiting.name);
                *bytes -= waiting.size;
            }
            there
        });
    }
}

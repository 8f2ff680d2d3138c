//! Collector `disk`: what block devices read and write, and how long that takes.
//!
//! From `/proc/diskstats`, one read of some microseconds. Leaves out partitions, which their disk counts already, and
//! devices that are not disks or are memory; discards and flushes; and how full file systems are. The kernel counts a
//! device's milliseconds in 32 bits, so after 50 days of work its times start again at zero, as counters may.

use crate::config::Fields;
use crate::model::{Definition, Instrument};

use super::filter::Filter;
use super::numbers::whole;
use super::proc_file::ProcFile;
use super::sheet::Counts;
use super::{Collector, Root, Sheet, Source};

static IO: Definition = Definition {
    name: "system.disk.io",
    instrument: Instrument::Counter,
    unit: "By",
    attributes: &["system.device", "disk.io.direction"],
    help: "Bytes that the disk read and wrote",
};
static OPERATIONS: Definition = Definition {
    name: "system.disk.operations",
    instrument: Instrument::Counter,
    unit: "{operation}",
    attributes: &["system.device", "disk.io.direction"],
    help: "Number of reads and writes that the disk completed",
};
static IO_TIME: Definition = Definition {
    name: "system.disk.io_time",
    instrument: Instrument::Counter,
    unit: "s",
    attributes: &["system.device"],
    help: "Time in which the disk had something to do",
};
static OPERATION_TIME: Definition = Definition {
    name: "system.disk.operation_time",
    instrument: Instrument::Counter,
    unit: "s",
    attributes: &["system.device", "disk.io.direction"],
    help: "Time that all reads and writes took together, waiting included",
};

static DEFINITIONS: &[&Definition] = &[&IO, &OPERATIONS, &IO_TIME, &OPERATION_TIME];

/// The kernel counts in sectors of this size, whatever the disk's own is.
const SECTOR: f64 = 512.0;

/// See the module.
pub(super) struct Disks;

struct DiskCollector {
    file: ProcFile,
    filter: Filter,
}

#[derive(Debug, PartialEq)]
struct Disk<'a> {
    name: &'a str,
    read: Direction,
    write: Direction,
    /// Milliseconds in which it had something to do.
    busy: u64,
}

#[derive(Debug, PartialEq)]
struct Direction {
    operations: u64,
    sectors: u64,
    milliseconds: u64,
}

impl Source for Disks {
    fn name(&self) -> &'static str {
        "disk"
    }

    fn about(&self) -> &'static str {
        "Reads how much block devices read and write, and how long that takes."
    }

    fn definitions(&self) -> &'static [&'static Definition] {
        DEFINITIONS
    }

    fn build(&self, root: &Root, fields: &mut Fields<'_>) -> Option<Box<dyn Collector>> {
        let filter = Filter::read(
            fields,
            "which devices to show, such as nvme*; without it, all but partitions, loop, ram, zram, fd and sr",
            "which devices not to show, such as dm-*",
        );
        Some(Box::new(DiskCollector { file: ProcFile::optional(root, "proc/diskstats"), filter }))
    }
}

impl Collector for DiskCollector {
    fn name(&self) -> &'static str {
        Disks.name()
    }

    fn counts(&self) -> Counts {
        Counts::OfThings
    }

    fn collect(&mut self, sheet: &mut Sheet) {
        let Self { file, filter } = self;
        file.read(sheet, |text, sheet| {
            for disk in parse(text)?.iter().filter(|disk| filter.shows(disk.name, is_disk)) {
                disk.set(sheet);
            }
            Some(())
        });
    }
}

impl Disk<'_> {
    fn set(&self, sheet: &mut Sheet) {
        for (direction, done) in [("read", &self.read), ("write", &self.write)] {
            let labels = [self.name, direction];
            sheet.set(&IO, &labels, done.sectors as f64 * SECTOR);
            sheet.set(&OPERATIONS, &labels, done.operations as f64);
            sheet.set(&OPERATION_TIME, &labels, done.milliseconds as f64 / 1000.0);
        }
        sheet.set(&IO_TIME, &[self.name], self.busy as f64 / 1000.0);
    }
}

/// Whether the device is a whole disk, by its name.
fn is_disk(name: &str) -> bool {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    if stem.len() == name.len() {
        return true;
    }
    // The kernel puts a p before the number of a partition where the name of the disk ends in a number: nvme0n1p2.
    let of_numbered = stem.strip_suffix('p').is_some_and(|disk| disk.ends_with(|c: char| c.is_ascii_digit()));
    let of_lettered = ["sd", "hd", "vd", "xvd"].iter().any(|start| {
        stem.strip_prefix(start)
            .is_some_and(|disk| !disk.is_empty() && disk.bytes().all(|b| b.is_ascii_lowercase()))
    });
    !of_numbered && !of_lettered && !["loop", "ram", "zram", "fd", "sr"].contains(&stem)
}

fn parse(text: &str) -> Option<Vec<Disk<'_>>> {
    text.lines().map(line).collect()
}

/// Two numbers of the device, its name, and at least eleven counters.
fn line(line: &str) -> Option<Disk<'_>> {
    let mut fields = line.split_ascii_whitespace();
    whole(fields.next())?;
    whole(fields.next())?;
    let name = fields.next()?;
    let mut counters = [0; 11];
    for counter in &mut counters {
        *counter = whole(fields.next())?;
    }
    let [reads, _, sectors_read, read_time, writes, _, sectors_written, write_time, _, busy, _] = counters;
    Some(Disk {
        name,
        read: Direction { operations: reads, sectors: sectors_read, milliseconds: read_time },
        write: Direction { operations: writes, sectors: sectors_written, milliseconds: write_time },
        busy,
    })
}

#[cfg(test)]
mod tests;

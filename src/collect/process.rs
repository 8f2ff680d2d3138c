//! Collector `process`: what this process uses of processors, memory, files and disks.
//!
//! From `/proc/self` and getrusage(2), some microseconds. Processor time, faults and context switches come from the
//! latter, which counts all threads, also those that ended; `/proc/self/status` knows the switches of one thread only.
//! Always this system's `/proc`, whatever root is configured for the machine's numbers. How long this process runs is
//! told by the agent itself.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};
use rustix::process::{Resource, getrlimit};

use crate::config::Fields;
use crate::model::{Definition, Instrument, Reason};

use super::numbers::whole;
use super::proc_file::{ProcFile, reason};
use super::sheet::Counts;
use super::{Collector, Root, Sheet, Source};

pub(crate) static CPU_TIME: Definition = Definition {
    name: "process.cpu.time",
    instrument: Instrument::Counter,
    unit: "s",
    attributes: &["cpu.mode"],
    help: "Processor time that this process used",
};
pub(crate) static MEMORY: Definition = Definition {
    name: "process.memory.usage",
    instrument: Instrument::UpDownCounter,
    unit: "By",
    attributes: &[],
    help: "Memory that this process occupies",
};
pub(crate) static VIRTUAL: Definition = Definition {
    name: "process.memory.virtual",
    instrument: Instrument::UpDownCounter,
    unit: "By",
    attributes: &[],
    help: "Memory that this process reserved, most of it usually not occupied",
};
pub(crate) static THREADS: Definition = Definition {
    name: "process.thread.count",
    instrument: Instrument::UpDownCounter,
    unit: "{thread}",
    attributes: &[],
    help: "Number of threads of this process",
};
pub(crate) static OPEN: Definition = Definition {
    name: "process.unix.file_descriptor.count",
    instrument: Instrument::UpDownCounter,
    unit: "{file_descriptor}",
    attributes: &[],
    help: "Number of files and sockets that this process has open",
};
pub(crate) static OPEN_LIMIT: Definition = Definition {
    name: "vitalsign.process.file_descriptors.limit",
    instrument: Instrument::Gauge,
    unit: "{file_descriptor}",
    attributes: &[],
    help: "Number of files and sockets that this process may have open; absent where there is no limit",
};
static SWITCHES: Definition = Definition {
    name: "process.context_switches",
    instrument: Instrument::Counter,
    unit: "{context_switch}",
    attributes: &["process.context_switch.type"],
    help: "Number of times that a thread of this process gave its processor away, or had it taken away",
};
static FAULTS: Definition = Definition {
    name: "process.paging.faults",
    instrument: Instrument::Counter,
    unit: "{fault}",
    attributes: &["system.paging.fault.type"],
    help: "Number of accesses to memory that was not mapped; for a major fault it had to be read from a disk",
};
static DISK_IO: Definition = Definition {
    name: "process.disk.io",
    instrument: Instrument::Counter,
    unit: "By",
    attributes: &["disk.io.direction"],
    help: "Bytes that this process made disks read and write",
};

static DEFINITIONS: &[&Definition] =
    &[&CPU_TIME, &MEMORY, &VIRTUAL, &THREADS, &OPEN, &OPEN_LIMIT, &SWITCHES, &FAULTS, &DISK_IO];

/// See the module.
pub(super) struct Process;

struct ProcessCollector {
    stat: ProcFile,
    io: ProcFile,
    descriptors: PathBuf,
}

impl ProcessCollector {
    fn new(root: &Root) -> Self {
        Self {
            stat: ProcFile::new(root, "proc/self/stat"),
            io: ProcFile::optional(root, "proc/self/io"),
            descriptors: root.join("proc/self/fd"),
        }
    }
}

impl Source for Process {
    fn name(&self) -> &'static str {
        "process"
    }

    fn about(&self) -> &'static str {
        "Reads what this process itself uses of processors, memory, files and disks."
    }

    fn definitions(&self) -> &'static [&'static Definition] {
        DEFINITIONS
    }

    fn build(&self, _root: &Root, _fields: &mut Fields<'_>) -> Option<Box<dyn Collector>> {
        Some(Box::new(ProcessCollector::new(&Root::default())))
    }
}

impl Collector for ProcessCollector {
    fn name(&self) -> &'static str {
        Process.name()
    }

    fn counts(&self) -> Counts {
        Counts::SinceProcess
    }

    fn collect(&mut self, sheet: &mut Sheet) {
        match getrusage(UsageWho::RUSAGE_SELF) {
            Ok(usage) => set_usage(&usage, sheet),
            Err(error) => sheet.fail(Reason::Other, error),
        }
        if let Some(stat) = self.stat.read(sheet, |text, _| parse_stat(text)) {
            sheet.set(&MEMORY, &[], stat.pages as f64 * rustix::param::page_size() as f64);
            sheet.set(&VIRTUAL, &[], stat.reserved as f64);
            sheet.set(&THREADS, &[], stat.threads as f64);
        }
        if cfg!(target_os = "linux") {
            match open_descriptors(&self.descriptors) {
                Ok(count) => sheet.set(&OPEN, &[], count as f64),
                Err(error) => sheet.fail(reason(&error), format_args!("proc/self/fd: {error}")),
            }
        }
        if let Some(limit) = getrlimit(Resource::Nofile).current {
            sheet.set(&OPEN_LIMIT, &[], limit as f64);
        }
        if let Some((read, written)) = self.io.read(sheet, |text, _| parse_io(text)) {
            sheet.set(&DISK_IO, &["read"], read as f64);
            sheet.set(&DISK_IO, &["write"], written as f64);
        }
    }
}

fn set_usage(usage: &Usage, sheet: &mut Sheet) {
    let seconds = |time: TimeVal| time.num_microseconds().max(0) as f64 / 1e6;
    sheet.set(&CPU_TIME, &["user"], seconds(usage.user_time()));
    sheet.set(&CPU_TIME, &["system"], seconds(usage.system_time()));
    let counts = [
        (&SWITCHES, "voluntary", usage.voluntary_context_switches()),
        (&SWITCHES, "involuntary", usage.involuntary_context_switches()),
        (&FAULTS, "major", usage.major_page_faults()),
        (&FAULTS, "minor", usage.minor_page_faults()),
    ];
    for (definition, kind, count) in counts {
        sheet.set(definition, &[kind], count.max(0) as f64);
    }
}

/// What `/proc/self/stat` says: threads, reserved bytes, occupied pages.
#[derive(Debug, PartialEq)]
struct Stat {
    threads: u64,
    reserved: u64,
    pages: u64,
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The name, in brackets, may hold anything; the third field follows it.
    let (_, fields) = text.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(20 - 3);
    let threads = whole(fields.next())?;
    let mut fields = fields.skip(23 - 21);
    Some(Stat { threads, reserved: whole(fields.next())?, pages: whole(fields.next())? })
}

/// Bytes read and written, of the text of `/proc/self/io`.
fn parse_io(text: &str) -> Option<(u64, u64)> {
    let find = |name| whole(text.lines().find_map(|line| line.strip_prefix(name)));
    Some((find("read_bytes: ")?, find("write_bytes: ")?))
}

/// How many entries the folder has: since Linux 6.2 its size says so, before they had to be counted.
fn open_descriptors(folder: &Path) -> io::Result<u64> {
    match fs::metadata(folder)?.len() {
        0 => {
            let mut count: u64 = 0;
            for entry in fs::read_dir(folder)? {
                entry?;
                count += 1;
            }
            // One of them was for reading the folder.
            Ok(count.saturating_sub(1))
        }
        count => Ok(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::trial::{Trial, survives_made};

    const STAT: &str = "15071 (c a) t) R 15065 15065 8592 0 -1 4194304 101 0 0 0 0 0 0 0 20 0 7 0 442749 3133440 394 18446744073709551615 94383297441792 94383297461673\n";
    const IO: &str = "rchar: 8686\nwchar: 1710\nsyscr: 14\nsyscw: 2\nread_bytes: 4096\nwrite_bytes: 8192\ncancelled_write_bytes: 0\n";

    fn made(root: &Root) -> Box<dyn Collector> {
        Box::new(ProcessCollector::new(root))
    }

    #[test]
    fn reads_its_files() {
        assert_eq!(parse_stat(STAT), Some(Stat { threads: 7, reserved: 3_133_440, pages: 394 }));
        assert_eq!(parse_io(IO), Some((4096, 8192)));
        for text in ["", "1 (x) R 1\n", "1 x R 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3\n"] {
            assert_eq!((parse_stat(text), parse_io(text)), (None, None), "{text}");
        }
        survives_made(made, &[("proc/self/stat", STAT), ("proc/self/io", IO), ("proc/self/fd/0", "\n")]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn shows_this_process() {
        let mut trial = Trial::on_this_machine(&Process, "{}");
        let held: Vec<_> = (0..50).map(|_| fs::File::open("/proc/self/stat").unwrap()).collect();
        let page = trial.read();
        assert_eq!(page.errors, []);
        let open = page.value("process_unix_file_descriptor_count").unwrap();
        assert!(open >= held.len() as f64);
        assert!(page.value("vitalsign_process_file_descriptors_limit").is_none_or(|limit| limit >= open));
        assert!(page.value("process_thread_count") >= Some(2.0));
        let memory = page.value("process_memory_usage_bytes").unwrap();
        assert!(memory > 1e6 && page.value("process_memory_virtual_bytes") > Some(memory), "{page:?}");
        let user = "process_cpu_time_seconds_total{cpu_mode=\"user\"}";
        let faults = "process_paging_faults_total{system_paging_fault_type=\"minor\"}";
        assert!(page.value(faults) > Some(100.0));
        let later = trial.read();
        assert!(later.value(user) >= page.value(user) && later.value(faults) >= page.value(faults));
        let switches = "process_context_switches_total{process_context_switch_type=\"voluntary\"}";
        assert!(later.value(switches).is_some());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_size_of_the_folder_is_the_number_of_its_entries() {
        let count = fs::read_dir("/proc/self/fd").unwrap().count() as u64 - 1;
        let said = open_descriptors(Path::new("/proc/self/fd")).unwrap();
        // Other tests open and close files meanwhile.
        assert!(said.abs_diff(count) < 200, "{said} {count}");
        assert!(open_descriptors(Path::new("/no/such/folder")).is_err());
    }
}

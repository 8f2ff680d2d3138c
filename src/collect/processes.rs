//! Collector `processes`: how many processes there are, by state, and how many threads there may be.
//!
//! Walks `/proc` once a minute, and repeats what it found until the next walk: a process costs 7 µs, nearly all of it
//! the opening of its file, so that on a small machine one walk costs as much as everything else in a scrape together.
//! Zombies and blocked processes that matter pile up for longer. How many processes were made is the collector `cpu`'s,
//! which reads that anyway. The same files in a container show only its own processes. Threads of the kernel count,
//! threads of programs do not: `load` has all of them.

use std::ffi::CStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Dir, Mode, OFlags, open, openat};
use rustix::io::{Errno, read};

use crate::config::Fields;
use crate::model::{Definition, Instrument, Reason};

use super::numbers::whole;
use super::proc_file::{ProcFile, reason};
use super::{Collector, Root, Sheet, Source};

static COUNT: Definition = Definition {
    name: "system.process.count",
    instrument: Instrument::UpDownCounter,
    unit: "{process}",
    attributes: &["process.state"],
    help: "Number of processes by state; blocked ones wait for a device and cannot be interrupted",
};
static LIMIT: Definition = Definition {
    name: "system.process.limit",
    instrument: Instrument::UpDownCounter,
    unit: "{thread}",
    attributes: &[],
    help: "Number of threads that this machine may have",
};

static DEFINITIONS: &[&Definition] = &[&COUNT, &LIMIT];

/// See the module.
pub(super) struct Processes;

/// How long what a walk found is repeated: see the module.
const WALKED_FOR: Duration = Duration::from_secs(60);

struct ProcessesCollector {
    folder: PathBuf,
    limit: ProcFile,
    /// How long what a walk found is repeated.
    stands: Duration,
    /// When the last walk was, and what it found.
    walked: Option<(Instant, Counts)>,
}

impl Source for Processes {
    fn name(&self) -> &'static str {
        "processes"
    }

    fn about(&self) -> &'static str {
        "Counts the processes of this machine by state, once a minute, and reads how many threads it may have."
    }

    fn definitions(&self) -> &'static [&'static Definition] {
        DEFINITIONS
    }

    fn build(&self, root: &Root, _fields: &mut Fields<'_>) -> Option<Box<dyn Collector>> {
        Some(Box::new(ProcessesCollector::new(root, WALKED_FOR)))
    }
}

impl ProcessesCollector {
    fn new(root: &Root, stands: Duration) -> Self {
        let limit = ProcFile::new(root, "proc/sys/kernel/threads-max");
        Self { folder: root.join("proc"), limit, stands, walked: None }
    }
}

impl Collector for ProcessesCollector {
    fn name(&self) -> &'static str {
        Processes.name()
    }

    fn collect(&mut self, sheet: &mut Sheet) {
        if cfg!(target_os = "linux") {
            let now = Instant::now();
            self.walked.take_if(|(last, _)| now.duration_since(*last) >= self.stands);
            if self.walked.is_none() {
                match count(&self.folder, sheet) {
                    Ok(counts) => self.walked = Some((now, counts)),
                    Err(error) => sheet.fail(reason(&error), format_args!("proc: {error}")),
                }
            }
            if let Some((_, counts)) = &self.walked {
                counts.set(sheet);
            }
        }
        if let Some(limit) = self.limit.read(sheet, |text, _| whole(Some(text.trim_ascii()))) {
            sheet.set(&LIMIT, &[], limit as f64);
        }
    }
}

#[derive(Debug, Default, PartialEq)]
struct Counts {
    running: u32,
    sleeping: u32,
    stopped: u32,
    defunct: u32,
    blocked: u32,
    idle: u32,
}

impl Counts {
    fn place(&mut self, state: u8) -> Option<&mut u32> {
        Some(match state {
            b'R' => &mut self.running,
            b'S' => &mut self.sleeping,
            // Stopped by a signal, or by a debugger.
            b'T' | b't' => &mut self.stopped,
            b'Z' | b'X' | b'x' => &mut self.defunct,
            b'D' => &mut self.blocked,
            // Threads of the kernel: idle, or parked with their processor.
            b'I' | b'P' => &mut self.idle,
            _ => return None,
        })
    }

    fn set(&self, sheet: &mut Sheet) {
        let states = [
            ("running", self.running),
            ("sleeping", self.sleeping),
            ("stopped", self.stopped),
            ("defunct", self.defunct),
            ("blocked", self.blocked),
            ("idle", self.idle),
        ];
        for (state, count) in states {
            sheet.set(&COUNT, &[state], f64::from(count));
        }
    }
}

/// Looks at every process; one that ends meanwhile is not counted.
fn count(folder: &Path, sheet: &mut Sheet) -> io::Result<Counts> {
    let mut counts = Counts::default();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let proc = open(folder, flags, Mode::empty())?;
    let mut buffer = [0; START];
    for entry in Dir::read_from(&proc)? {
        let entry = entry?;
        let name = entry.file_name();
        if !name.to_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        match start(&proc, name, &mut buffer) {
            Ok(stat) => match state(stat).and_then(|state| counts.place(state)) {
                Some(count) => *count += 1,
                None => sheet.fail(Reason::Protocol, format_args!("{} has no state", name.to_string_lossy())),
            },
            Err(Errno::NOENT | Errno::SRCH) => {} // It has ended, or has only its folder yet.
            Err(error) => {
                let error = io::Error::from(error);
                sheet.fail(reason(&error), format_args!("{}: {error}", name.to_string_lossy()));
            }
        }
    }
    Ok(counts)
}

/// As much of a process' `stat` as its name and its state need.
const START: usize = 256;

/// The beginning of the `stat` of the process with this number. Opened from the folder on: that spares the way to it.
fn start<'b>(proc: &OwnedFd, number: &CStr, buffer: &'b mut [u8; START]) -> Result<&'b [u8], Errno> {
    let mut path = number.to_bytes().to_vec();
    path.extend_from_slice(b"/stat");
    let file = openat(proc, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let length = read(file, buffer.as_mut_slice())?;
    Ok(buffer.get(..length).unwrap_or_default())
}

/// The state in a text like `15071 (name) R 15065 …`, where the name may hold anything.
fn state(stat: &[u8]) -> Option<u8> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    match stat.get(end..)? {
        [_, b' ', state, b' ', ..] => Some(*state),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::trial::{Trial, survives_made};
    use proptest::prelude::*;

    fn counted(page: &crate::collect::trial::Page) -> Vec<Option<f64>> {
        ["running", "sleeping", "stopped", "defunct", "blocked", "idle"]
            .iter()
            .map(|state| page.value(&format!("system_process_count{{process_state=\"{state}\"}}")))
            .collect()
    }

    /// A collector that walks at each reading.
    fn walking(root: &Root) -> Box<dyn Collector> {
        Box::new(ProcessesCollector::new(root, Duration::ZERO))
    }

    #[test]
    fn what_a_walk_found_stands_for_a_while_and_the_limit_does_not() {
        let mut trial = Trial::new(&Processes, "{}");
        trial.write("proc/sys/kernel/threads-max", "1\n");
        trial.write("proc/1/stat", "1 (init) S 0 1\n");
        assert_eq!(counted(&trial.read()), [0.0, 1.0, 0.0, 0.0, 0.0, 0.0].map(Some));
        trial.write("proc/sys/kernel/threads-max", "2\n");
        trial.write("proc/2/stat", "2 (sh) S 0 1\n");
        let page = trial.read();
        assert_eq!(counted(&page), [0.0, 1.0, 0.0, 0.0, 0.0, 0.0].map(Some));
        assert_eq!(page.value("system_process_limit"), Some(2.0));
    }

    #[test]
    fn counts_processes_whatever_they_call_themselves() {
        let mut trial = Trial::new(&Processes, "{}");
        trial.write("proc/sys/kernel/threads-max", "192730\n");
        trial.write("proc/1/stat", "1 (init) S 0 1\n");
        trial.write("proc/2/stat", "2 (a) R (b) Z 0 1\n");
        trial.write("proc/3/stat", b"3 (\xff) \n) t 0 1\n".as_slice());
        trial.write("proc/4/stat", "4 (kworker/0:0H-events_highpri) I 0 1\n");
        trial.write("proc/5/stat", "5 (dd) D 0 1\n");
        trial.write("proc/6/stat", "6 (sh) R 0 1\n");
        trial.write("proc/self/stat", "6 (sh) R 0 1\n");
        std::fs::create_dir(trial.path("proc/7")).unwrap();
        let page = trial.read();
        assert_eq!(counted(&page), [1.0, 1.0, 1.0, 1.0, 1.0, 1.0].map(Some));
        assert_eq!(page.value("system_process_limit"), Some(192_730.0));
        assert_eq!(page.errors, []);
    }

    #[test]
    fn what_is_no_process_is_said_and_hides_no_other() {
        let mut trial = Trial::made(walking);
        trial.write("proc/sys/kernel/threads-max", "2\n");
        trial.write("proc/1/stat", "1 (init) S 0 1\n");
        for text in ["", "2 (x", "2 (x)", "2 (x) ", "2 (x) ?? 1", "2 (x) Q 1 1\n"] {
            trial.write("proc/2/stat", text);
            let page = trial.read();
            assert_eq!(page.errors, [Reason::Protocol], "{text}");
            assert_eq!(page.value("system_process_count{process_state=\"sleeping\"}"), Some(1.0));
        }
    }

    #[test]
    fn wrong_texts_show_nothing() {
        survives_made(
            walking,
            &[("proc/sys/kernel/threads-max", "192730\n"), ("proc/1/stat", "1 (init) S 0 1\n")],
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn finds_the_processes_of_this_machine() {
        let mut trial = Trial::on_this_machine(&Processes, "{}");
        let page = trial.read();
        let sum: f64 = counted(&page).into_iter().flatten().sum();
        // Which of them run cannot be said: the state of a process is that of its first thread, which waits for this one.
        assert!(sum >= 2.0, "{page:?}");
        assert_eq!(page.errors, []);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_state_or_none(bytes: Vec<u8>, mut tail in "\\) [A-Za-z ]{0,3}") {
            let _ = state(&bytes);
            tail.push(' ');
            let _ = state(tail.as_bytes());
        }
    }
}

//! Collector `processes`: how many processes there are, by state, and how many there were and may be.
//!
//! Walks `/proc`, about 10 µs a process, therefore once a minute: zombies and blocked processes that matter pile up for
//! longer. The same files in a container show only its
//! own processes. Threads of the kernel count, threads of programs do not: `load` has all of them.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;

use crate::config::Fields;
use crate::model::{Definition, Instrument, Reason};

use super::cpu::stat;
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
static CREATED: Definition = Definition {
    name: "system.process.created",
    instrument: Instrument::Counter,
    unit: "{process}",
    attributes: &[],
    help: "Number of processes and threads that were ever made",
};
static LIMIT: Definition = Definition {
    name: "system.process.limit",
    instrument: Instrument::UpDownCounter,
    unit: "{thread}",
    attributes: &[],
    help: "Number of threads that this machine may have",
};

static DEFINITIONS: &[&Definition] = &[&COUNT, &CREATED, &LIMIT];

/// See the module.
pub(super) struct Processes;

struct ProcessesCollector {
    folder: PathBuf,
    stat: ProcFile,
    limit: ProcFile,
}

impl Source for Processes {
    fn name(&self) -> &'static str {
        "processes"
    }

    fn about(&self) -> &'static str {
        "Counts the processes of this machine by state, once a minute."
    }

    fn definitions(&self) -> &'static [&'static Definition] {
        DEFINITIONS
    }

    fn build(&self, root: &Root, _fields: &mut Fields<'_>) -> Option<Box<dyn Collector>> {
        Some(Box::new(ProcessesCollector {
            folder: root.join("proc"),
            stat: ProcFile::new(root, "proc/stat"),
            limit: ProcFile::new(root, "proc/sys/kernel/threads-max"),
        }))
    }
}

impl Collector for ProcessesCollector {
    fn name(&self) -> &'static str {
        Processes.name()
    }

    fn period(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn collect(&mut self, sheet: &mut Sheet) {
        if cfg!(target_os = "linux") {
            match count(&self.folder, sheet) {
                Ok(counts) => counts.set(sheet),
                Err(error) => sheet.fail(reason(&error), format_args!("proc: {error}")),
            }
        }
        if let Some(created) = self.stat.read(sheet, |text, _| stat::created(text)) {
            sheet.set(&CREATED, &[], created as f64);
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
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if !name.as_encoded_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        match start(&folder.join(&name).join("stat")) {
            Ok((buffer, length)) => {
                match state(buffer.get(..length).unwrap_or_default()).and_then(|state| counts.place(state)) {
                    Some(count) => *count += 1,
                    None => sheet.fail(Reason::Protocol, format_args!("{} has no state", name.display())),
                }
            }
            Err(error) if has_ended(&error) => {}
            Err(error) => sheet.fail(reason(&error), format_args!("{}: {error}", name.display())),
        }
    }
    Ok(counts)
}

/// The beginning of a file, as much as the name of a process and its state need.
fn start(path: &Path) -> io::Result<([u8; 256], usize)> {
    let mut buffer = [0; 256];
    let length = File::open(path)?.read(&mut buffer)?;
    Ok((buffer, length))
}

/// Whether there is no such process any more, or only its folder yet.
fn has_ended(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NOENT | Errno::SRCH))
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
    use crate::collect::trial::{Trial, survives};
    use proptest::prelude::*;

    fn counted(page: &crate::collect::trial::Page) -> Vec<Option<f64>> {
        ["running", "sleeping", "stopped", "defunct", "blocked", "idle"]
            .iter()
            .map(|state| page.value(&format!("system_process_count{{process_state=\"{state}\"}}")))
            .collect()
    }

    #[test]
    fn counts_processes_whatever_they_call_themselves() {
        let mut trial = Trial::new(&Processes, "{}");
        trial.write("proc/stat", "cpu 1 2 3 4\nprocesses 140955\nprocs_running 1\n");
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
        assert_eq!(page.value("system_process_created_total"), Some(140_955.0));
        assert_eq!(page.value("system_process_limit"), Some(192_730.0));
        assert_eq!(page.errors, []);
    }

    #[test]
    fn what_is_no_process_is_said_and_hides_no_other() {
        let mut trial = Trial::new(&Processes, "{}");
        trial.write("proc/stat", "processes 1\n");
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
        survives(
            &Processes,
            "{}",
            &[
                ("proc/stat", "cpu 1 2 3 4\nprocesses 140955\n"),
                ("proc/sys/kernel/threads-max", "192730\n"),
                ("proc/1/stat", "1 (init) S 0 1\n"),
            ],
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

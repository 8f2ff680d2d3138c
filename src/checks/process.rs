//! Kind `process`: whether a process runs, found by its name or its command line.
//!
//! Walks over `/proc`, some 10 µs a process, on a thread apart; asked again within two seconds it repeats its answer.
//! Command lines hold secrets: they are matched and forgotten, never shown. A process that has ended and that nobody
//! has waited for does not run, and this process itself does not count. Where `/proc` hides the processes of other
//! users they are not found.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use parking_lot::Mutex;
use regex::bytes::{Regex, RegexBuilder};
use tokio::time::Instant;

use super::{BlockingCheck, Built, Kind, Probe, Run, Target, net, reasons};
use crate::collect::{Root, pids};
use crate::config::{Fields, Node, Reading, Setting};
use crate::model::{Cause, Measurement, Measures, Name, Outcome, Reason, Unit};
use crate::reasons::Failure;

const REASONS: &[Reason] = &[Reason::NotFound, Reason::Denied, Reason::Other];

/// How long an answer stands.
const STANDS: Duration = Duration::from_secs(2);
/// The most that is read of a command line.
const MOST: u64 = 128 * 1024;

static MEASUREMENTS: [Measurement; 1] = [Measurement::new("count", Unit::Count)];

/// See the module.
pub(super) struct Process;

struct ProcessCheck {
    root: Root,
    wanted: Wanted,
    least: u32,
    measurement: Name,
    last: Mutex<Option<(Instant, u64)>>,
}

/// What a process must have to be the one; all of what is given.
struct Wanted {
    name: Option<String>,
    pattern: Option<Regex>,
}

impl BlockingCheck for ProcessCheck {
    fn run(&self, run: &Run) -> Outcome {
        let last = *self.last.lock();
        let count = match last {
            Some((at, count)) if at.elapsed() < STANDS => count,
            _ => match self.count(run) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    return Outcome::failed(Reason::Timeout);
                }
                Err(error) => {
                    let failure = match reasons::of_io(&error) {
                        Failure { reason: Reason::NotFound, .. } => Reason::Other.into(),
                        failure => failure,
                    };
                    return reasons::failed(failure, REASONS)
                        .message("the list of processes cannot be read")
                        .because(error);
                }
            },
        };
        let outcome = if count >= u64::from(self.least) {
            Outcome::pass()
        } else if count == 0 {
            Outcome::caused_by(Cause::NoSuchProcess)
        } else {
            Outcome::failed(Reason::NotFound).message(format!("{count} run, fewer than {}", self.least))
        };
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53 processes")]
        outcome.measure(self.measurement.clone(), count as f64)
    }
}

impl ProcessCheck {
    fn count(&self, run: &Run) -> io::Result<u64> {
        let (until, own) = (net::patience(run), pids::own(&self.root));
        let mut buffer = Vec::new();
        let mut count = 0;
        for entry in fs::read_dir(self.root.join("proc"))? {
            let entry = entry?;
            if Instant::now() >= until {
                return Err(io::ErrorKind::TimedOut.into());
            }
            if pids::pid_of(&entry).is_some_and(|pid| Some(pid) != own) {
                // One that cannot be read has ended meanwhile, or is hidden from us.
                count += u64::from(self.wanted.is(&entry.path(), &mut buffer).unwrap_or(false));
            }
        }
        *self.last.lock() = Some((Instant::now(), count));
        Ok(count)
    }
}

impl Wanted {
    fn is(&self, folder: &Path, buffer: &mut Vec<u8>) -> io::Result<bool> {
        read(&folder.join("stat"), buffer)?;
        // `pid (name) state …`, where the name may hold anything.
        let (start, end) =
            (buffer.iter().position(|byte| *byte == b'('), buffer.iter().rposition(|byte| *byte == b')'));
        let (Some(start), Some(end)) = (start, end) else { return Ok(false) };
        if matches!(buffer.get(end + 2), Some(b'Z' | b'X')) {
            return Ok(false);
        }
        let short = buffer.get(start + 1..end).unwrap_or_default();
        let mut named = self.name.as_ref().is_none_or(|name| name.as_bytes() == short);
        if named && self.pattern.is_none() {
            return Ok(true);
        }
        read(&folder.join("cmdline"), buffer)?;
        if let Some(name) = &self.name {
            let program = buffer.split(|byte| *byte == 0).next().unwrap_or_default();
            named |= program.rsplit(|byte| *byte == b'/').next() == Some(name.as_bytes());
        }
        while buffer.last() == Some(&0) {
            buffer.pop();
        }
        buffer.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = b' ');
        // Threads of the kernel have no command line.
        let fits = |pattern: &Regex| !buffer.is_empty() && pattern.is_match(buffer);
        Ok(named && self.pattern.as_ref().is_none_or(fits))
    }
}

fn read(path: &Path, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    File::open(path)?.take(MOST).read_to_end(buffer).map(drop)
}

/// The longest regular expression, in bytes: to compile one takes hundreds of times as much memory.
const LONGEST: usize = 16 << 10;

/// A regular expression as a setting.
struct Pattern(Regex);

impl Setting for Pattern {
    const SHAPE: &'static str = "regular expression";

    fn read(node: &Node, reading: &mut Reading<'_>) -> Option<Self> {
        reading.parsed(node, "a regular expression such as `^java .*orders\\.jar`", |text| {
            if text.len() > LONGEST {
                return None;
            }
            let built = RegexBuilder::new(text).size_limit(1 << 20).dfa_size_limit(256 << 10).build();
            built.ok().filter(|_| !text.is_empty()).map(Self)
        })
    }

    fn show(&self) -> String {
        self.0.as_str().to_owned().show()
    }
}

impl Kind for Process {
    fn name(&self) -> &'static str {
        "process"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["proc", "pid", "service"]
    }

    fn about(&self) -> &'static str {
        "Counts the running processes with a name or a command line."
    }

    fn example(&self) -> &'static str {
        "name: nginx\nmin: 2\nthresholds: { count: { warn: 50 } }\n"
    }

    fn reasons(&self) -> &'static [Reason] {
        REASONS
    }

    fn measures(&self) -> Measures {
        Measures::of(&MEASUREMENTS)
    }

    fn build(&self, fields: &mut Fields<'_>) -> Option<Built> {
        self.build_at(&Root::default(), fields)
    }

    fn build_at(&self, root: &Root, fields: &mut Fields<'_>) -> Option<Built> {
        let name: Option<String> = fields.optional(
            "name",
            "the name of the program: as the kernel has it, or the last part of the first argument's path",
        );
        let pattern: Option<Pattern> = fields.optional(
            "pattern",
            "a regular expression that matches the command line, arguments parted by spaces",
        );
        let least = fields.or("min", 1, "fewer processes than this are a failure");
        if !fields.is_set("name") && !fields.is_set("pattern") && !fields.describing() {
            fields.problem_here("names no process; give `name`, `pattern` or both");
        }
        if name.is_none() && pattern.is_none() {
            return None;
        }
        let check = ProcessCheck {
            root: root.clone(),
            wanted: Wanted { name, pattern: pattern.map(|Pattern(regex)| regex) },
            least,
            measurement: Name::new("count").ok()?,
            last: Mutex::default(),
        };
        Some(Built { probe: Probe::blocking(check), target: Target::default() })
    }
}

#[cfg(test)]
mod tests;

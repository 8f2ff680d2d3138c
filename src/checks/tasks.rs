//! Kind `tasks`: how many tasks there are, of a runtime, a group of work, the machine or the control group.
//!
//! A runtime in the configuration is the one that the check runs on: the agent's own, or that of the program that runs
//! the engine on its own runtime. Groups exist only in a program's code, so they are checked from there. What is many
//! depends on what is counted, so the default limit does too: 100 for a runtime or a group, 80 % of what a control
//! group may hold, and none for the machine.

use std::io;

use tokio::runtime::Handle;

use super::{BlockingCheck, Built, Check, Kind, Probe, Run, Target, reasons, usage};
use crate::collect::cgroup::{Container, ContainerTasks};
use crate::collect::{Root, TaskGroup, pids};
use crate::config::{Fields, Node, Reading, Schema, Setting};
use crate::model::{
    Bound, Cause, Limit, Measurement, Measures, Name, Outcome, Policy, Reason, Threshold, Unit, When,
};

const REASONS: &[Reason] = &[Reason::NotFound, Reason::Denied, Reason::Other];

static MEASUREMENTS: [Measurement; 3] = [
    Measurement::new("tasks", Unit::Count),
    Measurement::new("limit", Unit::Count).when(When::Is("of", "cgroup")),
    Measurement::new("usage_ratio", Unit::Ratio).when(When::Is("of", "cgroup")),
];

/// See the module.
pub(super) struct Tasks;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Runtime,
    Processes,
    Threads,
    Cgroup,
    /// Named in the configuration, which cannot have any.
    Group,
}

impl Of {
    const WORDS: [(&'static str, Self); 4] = [
        ("runtime", Self::Runtime),
        ("processes", Self::Processes),
        ("threads", Self::Threads),
        ("cgroup", Self::Cgroup),
    ];

    fn parse(text: &str) -> Option<Self> {
        let word = Self::WORDS.into_iter().find(|(word, _)| *word == text);
        word.map(|(_, of)| of).or_else(|| text.starts_with("group:").then_some(Self::Group))
    }
}

impl Setting for Of {
    const SHAPE: &'static str = "what is counted";

    fn read(node: &Node, reading: &mut Reading<'_>) -> Option<Self> {
        let words = || Self::WORDS.iter().map(|(word, _)| *word);
        let of = Self::parse(reading.text(node, "runtime, processes, threads or cgroup")?);
        match of {
            None => reading.unknown_word(node, words()),
            Some(Self::Group) => reading.wrong_with_help(
                node,
                "a group of tasks is known only to the program that has it",
                Some("add the check there, with `vitalsign::tasks_of_group`".to_owned()),
            ),
            Some(_) => return of,
        }
        None
    }

    fn show(&self) -> String {
        let word = Self::WORDS.into_iter().find(|(_, of)| of == self);
        word.map_or("group", |(word, _)| word).to_owned()
    }

    fn schema() -> Schema {
        Schema::Words(Self::WORDS.iter().map(|(word, _)| *word).collect())
    }
}

/// The measurement of every check of tasks.
fn measurement() -> Option<Name> {
    Name::new("tasks").ok()
}

/// The limit for tasks of a program: warns from 100 on, until there are fewer than 90.
#[must_use]
pub(crate) fn threshold() -> Option<Threshold> {
    let warn = Some(Limit { enter: 100.0, leave: 90.0 });
    let lasting = std::time::Duration::ZERO;
    Some(Threshold { measurement: measurement()?, bound: Bound::Upper, warn, fail: None, lasting })
}

fn counted(tasks: f64) -> Outcome {
    match measurement() {
        Some(name) => Outcome::pass().measure(name, tasks),
        None => Outcome::fail("the tasks cannot be counted"),
    }
}

/// Counts the tasks of a runtime.
pub(crate) struct RuntimeTasks {
    /// `None` for the one that the check runs on.
    pub(crate) handle: Option<Handle>,
}

impl Check for RuntimeTasks {
    async fn run(&self, _run: &Run) -> Outcome {
        let handle = self.handle.clone().unwrap_or_else(Handle::current);
        counted(handle.metrics().num_alive_tasks() as f64)
    }
}

/// Counts the work of a group.
pub(crate) struct GroupTasks(pub(crate) TaskGroup);

impl Check for GroupTasks {
    async fn run(&self, _run: &Run) -> Outcome {
        let waiting = i64::try_from(self.0.waiting()).unwrap_or(i64::MAX);
        counted(self.0.active() as f64).detail("waiting", waiting)
    }
}

/// Counts what the kernel knows.
struct SystemTasks {
    of: Of,
    root: Root,
    limit: Name,
    usage: Name,
}

impl BlockingCheck for SystemTasks {
    fn run(&self, _run: &Run) -> Outcome {
        let counts = match self.of {
            Of::Processes => pids::processes(&self.root).map(|tasks| counted(tasks as f64)),
            Of::Threads => pids::threads(&self.root).map(|tasks| counted(tasks as f64)),
            Of::Cgroup | Of::Runtime | Of::Group => {
                Container::new(&self.root).tasks().map(|group| self.judge(group))
            }
        };
        counts.unwrap_or_else(|error: io::Error| {
            reasons::failed(reasons::of_io(&error), REASONS)
                .message("the number of tasks cannot be read")
                .because(error)
        })
    }
}

impl SystemTasks {
    fn judge(&self, group: Option<ContainerTasks>) -> Outcome {
        let Some(ContainerTasks { tasks, limit }) = group else {
            return Outcome::caused_by(Cause::NoTaskCount);
        };
        let outcome = counted(tasks as f64);
        match limit {
            Some(limit) => outcome
                .measure(self.limit.clone(), limit as f64)
                .measure(self.usage.clone(), tasks as f64 / limit.max(1) as f64),
            // Of a limit that does not exist nothing is used.
            None => outcome.measure(self.usage.clone(), 0.0),
        }
    }
}

impl Kind for Tasks {
    fn name(&self) -> &'static str {
        "tasks"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["threads", "processes", "tokio"]
    }

    fn about(&self) -> &'static str {
        "Counts tasks: of the runtime, of the machine as processes or threads, or of the control group."
    }

    fn example(&self) -> &'static str {
        "of: threads\nthresholds: { tasks: { warn: 5000, fail: 20000 } }\n"
    }

    fn reasons(&self) -> &'static [Reason] {
        REASONS
    }

    fn measures(&self) -> Measures {
        Measures::of(&MEASUREMENTS)
    }

    fn local(&self) -> bool {
        true
    }

    /// What is to be counted somebody must say.
    fn by_default(&self) -> bool {
        false
    }

    fn policy_for(&self, fields: &Fields<'_>) -> Policy {
        match fields.text("of").and_then(Of::parse) {
            Some(Of::Runtime | Of::Group) => {
                Policy { thresholds: threshold().into_iter().collect(), ..Policy::default() }
            }
            Some(Of::Cgroup) => usage::warn_from(0.80, 0.75),
            Some(Of::Processes | Of::Threads) | None => self.policy(),
        }
    }

    fn build(&self, fields: &mut Fields<'_>) -> Option<Built> {
        self.build_at(&Root::default(), fields)
    }

    fn build_at(&self, root: &Root, fields: &mut Fields<'_>) -> Option<Built> {
        let of = fields.required::<Of>(
            "of",
            "what is counted: runtime (the one that the check runs on), processes, threads (both of the whole \
             machine) or cgroup (tasks of the control group that this process is in)",
        );
        if matches!(of, Some(Of::Processes | Of::Threads)) && !fields.is_set("thresholds") {
            fields.problem_with_help(
                "of",
                "what is many is different on every machine",
                Some("add a limit such as `thresholds: { tasks: { warn: 5000 } }`".to_owned()),
            );
        }
        let probe = match of? {
            Of::Runtime => Probe::new(RuntimeTasks { handle: None }),
            of => Probe::blocking(SystemTasks {
                of,
                root: root.clone(),
                limit: Name::new("limit").ok()?,
                usage: usage::name()?,
            }),
        };
        Some(Built { probe, target: Target::default() })
    }
}

#[cfg(test)]
mod tests;

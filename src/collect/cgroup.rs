//! Collector `cgroup`: the control group of this process, which is its container or its service.
//!
//! Reads version 2, version 1 and machines that have both, each controller where it [is](place); about fifteen small
//! files, some 40 µs. A limit is the least of the group's own and of those above it that are visible; what is used of it,
//! and how often it was met, is read of the group that has it, for others may share it. A limit on memory is also the one
//! that only slows down (`memory.high`), and none that is not below what the machine has.
//!
//! What is shown depends on the limits:
//! - With a limit on memory or processors, everything that the group counts; the limits themselves where they exist,
//!   and throttling where processors are limited.
//! - With neither, only the number of tasks, and only if it is limited: a service manager limits it for every service,
//!   which makes no container of it.
//! - Nothing in a group without limits, such as the topmost one: its numbers would be the machine's. Whether it has got
//!   one is looked at [every 15 seconds](unlimited).
//!
//! Leaves out input and output, and what version 1 does not tell: memory events and pressure.

mod container;
mod files;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;
mod own;
mod parse;
mod place;
mod unlimited;

use std::fmt::Display;
use std::io;
use std::time::Duration;

use super::{Collector, PERIOD, Root, Sheet, Source};
use crate::config::Fields;
use crate::model::{Definition, Instrument, Reason};

use files::{Cpu, Limit, Memory, Pids, Pressure};
use own::Own;

pub(crate) use container::{Container, ContainerTasks};

static CPU_TIME: Definition =
    counter("cgroup.cpu.time", "s", &["cpu.mode"], "Processor time that the container used, by mode");
static CPU_LIMIT: Definition =
    gauge("cgroup.cpu.limit", "{cpu}", "Number of processors that the container may use");
static CPU_PERIODS: Definition =
    counter("cgroup.cpu.periods", "{period}", &[], "Number of periods in which the container wanted to run");
static CPU_THROTTLED_PERIODS: Definition = counter(
    "cgroup.cpu.throttled.periods",
    "{period}",
    &[],
    "Number of periods in which the container had to wait because it had used up its limit",
);
static CPU_THROTTLED_TIME: Definition = counter(
    "cgroup.cpu.throttled.time",
    "s",
    &[],
    "Time that the container had to wait because it had used up its limit, summed over processors",
);
static MEMORY_USAGE: Definition =
    sum("cgroup.memory.usage", "By", "Memory that the container uses, page cache included");
static MEMORY_LIMIT: Definition = sum("cgroup.memory.limit", "By", "Memory that the container may use");
static MEMORY_WORKING_SET: Definition = sum(
    "cgroup.memory.working_set",
    "By",
    "Memory that the container uses, without page cache that is given back first",
);
static MEMORY_RSS: Definition =
    sum("cgroup.memory.rss", "By", "Memory of the container that no file stands behind");
static MEMORY_SWAP: Definition =
    sum("cgroup.memory.swap.usage", "By", "Memory of the container that is swapped out");
static MEMORY_EVENTS: Definition = counter(
    "cgroup.memory.events",
    "{event}",
    &["cgroup.memory.event"],
    "Number of times that the container met one of its memory limits, or that the kernel ended a process for it",
);
static PIDS_USAGE: Definition = sum("cgroup.pids.usage", "{task}", "Number of tasks in the container");
static PIDS_LIMIT: Definition =
    sum("cgroup.pids.limit", "{task}", "Number of tasks that the container may have");
static PSI: Definition = counter(
    "cgroup.psi.stall_time",
    "s",
    &["psi.resource", "psi.stall_type"],
    "Time in which tasks of the container waited for the resource: some of them, or all of them at once",
);

static DEFINITIONS: &[&Definition] = &[
    &CPU_TIME,
    &CPU_LIMIT,
    &CPU_PERIODS,
    &CPU_THROTTLED_PERIODS,
    &CPU_THROTTLED_TIME,
    &MEMORY_USAGE,
    &MEMORY_LIMIT,
    &MEMORY_WORKING_SET,
    &MEMORY_RSS,
    &MEMORY_SWAP,
    &MEMORY_EVENTS,
    &PIDS_USAGE,
    &PIDS_LIMIT,
    &PSI,
];

const fn counter(
    name: &'static str,
    unit: &'static str,
    attributes: &'static [&'static str],
    help: &'static str,
) -> Definition {
    Definition { name, instrument: Instrument::Counter, unit, attributes, help }
}

const fn sum(name: &'static str, unit: &'static str, help: &'static str) -> Definition {
    Definition { name, instrument: Instrument::UpDownCounter, unit, attributes: &[], help }
}

const fn gauge(name: &'static str, unit: &'static str, help: &'static str) -> Definition {
    Definition { name, instrument: Instrument::Gauge, unit, attributes: &[], help }
}

/// See the module.
pub(super) struct Cgroup;

impl Source for Cgroup {
    fn name(&self) -> &'static str {
        "cgroup"
    }

    fn about(&self) -> &'static str {
        "Measures what this process' container or service uses, where it has a limit."
    }

    fn definitions(&self) -> &'static [&'static Definition] {
        DEFINITIONS
    }

    fn build(&self, root: &Root, _fields: &mut Fields<'_>) -> Option<Box<dyn Collector>> {
        Some(Box::new(CgroupCollector { own: Own::new(root), limited: true }))
    }
}

struct CgroupCollector {
    own: Own,
    /// Whether there was something to show the last time.
    limited: bool,
}

impl Collector for CgroupCollector {
    fn name(&self) -> &'static str {
        Cgroup.name()
    }

    fn period(&self) -> Duration {
        if self.limited { PERIOD } else { unlimited::FOR }
    }

    fn collect(&mut self, sheet: &mut Sheet) {
        self.limited = true;
        let files = match self.own.files() {
            Ok(files) => files,
            Err(error) => return fail(sheet, "where the group is", &error),
        };
        let memory_limit = known(sheet, "the limit on memory", files.memory.limit());
        let cpu_limit = known(sheet, "the limit on processors", files.cpu.limit());
        let pids_limit = known(sheet, "the limit on tasks", files.pids.limit());
        let limited = matches!(memory_limit, Some(Some(_))) || matches!(cpu_limit, Some(Some(_)));
        if limited {
            if let Some(limit) = cpu_limit {
                cpu(&mut files.cpu, limit, sheet);
            }
            if let Some(limit) = memory_limit {
                memory(&mut files.memory, limit, sheet);
            }
            for pressure in &mut files.pressure {
                let level = match pressure.resource {
                    "cpu" => cpu_limit.map(level_of),
                    "memory" => memory_limit.map(level_of),
                    _ => Some(0),
                };
                if let Some(level) = level {
                    stalls(pressure, level, sheet);
                }
            }
        }
        self.limited = limited || matches!(pids_limit, Some(Some(_)));
        if let Some(limit) = pids_limit.filter(|_| self.limited) {
            pids(&mut files.pids, limit, sheet);
        }
    }
}

/// The level that has the limit; the own one where none has.
fn level_of<T>(limit: Option<Limit<T>>) -> usize {
    limit.map_or(0, |limit| limit.level)
}

fn cpu(files: &mut Cpu, limit: Option<Limit<f64>>, sheet: &mut Sheet) {
    let Some(stat) = noted(sheet, "cpu.stat", files.stat(level_of(limit)).map(Some)) else { return };
    if let Some((user, system)) = stat.times {
        sheet.set(&CPU_TIME, &["user"], user);
        sheet.set(&CPU_TIME, &["system"], system);
    }
    let Some(limit) = limit else { return };
    sheet.set(&CPU_LIMIT, &[], limit.most);
    if let Some(throttling) = stat.throttling {
        sheet.set(&CPU_PERIODS, &[], throttling.periods as f64);
        sheet.set(&CPU_THROTTLED_PERIODS, &[], throttling.throttled as f64);
        sheet.set(&CPU_THROTTLED_TIME, &[], throttling.time);
    }
}

fn memory(files: &mut Memory, limit: Option<Limit<u64>>, sheet: &mut Sheet) {
    const EVENTS: [&str; 5] = ["low", "high", "max", "oom", "oom_kill"];
    let level = level_of(limit);
    let stat = noted(sheet, "memory.stat", files.stat(level).map(Some)).unwrap_or_default();
    let usage = noted(sheet, "the use of memory", files.usage(level));
    let working_set = usage.zip(stat.inactive_file).map(|(usage, inactive)| usage.saturating_sub(inactive));
    let swap = noted(sheet, "the use of swap", files.swap(level, &stat));
    let values = [
        (&MEMORY_USAGE, usage),
        (&MEMORY_LIMIT, limit.map(|limit| limit.most)),
        (&MEMORY_WORKING_SET, working_set),
        (&MEMORY_RSS, stat.rss),
        (&MEMORY_SWAP, swap),
    ];
    for (definition, value) in values {
        if let Some(value) = value {
            sheet.set(definition, &[], value as f64);
        }
    }
    let events = noted(sheet, "memory.events", files.events(level, EVENTS)).unwrap_or_default();
    for (event, count) in EVENTS.into_iter().zip(events) {
        if let Some(count) = count {
            sheet.set(&MEMORY_EVENTS, &[event], count as f64);
        }
    }
}

fn stalls(pressure: &mut Pressure, level: usize, sheet: &mut Sheet) {
    if let Some(stalls) = noted(sheet, pressure.resource, pressure.read(level)) {
        stalls.set(sheet, &PSI, pressure.resource);
    }
}

fn pids(files: &mut Pids, limit: Option<Limit<u64>>, sheet: &mut Sheet) {
    if let Some(usage) = noted(sheet, "the number of tasks", files.usage(level_of(limit))) {
        sheet.set(&PIDS_USAGE, &[], usage as f64);
    }
    if let Some(limit) = limit {
        sheet.set(&PIDS_LIMIT, &[], limit.most as f64);
    }
}

/// What was read; an error is noted, and then nothing is known that belongs to it.
fn known<T>(sheet: &mut Sheet, what: impl Display, read: io::Result<T>) -> Option<T> {
    noted(sheet, what, read.map(Some))
}

/// The value, if there is one; an error is noted.
fn noted<T>(sheet: &mut Sheet, what: impl Display, read: io::Result<Option<T>>) -> Option<T> {
    read.unwrap_or_else(|error| {
        fail(sheet, what, &error);
        None
    })
}

fn fail(sheet: &mut Sheet, what: impl Display, error: &io::Error) {
    let reason = match error.kind() {
        io::ErrorKind::InvalidData => Reason::Protocol,
        io::ErrorKind::PermissionDenied => Reason::Denied,
        _ => Reason::Other,
    };
    sheet.fail(reason, format_args!("{what}: {error}"));
}

#[cfg(test)]
mod tests;

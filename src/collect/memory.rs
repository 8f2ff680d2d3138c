//! Collector `memory`: how this machine's memory and swap are used; and the same in short for the check.
//!
//! From `/proc/meminfo`, one read of some microseconds. In use is what is not available, by the kernel's own estimate of
//! what a program could still get without swapping; so the states overlap and do not add up to the limit. What a
//! container may use is the container's own to tell. Elsewhere than on Linux, sysinfo knows limit and use.

use std::io;

use crate::config::Fields;
use crate::model::{Definition, Instrument};

use super::numbers::whole;
use super::proc_file::{ProcFile, garbled, reason};
use super::{Collector, Root, Sheet, Source, elsewhere};

static USAGE: Definition = Definition {
    name: "system.memory.usage",
    instrument: Instrument::UpDownCounter,
    unit: "By",
    attributes: &["system.memory.state"],
    help: "Memory by state; used is all that is not available, so states overlap",
};
static LIMIT: Definition = Definition {
    name: "system.memory.limit",
    instrument: Instrument::UpDownCounter,
    unit: "By",
    attributes: &[],
    help: "Memory that this machine has",
};
static AVAILABLE: Definition = Definition {
    name: "system.memory.linux.available",
    instrument: Instrument::UpDownCounter,
    unit: "By",
    attributes: &[],
    help: "Memory that programs can still get without swapping, by the estimate of the kernel",
};
static UTILIZATION: Definition = Definition {
    name: "system.memory.utilization",
    instrument: Instrument::Gauge,
    unit: "1",
    attributes: &["system.memory.state"],
    help: "Share of the memory in this state",
};
static SLAB: Definition = Definition {
    name: "system.memory.linux.slab.usage",
    instrument: Instrument::UpDownCounter,
    unit: "By",
    attributes: &["system.memory.linux.slab.state"],
    help: "Memory that the kernel uses for its own objects",
};
static PAGING: Definition = Definition {
    name: "system.paging.usage",
    instrument: Instrument::UpDownCounter,
    unit: "By",
    attributes: &["system.paging.state"],
    help: "Swap space by state",
};

static DEFINITIONS: &[&Definition] = &[&USAGE, &LIMIT, &AVAILABLE, &UTILIZATION, &SLAB, &PAGING];

const MEMINFO: &str = "proc/meminfo";

/// The machine's memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) total: u64,
    pub(crate) available: u64,
}

impl Memory {
    /// The share, 0 to 1, that is not to be had.
    pub(crate) fn usage(&self) -> f64 {
        if self.total == 0 {
            return 0.0;
        }
        self.used() as f64 / self.total as f64
    }

    fn used(&self) -> u64 {
        self.total.saturating_sub(self.available)
    }
}

/// Reads [`Memory`] of this machine.
pub(crate) struct MemoryReader(ProcFile);

impl MemoryReader {
    /// The memory of the machine whose root is at `root`.
    pub(crate) fn new(root: &Root) -> Self {
        Self(ProcFile::new(root, MEMINFO))
    }

    /// The memory as it is now.
    pub(crate) fn read(&mut self) -> io::Result<Memory> {
        if !cfg!(target_os = "linux") {
            return elsewhere::memory();
        }
        let text = self.0.text()?;
        parse(&text).map(|info| info.memory()).ok_or_else(|| garbled(MEMINFO))
    }
}

/// What the file says, in bytes; a kernel may lack what is optional.
#[derive(Debug, Default, PartialEq)]
struct Meminfo {
    total: u64,
    free: u64,
    available: Option<u64>,
    buffers: Option<u64>,
    cached: Option<u64>,
    reclaimable: Option<u64>,
    unreclaimable: Option<u64>,
    swap_total: Option<u64>,
    swap_free: Option<u64>,
}

impl Meminfo {
    /// Kernels before 3.14 do not say what is available; it is then what is free and what can be given back.
    fn memory(&self) -> Memory {
        let parts = [Some(self.free), self.buffers, self.cached];
        let guess = || parts.into_iter().flatten().fold(0_u64, u64::saturating_add).min(self.total);
        Memory { total: self.total, available: self.available.unwrap_or_else(guess) }
    }

    fn set(&self, sheet: &mut Sheet) {
        let memory = self.memory();
        let states = [
            ("used", Some(memory.used())),
            ("free", Some(self.free)),
            ("cached", self.cached),
            ("buffers", self.buffers),
        ];
        each(sheet, &USAGE, &states);
        sheet.set(&LIMIT, &[], self.total as f64);
        if let Some(available) = self.available {
            sheet.set(&AVAILABLE, &[], available as f64);
        }
        sheet.set(&UTILIZATION, &["used"], memory.usage());
        each(sheet, &SLAB, &[("reclaimable", self.reclaimable), ("unreclaimable", self.unreclaimable)]);
        if let (Some(total), Some(free)) = (self.swap_total, self.swap_free) {
            each(sheet, &PAGING, &[("used", Some(total.saturating_sub(free))), ("free", Some(free))]);
        }
    }
}

fn each(sheet: &mut Sheet, definition: &'static Definition, states: &[(&str, Option<u64>)]) {
    for (state, value) in states {
        if let Some(value) = value {
            sheet.set(definition, &[state], *value as f64);
        }
    }
}

/// The machine's memory in bytes, out of the text of the file, whatever else it says.
pub(super) fn total(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("MemTotal:")).and_then(bytes)
}

/// An amount such as `  24684092 kB`.
fn bytes(amount: &str) -> Option<u64> {
    whole(Some(amount.strip_suffix("kB")?.trim()))?.checked_mul(1024)
}

fn parse(text: &str) -> Option<Meminfo> {
    let mut info = Meminfo::default();
    let (mut total, mut free) = (None, None);
    for line in text.lines() {
        let (name, amount) = line.split_once(':')?;
        let place = match name {
            "MemTotal" => &mut total,
            "MemFree" => &mut free,
            "MemAvailable" => &mut info.available,
            "Buffers" => &mut info.buffers,
            "Cached" => &mut info.cached,
            "SReclaimable" => &mut info.reclaimable,
            "SUnreclaim" => &mut info.unreclaimable,
            "SwapTotal" => &mut info.swap_total,
            "SwapFree" => &mut info.swap_free,
            _ => continue,
        };
        *place = Some(bytes(amount)?);
    }
    (info.total, info.free) = (total.filter(|total| *total > 0)?, free?);
    Some(info)
}

/// See the module.
pub(super) struct MemorySource;

struct MemoryCollector(ProcFile);

impl Source for MemorySource {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn about(&self) -> &'static str {
        "Reads how the memory and the swap space of this machine are used."
    }

    fn definitions(&self) -> &'static [&'static Definition] {
        DEFINITIONS
    }

    fn build(&self, root: &Root, _fields: &mut Fields<'_>) -> Option<Box<dyn Collector>> {
        Some(Box::new(MemoryCollector(ProcFile::new(root, MEMINFO))))
    }
}

impl Collector for MemoryCollector {
    fn name(&self) -> &'static str {
        MemorySource.name()
    }

    fn collect(&mut self, sheet: &mut Sheet) {
        if cfg!(target_os = "linux") {
            self.0.read(sheet, |text, sheet| {
                parse(text)?.set(sheet);
                Some(())
            });
            return;
        }
        match elsewhere::memory() {
            Ok(memory) => {
                each(sheet, &USAGE, &[("used", Some(memory.used()))]);
                sheet.set(&LIMIT, &[], memory.total as f64);
                sheet.set(&UTILIZATION, &["used"], memory.usage());
            }
            Err(error) => sheet.fail(reason(&error), error),
        }
    }
}

#[cfg(test)]
mod tests;

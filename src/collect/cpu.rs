//! Collector `cpu`: what the processors of this machine spend their time on, and how many processes they were given.
//!
//! From `/proc/stat`, one read of some microseconds. The times of all processors are the kernel's own sum, which knows
//! those that were taken out meanwhile; with `per_cpu`, each has its own series instead. Times that the kernel takes
//! back are held where they were. Leaves out what guests ran, and how many sockets and cores there are.

pub(crate) mod stat;
mod usage;

use std::collections::BTreeMap;

use crate::config::Fields;
use crate::model::{Definition, Instrument};

use super::numbers::{seconds, ticks_per_second};
use super::proc_file::ProcFile;
use super::{Collector, Root, Sheet, Source};
use stat::{CpuTimes, Stat};
pub(crate) use usage::{CpuUsage, SHORTEST};

static TIME: Definition = Definition {
    name: "system.cpu.time",
    instrument: Instrument::Counter,
    unit: "s",
    attributes: &["cpu.mode", "cpu.logical_number"],
    help: "Time that the processors spent in this mode; what guests ran is left out",
};
static UTILIZATION: Definition = Definition {
    name: "system.cpu.utilization",
    instrument: Instrument::Gauge,
    unit: "1",
    attributes: &["cpu.mode"],
    help: "Share of all processor time that was spent in this mode since the reading before",
};
static COUNT: Definition = Definition {
    name: "system.cpu.logical.count",
    instrument: Instrument::UpDownCounter,
    unit: "{cpu}",
    attributes: &[],
    help: "Number of processors that run threads now",
};
static CREATED: Definition = Definition {
    name: "system.process.created",
    instrument: Instrument::Counter,
    unit: "{process}",
    attributes: &[],
    help: "Number of processes and threads that were ever made",
};

static DEFINITIONS: &[&Definition] = &[&TIME, &UTILIZATION, &COUNT, &CREATED];

const STAT: &str = "proc/stat";

/// A time that falls by this many ticks, 3 seconds, was counted anew; by fewer, it was taken back.
fn most_taken_back() -> u64 {
    3 * ticks_per_second()
}

/// See the module.
pub(super) struct Cpu;

struct CpuCollector {
    file: ProcFile,
    per_cpu: bool,
    shown: Shown,
}

/// The readings before.
#[derive(Default)]
struct Shown {
    total: Option<CpuTimes>,
    cpus: BTreeMap<u64, CpuTimes>,
}

impl Source for Cpu {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn about(&self) -> &'static str {
        "Reads what the processors of this machine spend their time on, and how many processes were made."
    }

    fn definitions(&self) -> &'static [&'static Definition] {
        DEFINITIONS
    }

    fn build(&self, root: &Root, fields: &mut Fields<'_>) -> Option<Box<dyn Collector>> {
        let per_cpu = fields.or("per_cpu", false, "whether each processor has its own series of times");
        Some(Box::new(CpuCollector { file: ProcFile::new(root, STAT), per_cpu, shown: Shown::default() }))
    }
}

impl Collector for CpuCollector {
    fn name(&self) -> &'static str {
        Cpu.name()
    }

    fn collect(&mut self, sheet: &mut Sheet) {
        let Self { file, per_cpu, shown } = self;
        file.read(sheet, |text, sheet| {
            shown.set(&stat::parse(text)?, *per_cpu, sheet);
            if let Some(created) = stat::created(text)? {
                sheet.set(&CREATED, &[], created as f64);
            }
            Some(())
        });
    }
}

impl Shown {
    fn set(&mut self, stat: &Stat<'_>, per_cpu: bool, sheet: &mut Sheet) {
        let most = most_taken_back();
        let earlier = self.total;
        let total = earlier.map_or(stat.total, |earlier| stat.total.steady(&earlier, most));
        self.total = Some(total);
        if per_cpu {
            let before = std::mem::take(&mut self.cpus);
            for (label, times) in &stat.cpus {
                let Ok(number) = label.parse() else { continue };
                let times = before.get(&number).map_or(*times, |earlier| times.steady(earlier, most));
                self.cpus.insert(number, times);
                for (mode, ticks) in modes(&times) {
                    sheet.set(&TIME, &[mode, label], seconds(ticks));
                }
            }
        } else {
            for (mode, ticks) in modes(&total) {
                sheet.set(&TIME, &[mode, ""], seconds(ticks));
            }
        }
        if let Some(spent) =
            earlier.and_then(|earlier| total.since(&earlier)).filter(|spent| spent.sum() > 0.0)
        {
            for (mode, ticks) in modes(&spent) {
                sheet.set(&UTILIZATION, &[mode], ticks as f64 / spent.sum());
            }
        }
        if !stat.cpus.is_empty() {
            sheet.set(&COUNT, &[], stat.cpus.len() as f64);
        }
    }
}

fn modes(times: &CpuTimes) -> [(&'static str, u64); 7] {
    [
        ("user", times.user),
        ("nice", times.nice),
        ("system", times.system),
        ("idle", times.idle),
        ("iowait", times.iowait),
        ("interrupt", times.irq.saturating_add(times.softirq)),
        ("steal", times.steal),
    ]
}

#[cfg(test)]
mod tests;

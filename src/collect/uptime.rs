//! Collector `uptime`: how long this machine runs.
//!
//! From `/proc/uptime`, which counts the time asleep and, in most containers, that of the machine. How long this process
//! runs is told by the agent itself.

use crate::config::Fields;
use crate::model::{Definition, Instrument};

use super::numbers::decimal;
use super::proc_file::{ProcFile, reason};
use super::{Collector, Root, Sheet, Source, elsewhere};

static UPTIME: Definition = Definition {
    name: "system.uptime",
    instrument: Instrument::Gauge,
    unit: "s",
    attributes: &[],
    help: "Time since this machine started",
};

static DEFINITIONS: &[&Definition] = &[&UPTIME];

/// See the module.
pub(super) struct Uptime;

struct UptimeCollector(ProcFile);

impl Source for Uptime {
    fn name(&self) -> &'static str {
        "uptime"
    }

    fn about(&self) -> &'static str {
        "Reads how long this machine runs."
    }

    fn definitions(&self) -> &'static [&'static Definition] {
        DEFINITIONS
    }

    fn build(&self, root: &Root, _fields: &mut Fields<'_>) -> Option<Box<dyn Collector>> {
        Some(Box::new(UptimeCollector(ProcFile::new(root, "proc/uptime"))))
    }
}

impl Collector for UptimeCollector {
    fn name(&self) -> &'static str {
        Uptime.name()
    }

    fn collect(&mut self, sheet: &mut Sheet) {
        if cfg!(target_os = "linux") {
            if let Some(uptime) = self.0.read(sheet, |text, _| parse(text)) {
                sheet.set(&UPTIME, &[], uptime);
            }
            return;
        }
        match elsewhere::uptime() {
            Ok(uptime) => sheet.set(&UPTIME, &[], uptime),
            Err(error) => sheet.fail(reason(&error), error),
        }
    }
}

/// Seconds since the start; what follows them is the idle time of all processors.
fn parse(text: &str) -> Option<f64> {
    decimal(text.split_ascii_whitespace().next())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::trial::{Trial, survives};

    #[test]
    fn shows_the_parts_of_a_second() {
        let mut trial = Trial::new(&Uptime, "{}");
        trial.write("proc/uptime", "4427.49 4967.34\n");
        assert_eq!(trial.read().value("system_uptime_seconds"), Some(4427.49));
        survives(&Uptime, "{}", &[("proc/uptime", "4427.49 4967.34\n")]);
    }
}

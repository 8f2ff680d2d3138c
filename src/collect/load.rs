//! Collector `load`: how many threads wanted to run, and how many there are.
//!
//! From `/proc/loadavg`, one read of 30 bytes. The averages count threads that wait for a disk, too. How many processes
//! there are is `processes`'.

use crate::config::Fields;
use crate::model::{Definition, Instrument};

use super::numbers::{decimal, whole};
use super::proc_file::{ProcFile, reason};
use super::{Collector, Root, Sheet, Source, elsewhere};

static ONE: Definition =
    average("system.cpu.load_average.1m", "Threads that ran or wanted to, averaged over 1 minute");
static FIVE: Definition =
    average("system.cpu.load_average.5m", "Threads that ran or wanted to, averaged over 5 minutes");
static FIFTEEN: Definition =
    average("system.cpu.load_average.15m", "Threads that ran or wanted to, averaged over 15 minutes");
static THREADS: Definition = Definition {
    name: "vitalsign.host.threads",
    instrument: Instrument::Gauge,
    unit: "{thread}",
    attributes: &[],
    help: "Number of threads on this machine, those of the kernel counted",
};

static DEFINITIONS: &[&Definition] = &[&ONE, &FIVE, &FIFTEEN, &THREADS];

const fn average(name: &'static str, help: &'static str) -> Definition {
    Definition { name, instrument: Instrument::Gauge, unit: "{thread}", attributes: &[], help }
}

/// See the module.
pub(super) struct Load;

struct LoadCollector(ProcFile);

impl Source for Load {
    fn name(&self) -> &'static str {
        "load"
    }

    fn about(&self) -> &'static str {
        "Reads the load averages of this machine and its number of threads."
    }

    fn definitions(&self) -> &'static [&'static Definition] {
        DEFINITIONS
    }

    fn build(&self, root: &Root, _fields: &mut Fields<'_>) -> Option<Box<dyn Collector>> {
        Some(Box::new(LoadCollector(ProcFile::new(root, "proc/loadavg"))))
    }
}

impl Collector for LoadCollector {
    fn name(&self) -> &'static str {
        Load.name()
    }

    fn collect(&mut self, sheet: &mut Sheet) {
        if cfg!(target_os = "linux") {
            self.0.read(sheet, |text, sheet| {
                let (averages, threads) = parse(text)?;
                set(averages, sheet);
                sheet.set(&THREADS, &[], threads as f64);
                Some(())
            });
            return;
        }
        match elsewhere::load() {
            Ok(averages) => set(averages, sheet),
            Err(error) => sheet.fail(reason(&error), error),
        }
    }
}

fn set(averages: [f64; 3], sheet: &mut Sheet) {
    for (definition, average) in [&ONE, &FIVE, &FIFTEEN].into_iter().zip(averages) {
        sheet.set(definition, &[], average);
    }
}

/// The averages over 1, 5 and 15 minutes, and the number of threads.
fn parse(text: &str) -> Option<([f64; 3], u64)> {
    let mut fields = text.split_ascii_whitespace();
    let averages = [decimal(fields.next())?, decimal(fields.next())?, decimal(fields.next())?];
    let (_running, threads) = fields.next()?.split_once('/')?;
    Some((averages, whole(Some(threads))?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::trial::{Trial, survives};

    const LOADAVG: &str = "1.43 1.74 0.72 1/134 11244\n";

    #[test]
    fn shows_averages_and_threads() {
        let mut trial = Trial::new(&Load, "{}");
        trial.write("proc/loadavg", LOADAVG);
        let page = trial.read();
        assert_eq!(page.value("system_cpu_load_average_1m"), Some(1.43));
        assert_eq!(page.value("system_cpu_load_average_5m"), Some(1.74));
        assert_eq!(page.value("system_cpu_load_average_15m"), Some(0.72));
        assert_eq!(page.value("vitalsign_host_threads"), Some(134.0));
        assert_eq!(page.errors, []);
    }

    #[test]
    fn takes_nothing_for_a_number_that_is_none() {
        for text in ["", "1 2 3\n", "1 2 nan 1/2 3\n", "1 -2 3 1/2 3\n", "1 2 3 12 3\n", "1 2 3 1/x 3\n"] {
            assert_eq!(parse(text), None, "{text}");
        }
        survives(&Load, "{}", &[("proc/loadavg", LOADAVG)]);
    }
}

//! Collector `pressure`: for how long work stood still because processors, memory or disks were short.
//!
//! The control groups tell the same of themselves in the same format, so it is read here for them too.
//!
//! From `/proc/pressure/*`, which a kernel may have been built or started without; then there is nothing. Takes the
//! totals, of which a rate is the share of time; leaves out the kernel's own averages, and `full` for the processors,
//! which the kernel gives as zero: while all wait, one runs.

use crate::config::Fields;
use crate::model::{Definition, Instrument};

use super::numbers::whole;
use super::proc_file::ProcFile;
use super::{Collector, Root, Sheet, Source};

static STALL_TIME: Definition = Definition {
    name: "psi.stall_time",
    instrument: Instrument::Counter,
    unit: "s",
    attributes: &["psi.resource", "psi.stall_type"],
    help: "Time in which some or all work (full) stood still for want of the resource",
};

static DEFINITIONS: &[&Definition] = &[&STALL_TIME];

/// See the module.
pub(super) struct Pressure;

struct PressureCollector([(&'static str, ProcFile); 4]);

/// Microseconds in which some, and in which all work stood still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stalls {
    pub(super) some: Option<u64>,
    pub(super) full: Option<u64>,
}

impl Source for Pressure {
    fn name(&self) -> &'static str {
        "pressure"
    }

    fn about(&self) -> &'static str {
        "Reads for how long work stood still because processors, memory or disks were short."
    }

    fn definitions(&self) -> &'static [&'static Definition] {
        DEFINITIONS
    }

    fn build(&self, root: &Root, _fields: &mut Fields<'_>) -> Option<Box<dyn Collector>> {
        let file = |path| ProcFile::optional(root, path);
        Some(Box::new(PressureCollector([
            ("cpu", file("proc/pressure/cpu")),
            ("memory", file("proc/pressure/memory")),
            ("io", file("proc/pressure/io")),
            ("irq", file("proc/pressure/irq")),
        ])))
    }
}

impl Collector for PressureCollector {
    fn name(&self) -> &'static str {
        Pressure.name()
    }

    fn collect(&mut self, sheet: &mut Sheet) {
        for (resource, file) in &mut self.0 {
            file.read(sheet, |text, sheet| {
                let Stalls { some, full } = parse(text)?;
                let full = full.filter(|_| *resource != "cpu");
                Stalls { some, full }.set(sheet, &STALL_TIME, resource);
                Some(())
            });
        }
    }
}

impl Stalls {
    /// Shows them as seconds of `resource`.
    pub(super) fn set(self, sheet: &mut Sheet, definition: &'static Definition, resource: &str) {
        for (kind, microseconds) in [("some", self.some), ("full", self.full)] {
            if let Some(microseconds) = microseconds {
                sheet.set(definition, &[resource, kind], microseconds as f64 / 1e6);
            }
        }
    }
}

/// Up to two lines like `some avg10=0.34 avg60=0.78 avg300=0.68 total=25006652`.
pub(super) fn parse(text: &str) -> Option<Stalls> {
    let mut stalls = Stalls::default();
    for line in text.lines() {
        let (kind, numbers) = line.split_once(' ')?;
        let total = numbers.split_ascii_whitespace().find_map(|number| number.strip_prefix("total="));
        let place = match kind {
            "some" => &mut stalls.some,
            "full" => &mut stalls.full,
            _ => return None,
        };
        *place = Some(whole(total)?);
    }
    (stalls != Stalls::default()).then_some(stalls)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::collect::trial::{Trial, survives};
    use crate::model::Reason;

    const CPU: &str = "some avg10=32.30 avg60=24.89 avg300=22.10 total=756156578\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
    const IO: &str = "some avg10=0.34 avg60=0.78 avg300=0.68 total=25006652\nfull avg10=0.06 avg60=0.52 avg300=0.53 total=17784166\n";
    const IRQ: &str = "full avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\n";

    #[test]
    fn shows_what_this_kernel_has() {
        let mut trial = Trial::new(&Pressure, "{}");
        let page = trial.read();
        assert_eq!((page.len(), page.errors), (0, vec![]));
        for (resource, text) in [("cpu", CPU), ("io", IO), ("irq", IRQ)] {
            trial.write(&format!("proc/pressure/{resource}"), text);
        }
        let page = trial.read();
        let stalled = |resource: &str, kind: &str| {
            page.value(&format!(
                "psi_stall_time_seconds_total{{psi_resource=\"{resource}\",psi_stall_type=\"{kind}\"}}"
            ))
        };
        assert_eq!(stalled("cpu", "some"), Some(756.156578));
        assert_eq!(stalled("cpu", "full"), None);
        assert_eq!(stalled("io", "some"), Some(25.006652));
        assert_eq!(stalled("io", "full"), Some(17.784166));
        assert_eq!(stalled("irq", "full"), Some(1.5));
        assert_eq!((page.len(), page.errors), (4, vec![]));
    }

    #[test]
    fn reads_stalls() {
        let text = "some avg10=0.12 avg60=0.03 avg300=0.01 total=4021\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=17\n";
        assert_eq!(parse(text), Some(Stalls { some: Some(4021), full: Some(17) }));
        assert_eq!(parse("some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n").unwrap().full, None);
        for wrong in
            ["", "some", "some avg10=0.00\n", "some total=-1\n", "other total=1\n", "full total=1\nso"]
        {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn garbage_is_nothing_or_a_number(text in "((some|full|total=|[0-9]{1,22}|[ ,\\-\n]|\\PC)){0,12}") {
            let _ = parse(&text);
        }

        #[test]
        fn numbers_come_through(some: u64, full: u64) {
            let text = format!("some avg10=0.00 total={some}\nfull avg10=0.00 total={full}\n");
            prop_assert_eq!(parse(&text), Some(Stalls { some: Some(some), full: Some(full) }));
        }
    }

    #[test]
    fn one_resource_that_is_garbled_hides_no_other() {
        let mut trial = Trial::new(&Pressure, "{}");
        trial.write("proc/pressure/io", IO);
        for garbled in ["", "some\n", "some avg10=0.34\n", "none total=5\n", "some total=-5\n"] {
            trial.write("proc/pressure/cpu", garbled);
            let page = trial.read();
            assert_eq!((page.len(), page.errors), (2, vec![Reason::Protocol]), "{garbled}");
        }
        survives(&Pressure, "{}", &[("proc/pressure/cpu", CPU), ("proc/pressure/io", IO)]);
    }
}

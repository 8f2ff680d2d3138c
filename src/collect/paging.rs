//! Collector `paging`: how often memory had to be brought in, and how much is swapped.
//!
//! From `/proc/vmstat`, one read of some microseconds. How full the swap space is, is `memory`'s.

use crate::config::Fields;
use crate::model::{Definition, Instrument};

use super::numbers::{steady, whole};
use super::proc_file::ProcFile;
use super::{Collector, Root, Sheet, Source};

static FAULTS: Definition = Definition {
    name: "system.paging.faults",
    instrument: Instrument::Counter,
    unit: "{fault}",
    attributes: &["system.paging.fault.type"],
    help: "Number of accesses to memory that was not mapped; for a major fault it had to be read from a disk",
};
static OPERATIONS: Definition = Definition {
    name: "system.paging.operations",
    instrument: Instrument::Counter,
    unit: "{operation}",
    attributes: &["system.paging.direction"],
    help: "Number of pages read from swap space (in) and written to it (out)",
};

static DEFINITIONS: &[&Definition] = &[&FAULTS, &OPERATIONS];

/// The kernel does not read its two numbers of faults at one moment, so their difference may step back, by less than this.
const MOST_TAKEN_BACK: u64 = 1_000;

/// See the module.
pub(super) struct Paging;

struct PagingCollector {
    file: ProcFile,
    minor: u64,
}

#[derive(Debug, Default, PartialEq)]
struct Vmstat {
    faults: Option<u64>,
    major: Option<u64>,
    swapped_in: Option<u64>,
    swapped_out: Option<u64>,
}

impl Vmstat {
    fn is_whole(&self) -> bool {
        [self.faults, self.major, self.swapped_in, self.swapped_out].iter().all(Option::is_some)
    }
}

impl Source for Paging {
    fn name(&self) -> &'static str {
        "paging"
    }

    fn about(&self) -> &'static str {
        "Reads how often memory had to be brought in, and how much is swapped."
    }

    fn definitions(&self) -> &'static [&'static Definition] {
        DEFINITIONS
    }

    fn build(&self, root: &Root, _fields: &mut Fields<'_>) -> Option<Box<dyn Collector>> {
        let file = ProcFile::optional(root, "proc/vmstat").of_short_lines();
        Some(Box::new(PagingCollector { file, minor: 0 }))
    }
}

impl Collector for PagingCollector {
    fn name(&self) -> &'static str {
        Paging.name()
    }

    fn collect(&mut self, sheet: &mut Sheet) {
        let Self { file, minor } = self;
        file.read(sheet, |text, sheet| {
            let vmstat = parse(text)?;
            if let (Some(faults), Some(major)) = (vmstat.faults, vmstat.major) {
                *minor = steady(*minor, faults.saturating_sub(major), MOST_TAKEN_BACK);
                sheet.set(&FAULTS, &["major"], major as f64);
                sheet.set(&FAULTS, &["minor"], *minor as f64);
            }
            for (direction, pages) in [("in", vmstat.swapped_in), ("out", vmstat.swapped_out)] {
                if let Some(pages) = pages {
                    sheet.set(&OPERATIONS, &[direction], pages as f64);
                }
            }
            Some(())
        });
    }
}

/// Every line is a name and a number; which there are depends on how the kernel was built.
fn parse(text: &str) -> Option<Vmstat> {
    let mut vmstat = Vmstat::default();
    if text.is_empty() {
        return None;
    }
    for line in text.lines() {
        let (name, value) = line.split_once(' ')?;
        let place = match name {
            "pgfault" => &mut vmstat.faults,
            "pgmajfault" => &mut vmstat.major,
            "pswpin" => &mut vmstat.swapped_in,
            "pswpout" => &mut vmstat.swapped_out,
            _ => continue,
        };
        *place = Some(whole(Some(value))?);
        if vmstat.is_whole() {
            break;
        }
    }
    Some(vmstat)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::trial::{Trial, survives};

    const VMSTAT: &str = "nr_free_pages 5\npgpgin 22329281\npswpin 3\npswpout 4\npgfault 152287143\npgmajfault 39591\npgrefill 0\n";
    const MINOR: &str = "system_paging_faults_total{system_paging_fault_type=\"minor\"}";

    #[test]
    fn shows_faults_and_swapping() {
        let mut trial = Trial::new(&Paging, "{}");
        trial.write("proc/vmstat", VMSTAT);
        let page = trial.read();
        assert_eq!(page.value(MINOR), Some(152_247_552.0));
        assert_eq!(
            page.value("system_paging_faults_total{system_paging_fault_type=\"major\"}"),
            Some(39_591.0)
        );
        assert_eq!(page.value("system_paging_operations_total{system_paging_direction=\"in\"}"), Some(3.0));
        assert_eq!(page.value("system_paging_operations_total{system_paging_direction=\"out\"}"), Some(4.0));
    }

    #[test]
    fn minor_faults_step_back_only_when_counted_anew() {
        let mut trial = Trial::new(&Paging, "{}");
        let mut shown = Vec::new();
        for (faults, major) in [(5000, 10), (5000, 11), (5002, 11), (90, 2)] {
            trial.write("proc/vmstat", format!("pgfault {faults}\npgmajfault {major}\n"));
            shown.push(trial.read().value(MINOR).unwrap());
        }
        assert_eq!(shown, [4990.0, 4990.0, 4991.0, 88.0]);
    }

    #[test]
    fn a_kernel_without_swap_has_no_swapping() {
        let mut trial = Trial::new(&Paging, "{}");
        trial.write("proc/vmstat", "pgfault 5\npgmajfault 1\n");
        let page = trial.read();
        assert_eq!((page.len(), page.errors), (2, vec![]));
        survives(&Paging, "{}", &[("proc/vmstat", VMSTAT)]);
    }
}

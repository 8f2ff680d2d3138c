//! Collector `clock`: whether somebody keeps this machine's clock right, and how far off it may be. Off unless asked for:
//! a container has no clock of its own, and the machine's is told once.
//!
//! From adjtimex(2), a microsecond. The kernel only says what the program told it that keeps the clock (chronyd,
//! systemd-timesyncd, ntpd); without one, what may be wrong grows by half a thousandth of the time that passes, and from
//! sixteen seconds on the clock counts as unsynchronized.

#[cfg(target_os = "linux")]
mod adjtimex;

use crate::config::Fields;
use crate::model::{Definition, Instrument};

#[cfg(target_os = "linux")]
use super::proc_file::reason;
use super::{Collector, Root, Sheet, Source};

static SYNCHRONIZED: Definition = Definition {
    name: "clock.synchronized",
    instrument: Instrument::Gauge,
    unit: "",
    attributes: &[],
    help: "1 if the kernel counts its clock as synchronized, 0 if not",
};
static OFFSET: Definition = Definition {
    name: "clock.offset",
    instrument: Instrument::Gauge,
    unit: "s",
    attributes: &[],
    help: "How much the kernel still has to correct its clock by",
};
static MAX_ERROR: Definition = Definition {
    name: "clock.max_error",
    instrument: Instrument::Gauge,
    unit: "s",
    attributes: &[],
    help: "How much the clock may be wrong at most",
};

static DEFINITIONS: &[&Definition] = &[&SYNCHRONIZED, &OFFSET, &MAX_ERROR];

/// See the module.
pub(super) struct Clock;

struct ClockCollector;

impl Source for Clock {
    fn name(&self) -> &'static str {
        "clock"
    }

    fn about(&self) -> &'static str {
        "Reads whether the clock of this machine is kept right, and how far off it may be."
    }

    fn enabled(&self) -> bool {
        false
    }

    fn definitions(&self) -> &'static [&'static Definition] {
        DEFINITIONS
    }

    fn build(&self, _root: &Root, _fields: &mut Fields<'_>) -> Option<Box<dyn Collector>> {
        Some(Box::new(ClockCollector))
    }
}

impl Collector for ClockCollector {
    fn name(&self) -> &'static str {
        Clock.name()
    }

    #[cfg(target_os = "linux")]
    fn collect(&mut self, sheet: &mut Sheet) {
        match adjtimex::read() {
            Ok(discipline) => {
                sheet.set(&SYNCHRONIZED, &[], f64::from(u8::from(discipline.synchronized)));
                sheet.set(&OFFSET, &[], discipline.offset);
                sheet.set(&MAX_ERROR, &[], discipline.max_error);
            }
            Err(error) => sheet.fail(reason(&error), format_args!("adjtimex: {error}")),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn collect(&mut self, _sheet: &mut Sheet) {}
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::collect::trial::Trial;

    #[test]
    fn shows_the_clock_of_this_machine() {
        let page = Trial::on_this_machine(&Clock, "{}").read();
        assert_eq!(page.errors, []);
        let value = |name: &str| page.value(name).unwrap();
        // The kernel stops counting at sixteen seconds.
        assert!((0.0..=16.1).contains(&value("clock_max_error_seconds")), "{page:?}");
        assert!(value("clock_offset_seconds").abs() <= 0.51, "{page:?}");
        assert!([0.0, 1.0].contains(&value("clock_synchronized")));
    }
}

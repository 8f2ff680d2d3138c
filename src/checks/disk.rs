//! Kind `disk`: how full a file system is, as df(1) counts.
//!
//! A few system calls a run, which hang where a network file system lost its server: registered as blocking, so
//! that a hanging one takes nothing with it. Under another root a path is measured only if it leads to the file system that
//! the machine has there. Knows nothing of limits: the default one is in the policy.

use std::path::PathBuf;

use super::{BlockingCheck, Built, Kind, Probe, Run, Target, reasons, usage};
use crate::collect::Root;
use crate::collect::filesystem::{Elsewhere, disk_of};
use crate::config::Fields;
use crate::model::{Cause, Measures, Name, Outcome, Policy, Reason};

const REASONS: &[Reason] = &[Reason::NotFound, Reason::Denied, Reason::Unreachable, Reason::Other];

/// See the module.
pub(super) struct Disk;

struct DiskCheck {
    measurement: Name,
    root: Root,
    path: PathBuf,
}

impl BlockingCheck for DiskCheck {
    fn run(&self, _run: &Run) -> Outcome {
        match disk_of(&self.root, &self.path) {
            Ok(Ok(disk)) => Outcome::pass()
                .measure(self.measurement.clone(), disk.usage())
                .detail("total_bytes", usage::bytes(disk.total))
                .detail("used_bytes", usage::bytes(disk.used))
                .detail("available_bytes", usage::bytes(disk.available)),
            Ok(Err(Elsewhere)) => Outcome::caused_by(Cause::NotUnderRoot),
            Err(error) => reasons::failed(reasons::of_io(&error), REASONS)
                .message("cannot read the file system")
                .because(error),
        }
    }
}

impl Kind for Disk {
    fn name(&self) -> &'static str {
        "disk"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["filesystem", "fs", "df"]
    }

    fn about(&self) -> &'static str {
        "Measures how full a file system is: the share of its usable space that is used."
    }

    fn example(&self) -> &'static str {
        "path: /var/lib\nthresholds: { usage_ratio: { warn: 0.9, fail: 0.97 } }\n"
    }

    fn reasons(&self) -> &'static [Reason] {
        REASONS
    }

    fn measures(&self) -> Measures {
        Measures::of(&usage::MEASUREMENTS)
    }

    fn local(&self) -> bool {
        true
    }

    fn policy(&self) -> Policy {
        usage::warn_from(0.90, 0.88)
    }

    fn build(&self, fields: &mut Fields<'_>) -> Option<Built> {
        self.build_at(&Root::default(), fields)
    }

    fn build_at(&self, root: &Root, fields: &mut Fields<'_>) -> Option<Built> {
        let path = fields.or("path", PathBuf::from("/"), "a path on the file system to measure");
        let check = DiskCheck { measurement: usage::name()?, root: root.clone(), path };
        Some(Built { probe: Probe::blocking(check), target: Target::default() })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::Verdict;

    fn run(path: &str) -> Outcome {
        let check =
            DiskCheck { measurement: usage::name().unwrap(), root: Root::default(), path: path.into() };
        check.run(&Run::new(Duration::from_secs(5)))
    }

    #[test]
    fn measures_the_root() {
        let outcome = run("/");
        assert_eq!(outcome.verdict, Verdict::Pass);
        assert!((0.0..=1.0).contains(&outcome.measurements[0].1));
        assert_eq!(outcome.details.len(), 3);
    }

    #[test]
    fn says_what_is_missing() {
        let outcome = run("/no/such/path");
        assert_eq!(outcome.verdict, Verdict::Fail(Reason::NotFound));
        assert_eq!(outcome.message.as_deref(), Some("cannot read the file system"));
    }
}

//! Kind `memory`: how much of the memory is in use, of the container's limit or else of this machine's.
//!
//! On a machine, in use is what is not available, by the kernel's own estimate; in a container it is the working set.
//! Either way page cache that can be given back is not in use. A few small reads a run. Knows nothing of thresholds: the
//! default one is in the policy.

use parking_lot::Mutex;
use tokio::time::Instant;

use super::usage::{self, Scope};
use super::{Built, Check, Kind, Probe, Run, Target};
use crate::collect::Root;
use crate::collect::cgroup::Container;
use crate::collect::memory::MemoryReader;
use crate::config::Fields;
use crate::model::{Measures, Name, Outcome, Policy, Reason};

/// See the module.
pub(super) struct Memory;

struct MemoryCheck {
    measurement: Name,
    /// `None` where only the machine counts.
    container: Option<Mutex<Container>>,
    machine: Mutex<MemoryReader>,
}

impl MemoryCheck {
    fn new(root: &Root, measurement: Name, scope: Scope) -> Self {
        let container = (scope == Scope::Auto).then(|| Mutex::new(Container::new(root)));
        Self { measurement, container, machine: Mutex::new(MemoryReader::new(root)) }
    }
}

impl Check for MemoryCheck {
    async fn run(&self, _run: &Run) -> Outcome {
        let now = Instant::now();
        let container = self.container.as_ref().map_or(Ok(None), |container| container.lock().memory(now));
        match container {
            Ok(Some(memory)) => {
                return Outcome::pass()
                    .measure(self.measurement.clone(), memory.usage())
                    .detail("scope", "container")
                    .detail("limit_bytes", usage::bytes(memory.limit))
                    .detail("working_set_bytes", usage::bytes(memory.working_set));
            }
            Ok(None) => {}
            Err(error) => return Outcome::fail("the container's memory cannot be read").because(error),
        }
        match self.machine.lock().read() {
            Ok(memory) => Outcome::pass()
                .measure(self.measurement.clone(), memory.usage())
                .detail("scope", "host")
                .detail("total_bytes", usage::bytes(memory.total))
                .detail("available_bytes", usage::bytes(memory.available)),
            Err(error) => Outcome::fail("the amount of memory cannot be read").because(error),
        }
    }
}

impl Kind for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["mem", "ram"]
    }

    fn about(&self) -> &'static str {
        "Measures the share of memory that is in use: of the container's limit, or of this machine's memory."
    }

    fn example(&self) -> &'static str {
        "thresholds: { usage_ratio: { warn: 0.85, fail: 0.95 } }\n"
    }

    fn reasons(&self) -> &'static [Reason] {
        &[Reason::Other]
    }

    fn measures(&self) -> Measures {
        Measures::of(&usage::MEASUREMENTS)
    }

    fn local(&self) -> bool {
        true
    }

    fn policy(&self) -> Policy {
        usage::warn_from(0.85, 0.80)
    }

    fn build(&self, fields: &mut Fields<'_>) -> Option<Built> {
        self.build_at(&Root::default(), fields)
    }

    fn build_at(&self, root: &Root, fields: &mut Fields<'_>) -> Option<Built> {
        let check = MemoryCheck::new(root, usage::name()?, Scope::read(fields));
        Some(Built { probe: Probe::new(check), target: Target::default() })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::model::{Detail, Verdict};

    fn keys(outcome: &Outcome) -> Vec<&str> {
        outcome.details.iter().map(|(key, _)| key.as_ref()).collect()
    }

    #[tokio::test]
    async fn measures_this_machine() {
        let check = MemoryCheck::new(&Root::default(), usage::name().unwrap(), Scope::Host);
        let outcome = check.run(&Run::new(Duration::from_secs(5))).await;
        assert_eq!(outcome.verdict, Verdict::Pass);
        let usage = outcome.measurements[0].1;
        assert!(usage > 0.0 && usage < 1.0, "{usage}");
        assert_eq!(keys(&outcome), ["scope", "total_bytes", "available_bytes"]);
        assert_eq!(outcome.details[0].1, Detail::Text("host".to_owned()));
        assert!(matches!(outcome.details[1].1, Detail::Integer(total) if total > 0));
    }

    #[tokio::test]
    async fn measures_the_container_where_it_has_a_limit() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cgroup");
        for (name, scope) in [("container", "container"), ("unlimited", "host")] {
            let container = Container::new(&Root::new(fixtures.join(name)));
            let mut check = MemoryCheck::new(&Root::default(), usage::name().unwrap(), Scope::Auto);
            check.container = Some(Mutex::new(container));
            let outcome = check.run(&Run::new(Duration::from_secs(5))).await;
            assert_eq!(outcome.verdict, Verdict::Pass);
            assert_eq!(outcome.details[0].1, Detail::Text(scope.to_owned()));
            if scope == "container" {
                assert_eq!(keys(&outcome), ["scope", "limit_bytes", "working_set_bytes"]);
                assert_eq!(outcome.measurements[0].1, 136_314_880.0 / 536_870_912.0);
            }
        }
    }
}

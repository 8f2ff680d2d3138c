//! Kind `cpu`: how busy the processors were since the run before: those that the container may use, or else all of this
//! machine.
//!
//! Asks the kernel for its counters, some microseconds a run. The first run has nothing to compare with, so it reads
//! twice, three seconds apart: over less, one burst of work would be a verdict. Knows nothing of thresholds: the default one is in the policy.

use std::io;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use super::usage::{self, Scope};
use super::{Built, Check, Kind, Probe, Run, Target};
use crate::collect::Root;
use crate::collect::cgroup::Container;
use crate::collect::cpu::CpuUsage;
use crate::config::Fields;
use crate::model::{Measures, Name, Outcome, Policy, Reason};

/// How long the first run looks.
const FIRST_LOOK: Duration = Duration::from_secs(3);

/// See the module.
pub(super) struct Cpu;

struct CpuCheck {
    measurement: Name,
    meter: Mutex<Meter>,
}

/// Measures what there is to measure: the container or the machine.
struct Meter {
    /// `None` where only the machine counts.
    container: Option<Container>,
    machine: CpuUsage,
}

struct Reading {
    /// `None` for the first.
    usage: Option<f64>,
    /// The container's limit, as a number of processors.
    limit: Option<f64>,
}

impl Meter {
    fn read(&mut self, now: Instant) -> io::Result<Reading> {
        if let Some(container) = &mut self.container
            && let Some(cpu) = container.cpu(now)?
        {
            return Ok(Reading { usage: cpu.usage, limit: Some(cpu.limit) });
        }
        Ok(Reading { usage: self.machine.read(now)?, limit: None })
    }
}

impl CpuCheck {
    fn new(root: &Root, measurement: Name, scope: Scope) -> Self {
        let container = (scope == Scope::Auto).then(|| Container::new(root));
        Self { measurement, meter: Mutex::new(Meter { container, machine: CpuUsage::new(root) }) }
    }
}

/// How long the first run looks where a run may take `timeout`.
fn first_look(timeout: Duration) -> Duration {
    FIRST_LOOK.min(timeout * 3 / 4)
}

impl Check for CpuCheck {
    async fn run(&self, run: &Run) -> Outcome {
        let mut reading = self.meter.lock().read(Instant::now());
        if matches!(reading, Ok(Reading { usage: None, .. })) {
            sleep(first_look(run.timeout())).await;
            reading = self.meter.lock().read(Instant::now());
        }
        match reading {
            Ok(Reading { usage: Some(usage), limit }) => {
                let outcome = Outcome::pass().measure(self.measurement.clone(), usage);
                match limit {
                    Some(limit) => outcome.detail("scope", "container").detail("limit_processors", limit),
                    None => outcome.detail("scope", "host"),
                }
            }
            Ok(Reading { usage: None, .. }) => Outcome::fail("no processor time has passed"),
            Err(error) => Outcome::fail("the processor times cannot be read").because(error),
        }
    }
}

impl Kind for Cpu {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["cpus", "processor", "processors"]
    }

    fn about(&self) -> &'static str {
        "Measures how busy the processors were since the run before: those of the container's limit, or all of this machine."
    }

    fn example(&self) -> &'static str {
        "thresholds: { usage_ratio: { warn: 0.8, fail: 0.95 } }\n"
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
        usage::warn_from(0.80, 0.75)
    }

    fn build(&self, fields: &mut Fields<'_>) -> Option<Built> {
        self.build_at(&Root::default(), fields)
    }

    fn build_at(&self, root: &Root, fields: &mut Fields<'_>) -> Option<Built> {
        let check = CpuCheck::new(root, usage::name()?, Scope::read(fields));
        Some(Built { probe: Probe::new(check), target: Target::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Detail, Verdict};

    #[tokio::test]
    async fn the_first_run_answers_too() {
        let check = CpuCheck::new(&Root::default(), usage::name().unwrap(), Scope::Host);
        let outcome = check.run(&Run::new(Duration::from_secs(1))).await;
        assert_eq!(outcome.verdict, Verdict::Pass);
        let (name, usage) = &outcome.measurements[0];
        assert_eq!(name.as_str(), "usage_ratio");
        assert!((0.0..=1.0).contains(usage), "{usage}");
        assert_eq!(outcome.details, [("scope".into(), Detail::Text("host".to_owned()))]);
    }

    #[tokio::test]
    async fn measures_the_container_where_it_has_a_limit() {
        let check = CpuCheck::new(&Root::default(), usage::name().unwrap(), Scope::Auto);
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/cgroup/v1");
        check.meter.lock().container = Some(Container::new(&Root::new(folder)));
        let outcome = check.run(&Run::new(Duration::from_millis(20))).await;
        assert_eq!(outcome.measurements[0].1, 0.0, "the files of the fixture stand still");
        assert_eq!(outcome.details[0].1, Detail::Text("container".to_owned()));
        assert_eq!(outcome.details[1].1, Detail::Float(1.5));
    }

    #[test]
    fn the_first_run_looks_as_long_as_its_time_allows() {
        assert_eq!(first_look(Policy::default().timeout), Duration::from_secs(3));
        assert_eq!(first_look(Duration::from_secs(1)), Duration::from_millis(750));
    }

    #[test]
    fn warns_at_80_percent_until_75() {
        let policy = Cpu.policy();
        let limit = policy.thresholds[0].warn.unwrap();
        assert_eq!((limit.enter, limit.leave), (0.80, 0.75));
    }
}

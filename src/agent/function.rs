//! Checks registered in code: a closure or a type, with the same policy as a configured check.

use std::future::Future;
use std::time::Duration;

use crate::checks::{BlockingCheck, Check, Probe, Target, function};
use crate::model::{Criticality, FUNCTION, IntoOutcome, InvalidName, Name, Policy, Reason, Threshold};
use crate::runner::Planned;

use super::invalid::{InvalidCheck, refuse};

/// A check of the embedding program, being described; hand it to [`Plan::add`](super::Plan::add).
#[must_use = "a check runs only when it is added to a plan"]
pub struct FunctionCheck {
    name: Result<Name, InvalidName>,
    policy: Policy,
    probe: Probe,
}

/// A check called `name` out of a closure or a type that implements [`Check`].
///
/// Each run in an [`Agent`](crate::Agent) has a thread of its own, so that code that blocks or computes for long delays
/// no other check. What it starts with `tokio::spawn` runs on the agent's runtime for such checks, which they share.
///
/// ```
/// let config = vitalsign::check("config", async || Ok::<(), std::io::Error>(())).critical();
/// # let _ = config;
/// ```
pub fn check(name: &str, check: impl Check) -> FunctionCheck {
    FunctionCheck { name: Name::new(name), policy: Policy::default(), probe: Probe::new(check) }
}

/// A check called `name` out of a state, cloned for each run, and a closure that gets it.
pub fn check_with<S, Answer>(
    name: &str,
    state: S,
    ask: impl Fn(S) -> Answer + Send + Sync + 'static,
) -> FunctionCheck
where
    S: Clone + Send + Sync + 'static,
    Answer: Future<Output: IntoOutcome> + Send + 'static,
{
    check(name, function::with(state, ask))
}

impl FunctionCheck {
    /// A check whose code blocks its thread.
    pub fn blocking(name: &str, check: impl BlockingCheck) -> Self {
        Self { name: Name::new(name), policy: Policy::default(), probe: Probe::blocking(check) }
    }

    /// Time from one run to the next.
    pub fn every(mut self, interval: Duration) -> Self {
        self.policy.interval = interval;
        self
    }

    /// How long a run may take.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.policy.timeout = timeout;
        self
    }

    /// How many worse runs in a row move the state.
    pub fn fail_after(mut self, runs: u32) -> Self {
        self.policy.fail_after = runs;
        self
    }

    /// How many better runs in a row move it back.
    pub fn recover_after(mut self, runs: u32) -> Self {
        self.policy.recover_after = runs;
        self
    }

    /// Failing makes the groups of the check unhealthy; the check is in `ready` and `startup`.
    pub fn critical(self) -> Self {
        self.criticality(Criticality::Critical)
    }

    /// Failing makes the groups of the check degraded at most: the default.
    pub fn degrading(self) -> Self {
        self.criticality(Criticality::Degrading)
    }

    /// Failing is shown and counted and changes no group.
    pub fn informational(self) -> Self {
        self.criticality(Criticality::Informational)
    }

    fn criticality(mut self, criticality: Criticality) -> Self {
        self.policy.criticality = criticality;
        self
    }

    /// Puts the check into one more group.
    pub fn group(mut self, group: Name) -> Self {
        self.policy.groups.push(group);
        self
    }

    /// Runs that take longer are a warning.
    pub fn warn_slower_than(mut self, limit: Duration) -> Self {
        self.policy.warn_slower_than = Some(limit);
        self
    }

    /// Puts a limit on a measurement, in place of one that is there.
    pub fn threshold(mut self, threshold: Threshold) -> Self {
        self.policy.thresholds.retain(|known| known.measurement != threshold.measurement);
        self.policy.thresholds.push(threshold);
        self
    }

    /// Lets every run through, however often it failed.
    pub fn without_breaker(mut self) -> Self {
        self.policy.breaker = false;
        self
    }

    pub(super) fn plan(self) -> Result<Planned, InvalidCheck> {
        let name = self.name?;
        refuse(&name, &self.policy)?;
        Ok(Planned {
            name,
            kind: FUNCTION,
            policy: self.policy,
            probe: self.probe,
            target: Target::default(),
            local: false,
            reasons: &[Reason::Other],
            secrets: std::sync::Arc::default(),
        })
    }
}

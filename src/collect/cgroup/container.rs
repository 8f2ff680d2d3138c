//! What checks need of the container: how much is used of what it may use, by all that share the limit. Plain numbers, a few small reads each; none
//! for a while where there is no limit.

use std::io;

use tokio::time::Instant;

use super::own::Own;
use super::unlimited::Unlimited;
use crate::collect::Root;
use crate::collect::cpu::SHORTEST;

/// Reads the limits of this process' control group and what the group uses of them.
#[derive(Debug)]
pub(crate) struct Container {
    own: Own,
    /// The reading before: when, and the processor time in seconds.
    previous: Option<(Instant, f64)>,
    usage: Option<f64>,
    memory: Unlimited,
    processors: Unlimited,
}

/// A limit on memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContainerMemory {
    pub(crate) limit: u64,
    /// What is in use and not page cache that goes first.
    pub(crate) working_set: u64,
}

impl ContainerMemory {
    /// The share of the limit that is in use.
    pub(crate) fn usage(&self) -> f64 {
        if self.limit == 0 { 1.0 } else { self.working_set as f64 / self.limit as f64 }
    }
}

/// A limit on processor time, as a number of processors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ContainerCpu {
    pub(crate) limit: f64,
    /// The share of it, 0 to 1, that was used since the reading before; `None` for the first.
    pub(crate) usage: Option<f64>,
}

/// The processes and threads of the group that has the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContainerTasks {
    pub(crate) tasks: u64,
    /// How many that group may hold; `None` without a limit, and then they are those of the own group.
    pub(crate) limit: Option<u64>,
}

impl Container {
    pub(crate) fn new(root: &Root) -> Self {
        Self {
            own: Own::new(root),
            previous: None,
            usage: None,
            memory: Unlimited::default(),
            processors: Unlimited::default(),
        }
    }

    /// The memory, where there is a limit that can be reached.
    pub(crate) fn memory(&mut self, now: Instant) -> io::Result<Option<ContainerMemory>> {
        let Self { own, memory, .. } = self;
        memory.or_look(now, || {
            let memory = &mut own.files()?.memory;
            let Some(limit) = memory.limit()? else { return Ok(None) };
            let stat = memory.stat(limit.level)?;
            let working_set = memory.usage(limit.level)?.zip(stat.inactive_file);
            Ok(working_set.map(|(usage, inactive)| ContainerMemory {
                limit: limit.most,
                working_set: usage.saturating_sub(inactive),
            }))
        })
    }

    /// The processors, where there is a limit that can be reached: one below what the machine has. Asked again within
    /// a second, it repeats its last usage.
    pub(crate) fn cpu(&mut self, now: Instant) -> io::Result<Option<ContainerCpu>> {
        let Self { own, processors, .. } = self;
        let found = processors.or_look(now, || {
            let files = own.files()?;
            let processors = files.processors.unwrap_or(u64::MAX) as f64;
            let limit = files.cpu.limit()?.filter(|limit| limit.most < processors);
            let Some(limit) = limit else { return Ok(None) };
            Ok(files.cpu.stat(limit.level)?.times.map(|times| (limit.most, times)))
        })?;
        let Some((limit, (user, system))) = found else {
            self.previous = None;
            return Ok(None);
        };
        Ok(Some(ContainerCpu { limit, usage: self.take(now, user + system, limit) }))
    }

    /// The tasks; `None` where nothing counts them, as in the topmost group.
    pub(crate) fn tasks(&mut self) -> io::Result<Option<ContainerTasks>> {
        let pids = &mut self.own.files()?.pids;
        let limit = pids.limit()?;
        let Some(tasks) = pids.usage(limit.map_or(0, |limit| limit.level))? else { return Ok(None) };
        Ok(Some(ContainerTasks { tasks, limit: limit.map(|limit| limit.most) }))
    }

    fn take(&mut self, now: Instant, time: f64, limit: f64) -> Option<f64> {
        let Some((before, earlier)) = self.previous else {
            self.previous = Some((now, time));
            self.usage = None;
            return None;
        };
        let passed = now.duration_since(before);
        let early = passed < SHORTEST && self.usage.is_some();
        if !early && !passed.is_zero() {
            // Another group starts to count anew; and a burst may exceed the limit for a while.
            self.usage = Some(((time - earlier) / (passed.as_secs_f64() * limit)).clamp(0.0, 1.0));
            self.previous = Some((now, time));
        }
        self.usage
    }
}

#[cfg(test)]
mod tests;

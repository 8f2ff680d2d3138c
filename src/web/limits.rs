//! What clients may take of the server: how many connections, and how long each part of a request may take.
//!
//! The number of connections follows from the descriptors that this process may have: the checks and the files of the
//! process keep theirs, whatever clients do. How many those are is an estimate here; when a connection has come, its own
//! number tells how many descriptors are in use, because the system gives the lowest that is free.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use rustix::process::{Resource, getrlimit};

/// The most connections: each costs up to 20 KiB, and no operator needs more.
const MOST: usize = 1024;
/// The fewest connections, where there are hardly any descriptors: enough for probes, which end at once.
const LEAST: usize = 8;
/// Descriptors that the process itself keeps: runtimes, listeners, files of collectors, log, spool.
const OWN: usize = 56;
/// Descriptors that are always left for what is opened for a moment: files of the machine, exports, log.
const LEFT: usize = 4;
/// Descriptors of a check that runs and connects to something: its connection, and that of a look-up.
const EACH_CHECK: usize = 2;

/// What a client may take of the server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; for one more, the one that did nothing for the longest time is closed.
    pub connections: usize,
    /// Of these, those of one address: never less than half, because a proxy or a node is many clients.
    pub connections_per_peer: usize,
    /// Descriptors that are left to checks and files however many connections there are.
    pub descriptors_left: usize,
    /// How long a client may take to send the head of a request, from its first byte or its connection on.
    pub head_within: Duration,
    /// How long the body of a request may take then.
    pub body_within: Duration,
    /// How long a client may take to read an answer.
    pub write_within: Duration,
    /// How long a connection is kept without a request: longer than it is from one scrape to the next.
    pub idle_for: Duration,
    /// The longest head of a request, in bytes.
    pub head_size: usize,
}

impl Limits {
    /// Limits for a process that may have so many `descriptors` and runs so many `checks` that connect to
    /// something.
    #[must_use]
    pub fn within(descriptors: Option<u64>, checks: usize) -> Self {
        let all = descriptors.map_or(usize::MAX, |all| usize::try_from(all).unwrap_or(usize::MAX));
        // Half of them at most: in a program that embeds this, others need descriptors too.
        let of_checks = checks.saturating_mul(EACH_CHECK);
        let left = all.saturating_sub(OWN.saturating_add(of_checks));
        let connections = left.min(all / 2).clamp(LEAST, MOST);
        Self {
            connections,
            connections_per_peer: connections.div_ceil(2),
            descriptors_left: LEFT.saturating_add(of_checks).min(all / 4),
            head_within: Duration::from_secs(10),
            body_within: Duration::from_secs(10),
            write_within: Duration::from_secs(30),
            idle_for: Duration::from_secs(120),
            head_size: 16 * 1024,
        }
    }

    /// Limits for this process, which runs so many `checks` that connect to something.
    #[must_use]
    pub fn of_this_process(checks: usize) -> Self {
        Self::within(descriptors(), checks)
    }

    /// Whether a connection with this descriptor leaves too few of them to others.
    pub(super) fn is_one_too_many(&self, descriptor: BorrowedFd<'_>) -> bool {
        let used = u64::try_from(descriptor.as_raw_fd()).unwrap_or_default();
        // Asked for each time: it may be changed from outside.
        descriptors().is_some_and(|all| used.saturating_add(self.descriptors_left as u64) >= all)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::of_this_process(0)
    }
}

/// How many descriptors this process may have.
fn descriptors() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_and_files_keep_their_descriptors() {
        let connections = |descriptors, checks| Limits::within(descriptors, checks).connections;
        assert_eq!(connections(None, 10_000), MOST);
        assert_eq!(connections(Some(1_048_576), 10_000), MOST);
        assert_eq!(connections(Some(1024), 20), 512);
        assert_eq!(connections(Some(1024), 400), 1024 - OWN - 800);
        assert_eq!(connections(Some(80), 2), 80 - OWN - 4);
        for (descriptors, checks) in [(0, 0), (64, 1000), (1024, usize::MAX)] {
            assert_eq!(connections(Some(descriptors), checks), LEAST);
        }
    }

    #[test]
    fn an_address_may_have_half_of_all() {
        for descriptors in [0, 63, 77, 1024] {
            let limits = Limits::within(Some(descriptors), 3);
            assert!(limits.connections_per_peer * 2 >= limits.connections);
        }
    }
}

//! How long a group without a limit is left alone: limits rarely come to a group that runs, and looking for them reads
//! as many files as there are. Knows nothing of what is limited.

use std::io;
use std::time::Duration;

use tokio::time::Instant;

/// How long what had no limit counts as having none.
pub(super) const FOR: Duration = Duration::from_secs(15);

/// Remembers that there was no limit.
#[derive(Debug, Default)]
pub(super) struct Unlimited(Option<Instant>);

impl Unlimited {
    /// What `look` finds at `now`; nothing, without a look, where there was nothing a short while ago.
    pub(super) fn or_look<T>(
        &mut self,
        now: Instant,
        look: impl FnOnce() -> io::Result<Option<T>>,
    ) -> io::Result<Option<T>> {
        if self.0.is_some_and(|since| now.duration_since(since) < FOR) {
            return Ok(None);
        }
        self.0 = None;
        let found = look()?;
        self.0 = found.is_none().then_some(now);
        Ok(found)
    }
}

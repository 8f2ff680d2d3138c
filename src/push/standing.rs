//! How the push stands, in one line, for people; also what tells when the log has something new to say.

use std::time::SystemTime;

use parking_lot::Mutex;

use super::spool::Level;

/// How it stands, in one line, for people.
#[derive(Debug, Default)]
pub(super) struct Standing(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failing: Option<(SystemTime, String)>,
    last_success: Option<SystemTime>,
}

impl Standing {
    /// Sending works. True where it did not before.
    pub(super) fn works(&self, now: SystemTime) -> bool {
        let mut state = self.0.lock();
        state.last_success = Some(now);
        state.failing.take().is_some()
    }

    /// Sending fails. True where it did not before.
    pub(super) fn fails(&self, now: SystemTime, said: &str) -> bool {
        let mut state = self.0.lock();
        let since = state.failing.as_ref().map(|(since, _)| *since);
        state.failing = Some((since.unwrap_or(now), said.to_owned()));
        since.is_none()
    }

    /// The line.
    pub(super) fn line(&self, level: Level) -> String {
        let at = |at| humantime::format_rfc3339_seconds(at);
        let state = self.0.lock();
        let last = state.last_success.map_or_else(String::new, |last| format!(", last sent at {}", at(last)));
        let Level { batches, bytes, .. } = level;
        match &state.failing {
            Some((since, said)) => {
                format!(
                    "failing since {} ({said}), {batches} batches of {bytes} bytes wait{last}",
                    at(*since)
                )
            }
            None if last.is_empty() => "nothing sent yet".to_owned(),
            None => format!("sending, {batches} batches wait{last}"),
        }
    }
}

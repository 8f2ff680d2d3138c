//! How the push stands, in one line, for people; also what tells when the log has something new to say.

use std::time::SystemTime;

use parking_lot::Mutex;

use super::spool::Level;

/// How it stands. Known to those who look at it, who must not keep the spool alive by it.
#[derive(Debug, Default)]
pub(super) struct Standing(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// As of the last change: whoever asks does not wait for the disk.
    level: Level,
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

    /// So much waits.
    pub(super) fn waits(&self, level: Level) {
        self.0.lock().level = level;
    }

    /// How much waits.
    pub(super) fn level(&self) -> Level {
        self.0.lock().level
    }

    /// The line, while so much waits.
    pub(super) fn line(&self, Level { batches, bytes, .. }: Level) -> String {
        let at = |at| humantime::format_rfc3339_seconds(at);
        let state = self.0.lock();
        let last = state.last_success.map_or_else(String::new, |last| format!(", last sent at {}", at(last)));
        let bytes = bytes.map_or_else(String::new, |bytes| format!(" of {bytes} bytes"));
        match &state.failing {
            Some((since, said)) => {
                format!("failing since {} ({said}), {batches} batches{bytes} wait{last}", at(*since))
            }
            None if last.is_empty() => "nothing sent yet".to_owned(),
            None => format!("sending, {batches} batches wait{last}"),
        }
    }
}

//! A broker that is short of memory or disk space raises an alarm: it takes no messages until that has passed. Consumers
//! go on, so the check is degraded; a threshold on the measurement `alarm` can make it fail instead.

use crate::model::{Cause, Name, Outcome, Verdict};

/// Whether a broker takes messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alarms {
    /// It has not said so.
    Untold,
    /// It does.
    None,
    /// It does not.
    Raised(Short),
}

/// What a broker has too little of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Short {
    Memory,
    Disk,
    /// Both, or something else.
    Other,
}

impl Short {
    /// What the words of a broker mean: `low on memory`, `low on disk`, `low on memory & disk`.
    pub(super) fn said(words: &[u8]) -> Self {
        let has = |word: &[u8]| words.windows(word.len()).any(|part| part == word);
        match (has(b"memory"), has(b"disk")) {
            (true, false) => Self::Memory,
            (false, true) => Self::Disk,
            _ => Self::Other,
        }
    }

    fn cause(self) -> Cause {
        match self {
            Self::Memory => Cause::MemoryAlarm,
            Self::Disk => Cause::DiskAlarm,
            Self::Other => Cause::ResourceAlarm,
        }
    }
}

/// Adds the alarms to an outcome that is good otherwise.
pub(super) fn add(outcome: Outcome, alarms: Alarms) -> Outcome {
    let measure = |mut outcome: Outcome, value| {
        outcome.measurements.extend(Name::new("alarm").ok().map(|name| (name, value)));
        outcome
    };
    match alarms {
        Alarms::Untold => outcome,
        Alarms::None => measure(outcome, 0.0),
        Alarms::Raised(short) => {
            let cause = short.cause();
            let Outcome { measurements, numbers, .. } = measure(outcome, 1.0);
            Outcome {
                verdict: Verdict::Warn(cause.reason()),
                measurements,
                numbers,
                ..Outcome::caused_by(cause)
            }
        }
    }
}

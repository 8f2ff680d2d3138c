//! How checks and groups stand: outcomes become verdicts through thresholds and hysteresis, verdicts become the state
//! of groups, and readers get an immutable view that judges age at the moment of reading.
//!
//! Each check has one writer; readers take no lock and never wait. Knows nothing of how checks are run or shown.

mod board;
mod entry;
mod group;
mod lines;
mod metrics;
mod pulse;
mod streak;
mod thresholds;
mod tracker;

pub use board::{Board, DuplicateName};
pub use entry::{Component, Entry, Failing, Judged, Registration, Standing};
pub use group::{GROUP_HEALTH, GROUP_LIVE, GROUP_READY, GROUP_STARTUP, GroupView, RESERVED_GROUPS};
pub use metrics::DEFINITIONS;
pub(crate) use pulse::BEAT;
pub use pulse::Pulse;
pub use tracker::{ADVICE, Tracker};

//! The plain values that every other part speaks in: names, states, reasons, outcomes, policies, metric definitions.
//!
//! Imports nothing else of this crate and does no I/O, so that any part may use it without learning about another.

mod cause;
mod convention;
mod criticality;
mod definition;
mod flaw;
mod measures;
mod name;
mod outcome;
mod phase;
mod policy;
mod printable;
mod reason;
mod scrub;
mod span_ids;
mod state;

pub use cause::{Cause, SqlStateClass};
pub use convention::{SCHEMA_URL, is_integer};
pub use criticality::Criticality;
pub use definition::{Definition, Instrument};
pub use flaw::{Flaw, LEAST_INTERVAL, LONGEST, LimitFlaw, limit_flaws};
pub use measures::{Measurement, Measures, Unit, When};
pub use name::{InvalidName, Name};
pub use outcome::{Detail, IntoOutcome, Number, Outcome, Verdict};
pub use phase::{Course, Phase};
pub use policy::{Bound, DEFAULT_INTERVAL, DEFAULT_TIMEOUT, FUNCTION, Limit, Policy, Threshold};
pub(crate) use printable::printable;
pub use reason::Reason;
pub(crate) use scrub::scrub;
pub use span_ids::{Hex, SpanIds};
pub use state::State;

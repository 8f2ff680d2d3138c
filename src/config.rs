//! Configuration as text: YAML read into a tree that knows where everything stands, values resolved from environment
//! and files, settings taken from the tree with every problem noted at its place.
//!
//! Knows no kind of check and starts nothing. Costs nothing once the agent runs.
//!
//! ```text
//! bytes ─ parse ─► tree ─ interpolate ─► tree ─ fields (setting, units, secret, policy) ─► values
//!           └──────────────── problems ◄──────────────┴──► records: show, documents, schema
//! ```

mod collections;
mod document;
mod environment;
mod fields;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod inherit;
mod interpolate;
mod measurable;
mod node;
mod parse;
mod policy;
mod problem;
mod records;
mod scalars;
mod secret;
mod setting;
mod shared;
mod show;
mod synonyms;
mod units;

pub use collections::OneOrMany;
pub use document::{Document, describe};
pub use environment::{Given, Variable};
pub use fields::Fields;
pub use inherit::Inheritance;
pub use measurable::Measurable;
pub use node::Node;
#[cfg(feature = "http")]
pub(crate) use node::quoted;
pub(crate) use parse::MAX_FILE;
pub use policy::{read_general, read_policy};
pub use problem::{Place, Problem, Problems};
pub use records::{Need, Origin, Record, Recorded, Records, Value};
pub use scalars::listen_address;
#[cfg(feature = "otlp")]
pub(crate) use secret::is_ambiguous;
pub use secret::{Secret, SecretUrl};
pub use setting::{Reading, Schema, Setting, Word};
pub use units::Quantity;

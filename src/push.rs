//! Metrics that leave over OTLP: every interval a batch is made, queued, and sent until the collector has it.
//!
//! ```text
//! source ─ batches ─► spool (memory or disk, bounded) ─ oldest first ─► transport (HTTP or gRPC) ─► collector
//!                        └── older, too many, broken: dropped and counted
//! ```
//!
//! Knows neither checks nor the web: what is pushed is what the store shows. Nothing of it runs while no endpoint is
//! given.

pub mod settings;
pub mod traces;

pub use settings::Settings;

//! Dashboards and rules that come with the program: generated ones are those that are committed, every query fits what
//! the program exposes, and every panel says what it is for.

#[path = "assets/catalogue.rs"]
mod catalogue;
#[path = "assets/export.rs"]
mod export;
#[path = "assets/generated.rs"]
mod generated;
#[path = "assets/lint.rs"]
mod lint;
#[cfg(feature = "otlp")]
#[path = "assets/live.rs"]
mod live;
#[cfg(feature = "otlp")]
#[path = "assets/rig.rs"]
mod rig;

//! What peers, clients, files and signals may do to the agent: nothing that stops it. One binary, as the integration tests
//! are; each case says which rule it protects. Run by `tests/run`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that meets something unexpected fails there and then"
)]
#![allow(dead_code, reason = "harness and peers offer what tests may need, also while no test needs it")]

mod harness;

#[path = "hostile/clients.rs"]
mod clients;
#[cfg(feature = "otlp")]
#[path = "hostile/collectors.rs"]
mod collectors;
#[path = "hostile/configuration.rs"]
mod configuration;
#[path = "hostile/empty.rs"]
mod empty;
#[path = "hostile/figures.rs"]
mod figures;
#[cfg(feature = "otlp")]
#[path = "hostile/killed.rs"]
mod killed;
#[path = "hostile/matrix.rs"]
mod matrix;
#[path = "hostile/outputs.rs"]
mod outputs;
#[path = "hostile/pages.rs"]
mod pages;
#[path = "hostile/peers.rs"]
mod peers;
#[path = "hostile/peers_work.rs"]
mod peers_work;
#[path = "hostile/query.rs"]
mod query;
#[path = "hostile/requests.rs"]
mod requests;
#[path = "hostile/signals.rs"]
mod signals;
#[path = "hostile/sizes.rs"]
mod sizes;
#[cfg(feature = "otlp")]
#[path = "hostile/soak.rs"]
mod soak;
#[cfg(feature = "otlp")]
#[path = "hostile/spool.rs"]
mod spool;
#[path = "hostile/starving.rs"]
mod starving;

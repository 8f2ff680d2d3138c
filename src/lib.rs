//! Checks what a service depends on and turns it into health endpoints and metrics.
//!
//! ```text
//! configuration ─► checks ──► runner ──► health board ─┐ snapshot  ┌─► /health*
//!                 (ask once)  (schedule, time limit,   ├─────────► ├─► /metrics
//!                              breaker, panic guard)   │           └─► log
//!                                  └──► metric store ──┘
//! ```
//!
//! The agent (the program `vitalsign`) reads a [`Plan`] from a file or the environment. A program that embeds the same
//! engine makes one in code, or uses the parts: [`runner::Runner`] on its own runtime, [`web::Faces`] as a router in its
//! own server, [`health::Board`] for the states, [`metrics::Store`] for the numbers. Nothing here is global: no
//! subscriber, no registry, no runtime is installed but by [`cli::main`].
//!
//! ```no_run
//! use vitalsign::{Agent, Outcome, Plan, check, check_with, metrics::Store};
//!
//! let mut plan = Plan { listen: vec!["127.0.0.1:10464".parse()?], ..Plan::default() };
//! plan.add(check("config", async || std::path::Path::new("/etc/orders").exists()).critical())?;
//! plan.add(check_with("queue", vec![1, 2, 3], |queue| async move {
//!     Outcome::pass().detail("depth", queue.len() as i64)
//! }))?;
//! let agent = Agent::start(plan, &Store::new())?;
//! println!("listening on {:?}", agent.addresses());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//! Each kind of dependency is a feature, all on by default: `postgres`, `sqlite`, `redis`, `amqp`, `http`. Kinds without
//! a client library (`tcp`, `cpu`, `memory`, `disk`, `tasks`, `process`, functions) are always there. Two more are on by
//! default too: with `otlp` metrics and spans are pushed where an endpoint is given ([`push`]), and metrics can leave
//! through the meter of the program's own provider ([`metrics::Store::offer`]); with `prometheus-interop` a registry of
//! the crate `prometheus` can [join](metrics::Store::join) the page.

pub mod agent;
pub mod assets;
pub mod checks;
pub mod cli;
mod collect;
pub mod config;
mod file;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod health;
pub mod metrics;
pub mod model;
#[cfg(feature = "otlp")]
pub mod push;
mod reasons;
mod resolver;
pub mod resource;
pub mod runner;
mod supervisor;
pub mod telemetry;
#[cfg(feature = "_tls")]
mod tls;
pub mod trace;
pub mod web;

#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use agent::pool;
pub use agent::{Agent, FunctionCheck, Plan, check, check_with, tasks_of_group, tasks_of_runtime};
pub use checks::{BlockingCheck, Check, Run};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use collect::PoolMetrics;
pub use collect::{Collectors, InFlight, RuntimeMetrics, TaskGroup, TaskResult};
pub use model::Outcome;

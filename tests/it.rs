//! The integration tests: one binary, so that servers that take seconds to start are started once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets something unexpected fails there and then"
)]
#![allow(dead_code, reason = "the harness offers what tests may need, also while no test needs it")]

mod harness;

#[path = "it/alerts.rs"]
mod alerts;
#[path = "it/amqp.rs"]
mod amqp;
#[path = "it/assets.rs"]
mod assets;
#[path = "it/bad_input.rs"]
mod bad_input;
#[path = "it/build.rs"]
mod build;
#[path = "it/canary.rs"]
mod canary;
#[path = "it/causes.rs"]
mod causes;
#[path = "it/command_line.rs"]
mod command_line;
#[path = "it/deploy.rs"]
mod deploy;
#[path = "it/embedding.rs"]
mod embedding;
#[path = "it/explained.rs"]
mod explained;
#[path = "it/exposition.rs"]
mod exposition;
#[path = "it/frozen.rs"]
mod frozen;
#[path = "it/harness_works.rs"]
mod harness_works;
#[path = "it/host.rs"]
mod host;
#[path = "it/http.rs"]
mod http;
#[path = "it/kinds.rs"]
mod kinds;
#[path = "it/lifecycle.rs"]
mod lifecycle;
#[path = "it/logs.rs"]
mod logs;
#[path = "it/names.rs"]
mod names;
#[path = "it/nginx.rs"]
mod nginx;
#[path = "it/openmetrics.rs"]
mod openmetrics;
#[cfg(feature = "otlp")]
#[path = "it/otlp.rs"]
mod otlp;
#[path = "it/peer_numbers.rs"]
mod peer_numbers;
#[path = "it/promql.rs"]
mod promql;
#[cfg(feature = "otlp")]
#[path = "it/push.rs"]
mod push;
#[path = "it/resource.rs"]
mod resource;
#[path = "it/sources.rs"]
mod sources;
#[path = "it/stores.rs"]
mod stores;
#[path = "it/tasks.rs"]
mod tasks;
#[path = "it/tcp.rs"]
mod tcp;
#[path = "it/tls.rs"]
mod tls;
#[path = "it/traces.rs"]
mod traces;
#[path = "it/traps.rs"]
mod traps;

//! What the integration tests stand on: real servers of the machine's packages, the real agent, and small
//! readers for what they answer. Every wait is for a condition (`eventually`), every server runs unprivileged
//! on ports of its own in a directory of its own, and nothing outlives the test process.

pub(crate) mod agent;
pub(crate) mod alertmanager;
pub(crate) mod amqp;
pub(crate) mod daemon;
pub(crate) mod eventually;
pub(crate) mod guard;
pub(crate) mod http;
pub(crate) mod inside;
pub(crate) mod machine;
pub(crate) mod mariadb;
pub(crate) mod nginx;
pub(crate) mod node_exporter;
pub(crate) mod openmetrics;
pub(crate) mod openssl;
#[cfg(feature = "otlp")]
pub(crate) mod otlp;
pub(crate) mod pgbouncer;
pub(crate) mod ports;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod process_tree;
pub(crate) mod prometheus;
pub(crate) mod rabbitmq;
pub(crate) mod recorder;
pub(crate) mod redis;
pub(crate) mod scrape;
pub(crate) mod scratch;
pub(crate) mod tls;
pub(crate) mod user;

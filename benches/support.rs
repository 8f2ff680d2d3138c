//! What the benchmarks share: quantiles and tables, the real agent and node_exporter as processes, a client that
//! keeps its connection, things to check.

pub mod agent;
pub mod client;
pub mod cpu;
pub mod figures;
pub mod fuse;
pub mod listeners;
pub mod node_exporter;

/// Waits. The benchmarks measure over time, so here waiting is the point.
#[expect(clippy::disallowed_methods, reason = "a benchmark lets time pass")]
pub fn wait(duration: std::time::Duration) {
    std::thread::sleep(duration);
}

/// Starts a thread that ends with the process.
#[expect(clippy::disallowed_methods, reason = "no supervisor here")]
pub fn background(work: impl FnOnce() + Send + 'static) {
    std::thread::spawn(work);
}

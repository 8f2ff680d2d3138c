//! How fast health and metrics are served while 300 of 1,000 checks hang, against the same agent with none hanging:
//! the readers wait for no check, so the two must be alike.
//!
//! The agent is the real one, in a process of its own; requests come over two kept connections, one after the other at
//! a modest rate, from this process on the same machine. A page is megabytes, so beside it is measured what the system
//! itself needs to move as many. Compressed pages, which is what Prometheus asks for, are measured apart.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark, not the program"
)]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small numbers"
)]
#![allow(dead_code, missing_docs, unreachable_pub, reason = "shared by benchmarks that need different parts")]

mod support;

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use support::agent::{Agent, sum};
use support::client::Client;
use support::figures::{Table, as_millis, quantile};
use support::{listeners, wait};

const CHECKS: usize = 1_000;
const HANGING: usize = 300;
const MEASURED_FOR: Duration = Duration::from_secs(30);
/// From one request for either to the next.
const PAUSE: Duration = Duration::from_millis(25);
const TARGET_MS: f64 = 5.0;

struct Times {
    /// An answer of one line: what the machine adds to any answer.
    live: Vec<f64>,
    health: Vec<f64>,
    metrics: Vec<f64>,
    /// As many bytes as a page has, from a port that has nothing else to do.
    moved: Vec<f64>,
    gzip: Vec<f64>,
    bytes: [usize; 3],
    timeouts: f64,
    cpu: f64,
}

fn checks(hanging: usize, open: SocketAddr, mute: SocketAddr) -> String {
    let mut text = String::new();
    for index in 0..CHECKS {
        let (address, more) =
            if index < hanging { (mute, ", expect: \"220\", breaker: off") } else { (open, "") };
        writeln!(
            text,
            "check_{index}: {{ kind: tcp, address: \"{address}\", interval: 10s, timeout: 5s{more} }}"
        )
        .unwrap();
    }
    text
}

fn measure(hanging: usize, open: SocketAddr, mute: SocketAddr) -> Times {
    let agent = Agent::start(&checks(hanging, open, mute));
    // Every check has run once and those that hang do so.
    wait(Duration::from_secs(12));
    let (mut client, mut other) = (agent.client(), agent.client());
    let mut times = Times {
        live: vec![],
        health: vec![],
        metrics: vec![],
        moved: vec![],
        gzip: vec![],
        bytes: [0; 3],
        timeouts: 0.0,
        cpu: 0.0,
    };
    other.get("/metrics", false);
    let mut bare = Client::try_new(&listeners::ready(other.body.len()).to_string()).unwrap();
    bare.get("/", false);
    let (cpu, started) = (agent.cpu(), Instant::now());
    while started.elapsed() < MEASURED_FOR {
        times.live.push(as_millis(client.get("/health/live", false)));
        wait(PAUSE);
        times.health.push(as_millis(client.get("/health", false)));
        wait(PAUSE);
        times.metrics.push(as_millis(other.get("/metrics", false)));
        wait(PAUSE);
        times.moved.push(as_millis(bare.get("/", false)));
        wait(PAUSE);
    }
    times.cpu = (agent.cpu() - cpu).as_secs_f64() / started.elapsed().as_secs_f64();
    times.timeouts = sum(&other.body, "healthcheck_failures_total{");
    times.bytes = [client.body.len(), other.body.len(), 0];
    for _ in 0..100 {
        times.gzip.push(as_millis(other.get("/metrics", true)));
        wait(PAUSE * 2);
    }
    times.bytes[2] = other.body.len();
    times
}

fn main() {
    let (open, mute) = (listeners::open(), listeners::mute());
    let mut table = Table::default();
    for (what, hanging) in [("none hanging", 0), ("300 hanging", HANGING)] {
        let mut times = measure(hanging, open, mute);
        assert_eq!(times.timeouts > 0.0, hanging > 0, "checks do not do what they should");
        let [health, metrics, gzip] = times.bytes;
        table.tell(
            &format!("bytes of health, metrics, metrics gzip; {what}"),
            format!("{health}, {metrics}, {gzip}"),
        );
        table.tell(&format!("agent, {what}"), format!("{:.1} % of a core", times.cpu * 100.0));
        let (middle, worst) = (quantile(&mut times.live, 0.5), quantile(&mut times.live, 0.99));
        table
            .tell(&format!("GET /health/live p50 and p99, {what}"), format!("{middle:.3} and {worst:.3} ms"));
        for (name, all) in [("health", &mut times.health), ("metrics", &mut times.metrics)] {
            table.tell(&format!("GET /{name} p50, {what}"), format!("{:.3} ms", quantile(all, 0.5)));
            table.at_most(&format!("GET /{name} p99, {what}"), TARGET_MS, quantile(all, 0.99), "ms");
        }
        let (middle, worst) = (quantile(&mut times.moved, 0.5), quantile(&mut times.moved, 0.99));
        table.tell(
            &format!("as many bytes from a bare socket p50 and p99, {what}"),
            format!("{middle:.3} and {worst:.3} ms"),
        );
        let (middle, worst) = (quantile(&mut times.gzip, 0.5), quantile(&mut times.gzip, 0.99));
        table.tell(
            &format!("GET /metrics with gzip p50 and p99, {what}"),
            format!("{middle:.3} and {worst:.3} ms"),
        );
    }
    table.print("Serving 1,000 checks while 300 of them hang");
}

//! What it costs to run many checks on time: 1,000 TCP checks every ten seconds against a port that answers, and then
//! 10,000; or as many as `TCP_CHECKS` in the environment says.
//!
//! CPU time and memory are the agent's alone, as the system counts them; what is checked is in this process. How late
//! runs begin is what the agent itself measures; runs are counted by their counter, over one minute. Pages are asked
//! for compressed, as Prometheus does; what one of plain text takes besides is told apart.
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
use std::io::Read;
use std::time::{Duration, Instant};

use support::agent::{Agent, sum};
use support::figures::Table;
use support::{listeners, wait};

const INTERVAL: Duration = Duration::from_secs(10);
const MEASURED_FOR: Duration = Duration::from_secs(60);

#[expect(clippy::disallowed_methods, reason = "a benchmark takes its size from the environment")]
fn sizes() -> Vec<usize> {
    let asked = std::env::var("TCP_CHECKS").ok().and_then(|text| text.parse().ok());
    asked.map_or_else(|| vec![1_000, 10_000], |size| vec![size])
}

/// The page of metrics, unpacked. Over a connection of its own: one that is quiet for a minute is closed.
fn page(agent: &Agent) -> Vec<u8> {
    let mut client = agent.client();
    client.get("/metrics", true);
    let mut page = Vec::new();
    flate2::read::GzDecoder::new(&*client.body).read_to_end(&mut page).unwrap();
    page
}

/// In how many of all runs the delay was at most `bound` seconds, as a part of them.
fn in_time(before: &[u8], after: &[u8], bound: &str) -> f64 {
    let count = |what: &str| sum(after, what) - sum(before, what);
    count(&format!("vitalsign_scheduler_delay_seconds_bucket{{le=\"{bound}\"}}"))
        / count("vitalsign_scheduler_delay_seconds_count")
}

fn main() {
    sizes().into_iter().for_each(measure);
}

fn measure(checks: usize) {
    let (cpu_target, memory_target) = if checks > 1_000 { (30.0, 100.0) } else { (2.0, 100.0) };
    let open = listeners::open();
    let mut text = String::new();
    for index in 0..checks {
        writeln!(text, "check_{index}: {{ kind: tcp, address: \"{open}\", interval: 10s, timeout: 5s }}")
            .unwrap();
    }
    let agent = Agent::start(&text);
    // The second run of a check is anywhere in one interval after the first; from the third on they are spread.
    wait(INTERVAL * 2);
    let before = page(&agent);
    let (cpu, started) = (agent.cpu(), Instant::now());
    wait(MEASURED_FOR);
    let (cpu, elapsed) = (agent.cpu() - cpu, started.elapsed().as_secs_f64());
    let after = page(&agent);
    let (memory, most) = (agent.memory("VmRSS"), agent.memory("VmHWM"));
    agent.client().get("/metrics", false);

    let runs = sum(&after, "healthcheck_runs_total{") - sum(&before, "healthcheck_runs_total{");
    let failures = sum(&after, "healthcheck_failures_total{");
    assert!(failures == 0.0, "{failures} runs failed, so this does not measure what it should");
    let planned = checks as f64 * elapsed / INTERVAL.as_secs_f64();
    let mut table = Table::default();
    table.tell("runs", format!("{runs} in {elapsed:.1} s"));
    table.at_least("runs done / planned", 99.0, runs / planned * 100.0, "%");
    table.at_most("agent CPU, of one core", cpu_target, cpu.as_secs_f64() / elapsed * 100.0, "%");
    table.tell("agent CPU per run", format!("{:.1} µs", cpu.as_secs_f64() / runs * 1e6));
    table.at_least(
        "runs begun within 50 ms of their plan",
        99.0,
        in_time(&before, &after, "0.05") * 100.0,
        "%",
    );
    table.tell(
        "runs begun within 2.5 ms of their plan",
        format!("{:.1} %", in_time(&before, &after, "0.0025") * 100.0),
    );
    table.at_most("agent RSS", memory_target, memory, "MiB");
    table.tell("the most it was", format!("{most:.1} MiB"));
    table.tell("agent RSS after a page of plain text", format!("{:.1} MiB", agent.memory("VmRSS")));
    table.tell("page of metrics", format!("{:.1} MB", after.len() as f64 / 1e6));
    table.print(&format!("{checks} TCP checks every 10 s"));
}

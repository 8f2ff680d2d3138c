//! What the agent costs where nothing happens: memory with twenty checks of every kind after half a minute, size of the
//! program, and time from the start of the program to its first page of metrics.
//!
//! The servers are ports that take a connection and let go of it: what a check keeps while its dependency is up is the
//! dependency's measure, what the agent needs for itself is this one.
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
use std::time::Duration;

use support::agent::{Agent, BINARY};
use support::figures::{Table, as_millis, median};
use support::{listeners, wait};

const STARTS: usize = 20;
const SETTLED_AFTER: Duration = Duration::from_secs(30);

/// Twenty checks: every kind that this build has, tcp for the others.
fn checks() -> String {
    let open = listeners::open();
    let mut text = String::new();
    let kinds = [
        ("cpu", String::new(), 1),
        ("memory", String::new(), 1),
        ("disk", String::new(), 1),
        ("postgres", format!(", url: \"postgres://app:secret@{open}/app\""), 3),
        ("redis", format!(", url: \"redis://{open}\""), 3),
        ("http", format!(", url: \"http://{open}/health\""), 4),
        ("amqp", format!(", url: \"amqp://{open}\""), 1),
        ("sqlite", ", path: /nonexistent/app.db".to_owned(), 1),
        ("tcp", format!(", address: \"{open}\""), usize::MAX),
    ];
    let mut left = 20;
    for (kind, settings, wanted) in kinds {
        if vitalsign::checks::kind(kind).is_none() {
            continue;
        }
        for index in 0..wanted.min(left) {
            writeln!(text, "{kind}_{index}: {{ kind: {kind}{settings} }}").unwrap();
        }
        left -= wanted.min(left);
    }
    text
}

fn main() {
    let checks = checks();
    let mut starts: Vec<f64> = (0..STARTS).map(|_| as_millis(Agent::start(&checks).first_answer)).collect();
    let agent = Agent::start(&checks);
    wait(SETTLED_AFTER);
    let mut client = agent.client();
    client.get("/metrics", false);
    client.get("/health", false);
    let megabytes = std::fs::metadata(BINARY).unwrap().len() as f64 / 1024.0 / 1024.0;
    let mut table = Table::default();
    table.at_most("RSS with 20 checks after 30 s", 12.0, agent.memory("VmRSS"), "MiB");
    table.tell("of it anonymous (heap and stacks)", format!("{:.1} MiB", agent.memory("RssAnon")));
    table.tell("of it file (the program and libc)", format!("{:.1} MiB", agent.memory("RssFile")));
    table.tell("threads", agent.threads().to_string());
    table.at_most("size of the program", 16.0, megabytes, "MiB");
    table.at_most("from exec to the first page, median", 50.0, median(&mut starts), "ms");
    table.tell("bytes of a page", client.body.len().to_string());
    table.print("An idle agent");
}

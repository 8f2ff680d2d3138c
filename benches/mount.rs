//! What a file system that stops answering does to whoever asks for metrics: the real agent in a namespace of its own,
//! with a FUSE mount whose program answers at first and then no longer. Every page is made anew, because a page that was
//! just made would say nothing.
//!
//! The page that is the first to meet the silence waits for it for as long as one mount may take; those after it must be
//! as fast as before.
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

use std::process::Command;
use std::time::Duration;

use support::agent::{Agent, sum};
use support::figures::{Table, as_millis, quantile};
use support::fuse::Program;
use support::{background, wait};

const SCRAPES: usize = 40;
/// Longer than a page or a reading stands.
const PAUSE: Duration = Duration::from_millis(1_050);
const TARGET_MS: f64 = 5.0;
/// Says that the namespace is there.
const INSIDE: &str = "--inside";
const UNRESPONSIVE: &str = "vitalsign_filesystem_unresponsive{";

struct Times {
    /// The page that found out.
    first: f64,
    all: Vec<f64>,
    unresponsive: f64,
}

fn measure(agent: &Agent) -> Times {
    let mut client = agent.client();
    let mut get = || {
        wait(PAUSE);
        as_millis(client.get("/metrics", false))
    };
    let first = get();
    let all = (0..SCRAPES).map(|_| get()).collect();
    Times { first, all, unresponsive: sum(&client.body, UNRESPONSIVE) }
}

/// Runs this benchmark again in a namespace of its own, in which it may mount.
fn in_a_namespace() {
    let mut again = Command::new("unshare");
    again.args(["-rm", "--propagation", "private", "--"]).arg(std::env::current_exe().unwrap()).arg(INSIDE);
    let ended = again.status();
    assert!(
        ended.is_ok_and(|ended| ended.success()),
        "needs /dev/fuse and namespaces: run as root, or as a user who may `unshare -rm`"
    );
}

fn main() {
    if !std::env::args().any(|argument| argument == INSIDE) {
        return in_a_namespace();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mounted");
    std::fs::create_dir(&path).unwrap();
    let program = Program::mounted_on(&path, background);
    let settings = format!(
        "collectors: {{ filesystem: {{ include_types: [\"fuse*\", ext4], include_mounts: [\"/\", \"{}\"] }} }}\n",
        path.display()
    );
    let agent = Agent::start_with(&settings, "cpu: { kind: cpu }\nmemory: { kind: memory }\n");
    let mut answering = measure(&agent);
    assert_eq!(answering.unresponsive, 0.0, "the mount does not answer");
    program.freeze(true);
    let mut frozen = measure(&agent);
    assert_eq!(frozen.unresponsive, 1.0, "the mount answers");

    let mut table = Table::default();
    for (what, times) in [("answers", &mut answering), ("is frozen", &mut frozen)] {
        table.tell(&format!("the first GET /metrics, the mount {what}"), format!("{:.3} ms", times.first));
        table.tell(
            &format!("GET /metrics p50, the mount {what}"),
            format!("{:.3} ms", quantile(&mut times.all, 0.5)),
        );
        table.at_most(
            &format!("GET /metrics p99, the mount {what}"),
            TARGET_MS,
            quantile(&mut times.all, 0.99),
            "ms",
        );
    }
    let ratio = quantile(&mut frozen.all, 0.5) / quantile(&mut answering.all, 0.5);
    table.tell("p50 frozen against answering", format!("{ratio:.2}"));
    table.print("A mount that never answers");
    program.freeze(false);
}

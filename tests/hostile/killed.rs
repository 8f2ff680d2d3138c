//! `kill -9` at any moment, with a spool and a push. Rules: nothing that cannot be read is left behind, nothing that counted
//! as kept is lost, no lock outlives its process, and the next start is a good one.

use std::{fs, path::Path, time::Duration};

use fastrand::Rng;

use crate::harness::{
    agent::{Agent, Launch},
    eventually::{eventually, within},
    otlp::{ARRIVES, Collector, Protocol},
    ports,
    process::{Process, command},
    scratch::Scratch,
    user::User,
};

const ROUNDS: u64 = 16;
/// A start takes about a third of it on an idle machine.
const LATEST: u64 = 1_200;

/// Its files by their endings.
fn files(directory: &Path, ending: &str) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(ending)).collect();
    names.sort();
    names
}

#[test]
fn an_agent_that_is_killed_at_any_moment_leaves_a_good_spool() {
    let (scratch, port) = (Scratch::new("killed", User::oneself()), ports::free());
    let directory = scratch.join("spool");
    let config = format!(
        "checks: {{ memory: {{ kind: memory, interval: 200ms, timeout: 100ms }} }}\notlp:\n  endpoint: 'http://127.0.0.1:{port}'\n  \
         metrics: {{ interval: 100ms }}\n  spool: {{ directory: '{}' }}\n",
        directory.display()
    );
    let file = scratch.write("vitalsign.yaml", &config, User::oneself());
    let mut random = Rng::with_seed(9);
    let mut most_before = 0;
    for round in 0..ROUNDS {
        // Every third round there is a collector, which is killed over as well.
        let collector = (round % 3 == 2).then(|| Collector::start_at(Protocol::Http, port));
        let before = files(&directory, ".batch");
        let mut agent = command(env!("CARGO_BIN_EXE_vitalsign"), User::oneself(), "KILL");
        agent.arg(format!("--config.file={}", file.display())).arg("--web.listen-address=127.0.0.1:0");
        let agent = Process::start("killed", agent, scratch.path());
        let moment = Duration::from_millis(random.u64(..LATEST));
        let _ = within(moment, || agent.exited().is_some());
        assert!(agent.exited().is_none(), "round {round}: it ended by itself:\n{}", agent.stderr());
        agent.kill();
        let after = files(&directory, ".batch");
        if collector.is_none() {
            let lost: Vec<_> = before.iter().filter(|name| !after.contains(name)).collect();
            assert!(lost.is_empty(), "round {round}, killed after {moment:?}: {lost:?} are gone");
        }
        // What was being written; of earlier rounds nothing is left.
        let half = files(&directory, ".new");
        assert!(half.len() <= 1, "round {round}: {half:?}");
        most_before = most_before.max(after.len());
    }
    assert!(most_before > 5, "no round lived long enough to keep anything");

    let kept = files(&directory, ".batch");
    let collector = Collector::start_at(Protocol::Http, port);
    let agent: Agent = Launch::new(&config).start();
    eventually("all that was kept to arrive", ARRIVES, || {
        let taken = collector.taken().len();
        if taken >= kept.len() { Ok(()) } else { Err(format!("{taken} of {}", kept.len())) }
    });
    eventually("an empty spool", ARRIVES, || files(&directory, ".batch").len() <= 1);
    let dropped = agent.scrape();
    for sample in dropped.values("vitalsign_otlp_dropped_batches_total") {
        assert!(sample.value.abs() < f64::EPSILON, "{sample:?}");
    }
    assert!(files(&directory, ".new").len() <= 1);
    assert_eq!(agent.get("/health/live").status, 200);
    assert!(!agent.log().contains("panic"), "{}", agent.log());
}

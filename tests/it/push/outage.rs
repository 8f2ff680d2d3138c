//! Collectors that are away, and what becomes of the agent and its disk meanwhile.

use std::path::Path;

use vitalsign::{Plan, config::Document, metrics::Store};

use super::*;

fn spool(directory: &Path) -> String {
    format!("  spool: {{ directory: '{}' }}", directory.display())
}

/// When the batches in a spool were made, in milliseconds since 1970.
fn waiting(directory: &Path) -> Vec<u64> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut made: Vec<u64> = names
        .filter(|name| name.ends_with(".batch"))
        .map(|name| name.split('-').nth(1).unwrap().parse().unwrap())
        .collect();
    made.sort_unstable();
    made
}

#[test]
fn a_killed_agent_loses_at_most_the_batch_that_it_writes() {
    let (files, port) = (Scratch::new("spool", User::oneself()), ports::free());
    let directory = files.join("spool");
    let launch = || pushing(&format!("http://127.0.0.1:{port}"), &spool(&directory));
    let agent = launch().start();
    eventually("batches to wait", ARRIVES, || own(&agent, "queue_batches", &[]) >= 5.0);
    let told = own(&agent, "queue_batches", &[]);
    agent.signal(Signal::KILL);
    agent.wait_exit();
    let made = waiting(&directory);
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    let on_disk = made.len() as f64;
    assert!(on_disk >= told, "{made:?}");

    let collector = Collector::start_at(Protocol::Http, port);
    let agent = launch().start();
    let taken = batches(&collector, made.len() + 2);
    let times: Vec<u64> = taken.iter().map(|taken| taken.time() / 1_000_000).collect();
    assert_eq!(times[..made.len()], made, "each with its own time, oldest first, none twice");
    assert!(times.is_sorted());
    assert_eq!(own(&agent, "dropped_batches_total", &[("reason", "corrupt")]), 0.0);
    eventually("an empty spool", ARRIVES, || waiting(&directory).len() <= 1);
}

#[test]
fn a_broken_batch_costs_only_itself() {
    let (files, port) = (Scratch::new("spool", User::oneself()), ports::free());
    let directory = files.join("spool");
    let launch = || pushing(&format!("http://127.0.0.1:{port}"), &spool(&directory));
    let agent = launch().start();
    eventually("batches to wait", ARRIVES, || waiting(&directory).len() >= 3);
    agent.signal(Signal::KILL);
    agent.wait_exit();
    let made = waiting(&directory);
    let mut names: Vec<_> =
        std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|name| name.extension().is_some_and(|ending| ending == "batch"));
    names.sort();
    let broken = std::fs::read(&names[1]).unwrap();
    std::fs::write(&names[1], &broken[..broken.len() / 2]).unwrap();

    let collector = Collector::start_at(Protocol::Http, port);
    let agent = launch().start();
    let taken = batches(&collector, made.len());
    let times: Vec<u64> = taken.iter().map(|taken| taken.time() / 1_000_000).collect();
    assert!(times.contains(&made[0]) && !times.contains(&made[1]) && times.contains(&made[2]), "{times:?}");
    assert_eq!(own(&agent, "dropped_batches_total", &[("reason", "corrupt")]), 1.0);
}

#[test]
fn a_second_agent_on_the_same_spool_says_so() {
    let (files, collector) = (Scratch::new("spool", User::oneself()), Collector::start(Protocol::Http));
    let launch = || pushing(&url(&collector, Protocol::Http), &spool(&files.join("spool")));
    let _first = launch().start();
    let second = launch().run();
    assert!(!second.status.success());
    assert!(second.stderr.contains("is in use by another process"), "{}", second.stderr);
}

/// An agent with a spool on a disk of its own, in a mount namespace of its own; `disk` says how it is mounted.
fn on_a_disk(endpoint: &str, disk: &str) -> Launch {
    let script = format!(
        "mkdir disk && exec unshare -rm --propagation private -- bash -c \
         'mount -t tmpfs {disk} && exec \"$0\" \"$@\"' {} \"$@\"\n",
        env!("CARGO_BIN_EXE_vitalsign")
    );
    pushing(endpoint, "  spool: { directory: disk }").stand_in(&script)
}

#[test]
fn a_read_only_disk_is_told() {
    let collector = Collector::start(Protocol::Http);
    let done = on_a_disk(&url(&collector, Protocol::Http), "-o ro tmpfs disk").run();
    assert!(!done.status.success());
    assert!(
        done.stderr.contains("otlp.spool.directory") && done.stderr.contains("read-only disk"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_full_disk_is_told_and_costs_nothing() {
    let port = ports::free();
    let agent = on_a_disk(&format!("http://127.0.0.1:{port}"), "-o size=64k tmpfs disk").start();
    eventually("the disk to be full", ARRIVES, || said(&agent, "has no space left") == 1);
    let told = own(&agent, "queue_batches", &[]);
    eventually("more batches", ARRIVES, || own(&agent, "queue_batches", &[]) > told + 3.0);
    let collector = Collector::start_at(Protocol::Http, port);
    eventually("the disk to have room", ARRIVES, || said(&agent, "can be written again") == 1);
    let times: Vec<u64> = collector.taken().iter().map(Taken::time).collect();
    assert!(times.is_sorted() && times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    let arrived = times.len() as f64;
    assert!(arrived > told + 3.0);
    assert_eq!(own(&agent, "points_total", &[("outcome", "dropped")]), 0.0);
    assert_eq!(said(&agent, "has no space left"), 1, "{}", agent.log());
}

#[test]
fn memory_stays_flat_while_a_collector_refuses_and_the_spool_is_full() {
    const SPOOL: u32 = 512 << 10;
    let collector = Collector::start(Protocol::Http);
    collector.otherwise(Step::Refuse(503, None));
    // What no compression makes small, so that batches that stay in memory weigh more than all else that changes.
    let mut random = fastrand::Rng::with_seed(1);
    let noise: String = std::iter::repeat_with(|| random.alphanumeric()).take(60_000).collect();
    let more = format!("  spool: {{ size: {SPOOL} }}\nresource: {{ noise: {noise} }}");
    let agent = pushing(&url(&collector, Protocol::Http), &more).start();
    let dropped = || own(&agent, "dropped_batches_total", &[("reason", "queue_full")]);
    let until = |count: f64| eventually("dropped batches", ARRIVES * 4, || dropped() >= count);
    until(20.0);
    let (before, memory) = (dropped(), agent.memory());
    let of_one = own(&agent, "queue_size_bytes", &[]) / own(&agent, "queue_batches", &[]);
    assert!(of_one > 40_000.0, "{of_one} bytes");
    until(before + 150.0);
    let grown = agent.memory().saturating_sub(memory);
    #[expect(clippy::cast_precision_loss, reason = "far below")]
    let share = grown as f64 / ((dropped() - before) * of_one);
    println!("{grown} bytes more while {} batches of {of_one} bytes were dropped", dropped() - before);
    assert!(share < 0.5, "{grown} bytes more, {share} of what was dropped");
    assert!(own(&agent, "queue_size_bytes", &[]) <= f64::from(SPOOL));
    assert_eq!(collector.taken().len(), 0);
}

#[test]
fn an_agent_that_stopped_gives_its_spool_back() {
    let (files, port) = (Scratch::new("spool", User::oneself()), ports::free());
    let text = format!(
        "listen: '127.0.0.1:0'\nchecks: {{}}\notlp:\n  endpoint: http://127.0.0.1:{port}\n{}",
        spool(&files.join("spool"))
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut boards = Vec::new();
    for _ in 0..2 {
        let (plan, _) = Plan::read(Document::parse("t", &text, &|_| None)).unwrap();
        let agent = vitalsign::Agent::start(plan, &Store::new()).unwrap();
        boards.push(agent.board().clone());
        runtime.block_on(agent.stop());
    }
    assert!(!waiting(&files.join("spool")).is_empty(), "what could not be sent when it stopped");
}

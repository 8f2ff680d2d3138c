//! What others put into the directory of a spool, take out of it, or do to it. What `kill -9` does to it is in `killed`.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, FileType, mknodat},
    process::Signal,
};

use crate::harness::{
    agent::{Agent, Launch},
    eventually::{eventually, same},
    otlp::{ARRIVES, Collector, Protocol},
    ports,
    scratch::Scratch,
    user::User,
};

/// An agent that makes a batch ten times a second, for a collector at this port.
fn launch(port: u16, directory: &Path, more: &str) -> Launch {
    Launch::new(&format!(
        "checks: {{}}\nstop: {{ within: 5s }}\notlp:\n  endpoint: 'http://127.0.0.1:{port}'\n  metrics: {{ interval: 100ms }}\n  \
         spool: {{ directory: '{}'{more} }}\n",
        directory.display()
    ))
}

fn own(agent: &Agent, name: &str, labels: &[(&str, &str)]) -> f64 {
    let labels: Vec<_> = [("signal", "metrics")].into_iter().chain(labels.iter().copied()).collect();
    agent.scrape().value(&format!("vitalsign_otlp_{name}"), &labels).unwrap_or(f64::NAN)
}

fn dropped(agent: &Agent, reason: &str) -> f64 {
    own(agent, "dropped_batches_total", &[("reason", reason)])
}

fn until_waiting(agent: &Agent, batches: f64) {
    eventually("batches to wait", ARRIVES, || own(agent, "queue_batches", &[]) >= batches);
}

/// The batches in a directory, in order.
fn batches(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "batch")).collect();
    all.sort();
    all
}

/// When a batch was made, in milliseconds since 1970, by the name of its file.
fn made(path: &Path) -> u64 {
    path.file_name().unwrap().to_str().unwrap().split('-').nth(1).unwrap().parse().unwrap()
}

/// A spool with some batches, of an agent that was killed.
fn left_behind(directory: &Path, port: u16) -> Vec<u64> {
    let agent = launch(port, directory, "").start();
    until_waiting(&agent, 5.0);
    agent.signal(Signal::KILL);
    agent.wait_exit();
    batches(directory).iter().map(|path| made(path)).collect()
}

/// Waits until all of these have arrived.
fn all_arrive(collector: &Collector, wanted: &[u64]) {
    eventually("all batches", ARRIVES, || {
        let times: Vec<u64> = collector.taken().iter().map(|taken| taken.time() / 1_000_000).collect();
        let missing: Vec<_> = wanted.iter().filter(|time| !times.contains(time)).collect();
        if missing.is_empty() { Ok(()) } else { Err(format!("{missing:?} are missing")) }
    });
}

/// Rule: only regular files of the spool's own naming and beginning count. Others cost no batch, are read by nobody, stay
/// where they are, and are named once.
#[test]
fn files_of_others_are_left_alone() {
    let (scratch, port) = (Scratch::new("spool", User::oneself()), ports::free());
    let directory = scratch.join("spool");
    let wanted = left_behind(&directory, port);

    // Before the first, so that it would be the one to be sent, and after the last.
    let foreign = |number: u64, ending: &str| directory.join(format!("{number:016x}-1-1.{ending}"));
    fs::write(foreign(1, "batch"), "hello, world, and nothing else").unwrap();
    File::create(foreign(2, "batch")).unwrap().set_len(1 << 40).unwrap();
    mknodat(CWD, foreign(3, "batch"), FileType::Fifo, 0o600.into(), 0).unwrap();
    std::os::unix::fs::symlink("/dev/zero", foreign(4, "batch")).unwrap();
    fs::create_dir(foreign(5, "batch")).unwrap();
    File::create(foreign(1 << 40, "batch")).unwrap().set_len(1 << 40).unwrap();
    fs::write(foreign(6, "new"), "somebody else is writing this").unwrap();
    fs::write(directory.join("report.new"), "").unwrap();
    fs::write(directory.join("report.batch"), "").unwrap();
    let all = fs::read_dir(&directory).unwrap().count();

    let agent = launch(port, &directory, "").start();
    let before = own(&agent, "queue_batches", &[]);
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    let ours = wanted.len() as f64;
    assert!(before >= ours, "{before} of {ours} wait");
    assert!(own(&agent, "queue_size_bytes", &[]) < 16e6);
    let collector = Collector::start_at(Protocol::Http, port);
    all_arrive(&collector, &wanted);
    eventually("an empty spool", ARRIVES, || own(&agent, "queue_batches", &[]) < 2.0);
    for reason in ["queue_full", "rejected", "corrupt", "missing", "expired"] {
        assert_eq!(dropped(&agent, reason), 0.0, "{reason}");
    }
    let said: Vec<String> =
        agent.log().lines().filter(|line| line.contains("files of others")).map(str::to_owned).collect();
    assert_eq!(said.len(), 1, "{}", agent.log());
    agent.signal(Signal::TERM);
    assert_eq!(agent.wait_exit().code(), Some(0), "{}", agent.log());
    let left = fs::read_dir(&directory).unwrap().count();
    assert!(left >= all - wanted.len(), "{left} of {all} files, of which {} were ours", wanted.len());
}

/// Rule: damaged files of the spool cost themselves, are counted and told, and nothing else is lost.
#[test]
fn damaged_batches_cost_themselves_alone() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [Damage; 4] = [
        |bytes| bytes.truncate(bytes.len() / 2),
        |bytes| *bytes.last_mut().unwrap() ^= 1,
        |bytes| bytes.clear(),
        |bytes| bytes[7] = 9,
    ];
    let (scratch, port) = (Scratch::new("spool", User::oneself()), ports::free());
    let directory = scratch.join("spool");
    left_behind(&directory, port);
    let files = batches(&directory);
    for (damage, path) in damages.iter().zip(&files) {
        let mut bytes = fs::read(path).unwrap();
        damage(&mut bytes);
        fs::write(path, bytes).unwrap();
    }
    let wanted: Vec<u64> = files[damages.len()..].iter().map(|path| made(path)).collect();
    assert!(!wanted.is_empty());

    let collector = Collector::start_at(Protocol::Http, port);
    let agent = launch(port, &directory, "").start();
    all_arrive(&collector, &wanted);
    eventually("the damaged to be counted", ARRIVES, || same(dropped(&agent, "corrupt"), &4.0));
    assert_eq!(dropped(&agent, "missing") + dropped(&agent, "queue_full"), 0.0);
    let said = agent.log().matches("were damaged: they are dropped").count();
    assert!((1..=4).contains(&said), "{}", agent.log());
    let gone: Vec<u64> = files[..damages.len()].iter().map(|path| made(path)).collect();
    let times: Vec<u64> = collector.taken().iter().map(|taken| taken.time() / 1_000_000).collect();
    assert!(gone.iter().all(|time| !times.contains(time)));
}

/// Rule: what is gone does not count as waiting, and a directory that comes back is locked again before it is used.
#[test]
fn a_directory_that_goes_away_is_noticed_and_taken_again() {
    let (scratch, port) = (Scratch::new("spool", User::oneself()), ports::free());
    let directory = scratch.join("spool");
    let agent = launch(port, &directory, "").start();
    until_waiting(&agent, 10.0);
    agent.freeze();
    fs::remove_dir_all(&directory).unwrap();
    agent.thaw();
    eventually("the loss to be counted", ARRIVES, || dropped(&agent, "missing") >= 9.0);
    let told = own(&agent, "queue_batches", &[]);
    let line = agent.health()["details"]["otlp"].as_str().unwrap().to_owned();
    assert!(line.contains(" batches of "), "{line}");
    eventually("the directory to be used again", ARRIVES, || !batches(&directory).is_empty());
    until_waiting(&agent, told + 3.0);
    let second = launch(port, &directory, "").run();
    assert!(second.stderr.contains("is in use by another process"), "{}", second.stderr);
    assert!(agent.log().contains("they were removed or replaced"), "{}", agent.log());

    let collector = Collector::start_at(Protocol::Http, port);
    let wanted: Vec<u64> = batches(&directory).iter().map(|path| made(path)).collect();
    all_arrive(&collector, &wanted);
}

/// Rule: two agents never use one directory, also where somebody took it from the first one meanwhile.
#[test]
fn a_directory_that_another_agent_has_meanwhile_is_left_to_it() {
    let (scratch, port) = (Scratch::new("spool", User::oneself()), ports::free());
    let directory = scratch.join("spool");
    let agent = launch(port, &directory, "").start();
    until_waiting(&agent, 5.0);
    agent.freeze();
    fs::rename(&directory, scratch.join("elsewhere")).unwrap();
    let other = launch(port, &directory, "").start();
    until_waiting(&other, 3.0);
    agent.thaw();
    let said = "is in use by another process: give each its own directory; batches wait in memory";
    eventually("the first one to notice", ARRIVES, || agent.log().contains(said));
    let before = own(&agent, "queue_batches", &[]);
    until_waiting(&agent, before + 5.0);
    assert_eq!(dropped(&other, "missing") + dropped(&other, "corrupt"), 0.0);
    other.signal(Signal::TERM);
    assert_eq!(other.wait_exit().code(), Some(0));
    eventually("the first one to use it again", ARRIVES, || agent.log().contains("can be written again"));
}

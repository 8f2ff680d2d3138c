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
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    let all = || collector.taken().len() as f64 > told + 3.0;
    eventually("all that waited", ARRIVES, all);
    let times: Vec<u64> = collector.taken().iter().map(Taken::time).collect();
    assert!(times.is_sorted() && times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
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

/// A call of the system in the log of strace: the name, what it was given, what it gave.
fn call(line: &str) -> Option<(&str, &str, &str)> {
    let (_process, call) = line.split_once(' ')?;
    let (call, result) = call.trim_start().rsplit_once(" = ")?;
    let (name, given) = call.split_once('(')?;
    Some((name, given.trim_end().strip_suffix(')')?, result.split(' ').next()?))
}

/// How many batches were on the disk before they got their names, and their names after that, as the log of strace
/// says, in which a call that took long stands in two lines.
fn kept(log: &str) -> usize {
    let (mut begun, mut lines) = (std::collections::HashMap::new(), Vec::new());
    for line in log.lines() {
        let (process, call) = line.split_once(' ').unwrap_or_default();
        if let Some(beginning) = call.trim_start().strip_suffix(" <unfinished ...>") {
            begun.insert(process, beginning.to_owned());
        } else if let Some((_, end)) = call.split_once(" resumed>") {
            lines.push(format!("{process} {}{end}", begun.remove(process).unwrap_or_default()));
        } else {
            lines.push(line.to_owned());
        }
    }
    let (mut opened, mut synced, mut named, mut kept) = (BTreeSet::new(), false, false, 0);
    for (name, given, result) in lines.iter().filter_map(|line| call(line)) {
        match name {
            "openat" if given.contains(".new\"") => {
                (synced, named) = (false, false);
                opened.insert(result.to_owned());
            }
            "fdatasync" if opened.remove(given) => synced = result == "0",
            "rename" | "renameat" if given.contains(".batch\"") => {
                assert!(synced, "named before its content was on the disk: {given}");
                named = true;
            }
            "fsync" if named => {
                (named, kept) = (false, kept + usize::from(result == "0"));
            }
            _ => {}
        }
    }
    kept
}

#[test]
fn a_batch_counts_as_kept_when_the_disk_has_it() {
    let script = format!(
        "exec strace -D -f -qq -s 4096 -e trace=openat,rename,renameat,fsync,fdatasync -o calls {} \"$@\"\n",
        env!("CARGO_BIN_EXE_vitalsign")
    );
    let files = Scratch::new("spool", User::oneself());
    let directory = files.join("a/b/spool");
    let endpoint = format!("http://127.0.0.1:{}", ports::free());
    let agent = pushing(&endpoint, &spool(&directory)).stand_in(&script).start();
    let calls = || std::fs::read_to_string(agent.file("calls")).unwrap();
    eventually("batches to wait", ARRIVES, || {
        let told = own(&agent, "queue_batches", &[]);
        #[expect(clippy::cast_precision_loss, reason = "a handful")]
        let kept = kept(&calls()) as f64;
        assert!(kept >= told, "{told} batches wait, and the disk has {kept} of them:\n{}", calls());
        told >= 4.0
    });
    let made = waiting(&directory).len();
    assert!(made >= 4, "{made}");
    // The folders above it, which did not exist, came first.
    let calls = calls();
    let before = calls.split(".new\"").next().unwrap_or_default();
    assert_eq!(before.matches(" fsync(").count(), 3, "{before}");
}

/// Every point of what is counted here, by metric and attributes: since when, until when, and how much.
fn deltas(taken: &[Taken]) -> std::collections::BTreeMap<String, Vec<(u64, u64, u64)>> {
    use opentelemetry_proto::tonic::metrics::v1::{metric::Data, number_data_point::Value};
    let mut all = std::collections::BTreeMap::<String, Vec<(u64, u64, u64)>>::new();
    for metric in taken.iter().flat_map(Taken::metrics) {
        let mut add = |attributes: String, point| {
            all.entry(format!("{} {attributes}", metric.name)).or_default().push(point);
        };
        match metric.data.as_ref() {
            Some(Data::Sum(sum)) if sum.is_monotonic && sum.aggregation_temporality == 1 => {
                for point in &sum.data_points {
                    if let Some(Value::AsInt(count)) = point.value {
                        let count = u64::try_from(count).unwrap();
                        add(
                            format!("{:?}", point.attributes),
                            (point.start_time_unix_nano, point.time_unix_nano, count),
                        );
                    }
                }
            }
            Some(Data::Histogram(histogram)) => {
                for point in &histogram.data_points {
                    add(
                        format!("{:?}", point.attributes),
                        (point.start_time_unix_nano, point.time_unix_nano, point.count),
                    );
                }
            }
            _ => {}
        }
    }
    all
}

#[test]
fn deltas_count_everything_once_whatever_the_collector_does() {
    let steps = [Step::LoseAnswer, Step::Refuse(503, None), Step::CutRequest, Step::LoseAnswer];
    let collector = Collector::start(Protocol::Http);
    collector.script(steps.into_iter().flat_map(|step| [Step::Take, step]));
    let endpoint = url(&collector, Protocol::Http);
    let config = format!(
        "checks: {{}}\notlp:\n  endpoint: {endpoint}\n  metrics: {{ interval: 100ms, temporality: delta }}\n"
    );
    let agent = Launch::new(&config).start();
    eventually("the end of the script", ARRIVES * 2, || collector.steps_left() == 0);
    // Nobody else asks for this page.
    (0..3).for_each(|_| drop(agent.get("/metrics")));
    let after = collector.taken().len();
    batches(&collector, after + 3);
    agent.signal(Signal::TERM);
    assert_eq!(agent.wait_exit().code(), Some(0), "{}", agent.log());
    let all = deltas(&collector.taken());
    let mut twice = BTreeSet::new();
    for (series, points) in &all {
        let mut points = points.clone();
        let again = points.windows(2).filter(|pair| pair[0] == pair[1]);
        twice.extend(again.map(|pair| pair[0].1));
        points.dedup();
        for pair in points.windows(2) {
            assert_eq!(pair[1].0, pair[0].1, "{series}: every delta begins where the one before ended");
        }
    }
    assert_eq!(twice.len(), collector.answers_lost(), "twice only where the answer was lost");
    let is_page =
        |series: &str| series.starts_with("http.server.request.duration ") && series.contains("\"/metrics\"");
    let (_, points) = all.iter().find(|(series, _)| is_page(series)).unwrap();
    let once: BTreeSet<_> = points.iter().collect();
    assert_eq!(once.iter().map(|(_, _, count)| count).sum::<u64>(), 3, "{points:?}");
}

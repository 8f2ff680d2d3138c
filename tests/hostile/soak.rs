//! An hour, or what `tests/soak` is told, with dependencies that come and go, hostile peers, scrapes every few seconds and
//! a collector that goes away and comes back. Rule: memory, descriptors and threads are as many at the end as at the
//! beginning, other checks are healthy all the time, `/health/live` answers.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::{
    figures::{Figures, mebibytes, sorts},
    harness::{
        agent::{Agent, Launch},
        eventually::{eventually, within},
        http::get_with,
        otlp::{Collector, Protocol},
        ports,
        redis::Redis,
    },
    peers::{Peer, Peers, amqp, http, postgres, redis, tcp},
};

const SOON: Duration = Duration::from_secs(60);
const SAMPLE: Duration = Duration::from_secs(10);
const SCRAPE: Duration = Duration::from_secs(3);
/// How long the flapping server is there, and how long it is away.
const FLAP: Duration = Duration::from_secs(25);
/// The same of the collector.
const COLLECTOR: Duration = Duration::from_secs(70);
/// How far the last quarter may be above the first.
const MEMORY_RATIO: f64 = 1.10;
const MEMORY: u64 = 4 << 20;
const DESCRIPTORS: usize = 10;
const THREADS: u64 = 6;

/// Makes the peers of a protocol.
type Making = fn() -> Vec<Peer>;

/// How peers of a protocol are asked; `@@` or `//@` has the address.
const ASKED: &[(&str, Making)] = &[
    ("kind: tcp, address: '@', expect: ready", tcp::peers),
    ("kind: redis, url: 'redis://:secret@@'", redis::peers),
    ("kind: redis, url: 'redis://:secret@@', reuse: true", redis::peers),
    (
        "kind: postgres, url: 'postgres://me:secret@@/db?sslmode=disable', query: 'select 1 as n'",
        postgres::peers,
    ),
    (
        "kind: postgres, url: 'postgres://me:secret@@/db?sslmode=disable', query: 'select 1 as n', reuse: true",
        postgres::peers,
    ),
    ("kind: amqp, url: 'amqp://@/%2f', queue: jobs", amqp::peers),
    (http::CHECK, http::peers),
    (http::KEPT, http::peers),
    (http::CHECK_OF_TLS, http::second_peers),
];
/// Every so many peers of each, so that a machine with two cores has time for the rest.
const STEP: usize = 9;

fn minutes() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "how tests/soak says how long")]
    let minutes = std::env::var("VITALSIGN_SOAK_MINUTES");
    minutes.map_or(60, |minutes| minutes.parse().expect("minutes, as a number"))
}

/// A sample, and when.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Duration,
    figures: Figures,
}

#[test]
#[ignore = "takes an hour: run tests/soak"]
fn memory_descriptors_and_threads_stay_flat() {
    let length = Duration::from_secs(minutes() * 60);
    let (healthy, mut flapping) = (Redis::start(), Redis::start());
    let (peers, port) = (Peers::new(), ports::free());
    let mut config = format!(
        "defaults: {{ interval: 2s, timeout: 500ms, fail_after: 1, recover_after: 1 }}\notlp:\n  endpoint: \
         'http://127.0.0.1:{port}'\n  metrics: {{ interval: 5s }}\n  spool: {{ directory: spool, size: 4Mi }}\nchecks:\n  \
         good: {{ kind: redis, url: '{}', interval: 1s, timeout: 900ms, criticality: critical }}\n  \
         flapping: {{ kind: redis, url: '{}', interval: 1s }}\n  flapping_kept: {{ kind: redis, url: '{}', interval: 1s, \
         reuse: true, breaker: false }}\n  refused: {{ kind: tcp, address: '127.0.0.1:{}' }}\n  cpu: {{ kind: cpu }}\n  memory: \
         {{ kind: memory }}\n  disk: {{ kind: disk }}\n",
        healthy.url(),
        flapping.url(),
        flapping.url(),
        ports::free(),
    );
    let mut hostile = 0;
    for (number, (settings, all)) in ASKED.iter().enumerate() {
        for peer in all().iter().skip(number % STEP).step_by(STEP) {
            let addr = peers.start(peer).addr;
            let settings = settings
                .replace("@@", &format!("@{addr}"))
                .replace("//@/", &format!("//{addr}/"))
                .replace("'@'", &format!("'{addr}'"));
            // With the breaker half of them are asked seldom.
            let breaker = hostile % 2 == 0;
            let _ = writeln!(config, "  {}_{number}: {{ {settings}, breaker: {breaker} }}", peer.name);
            hostile += 1;
        }
    }
    let agent = Launch::new(&config).start();
    eventually("the good check", SOON, || agent.get("/health/checks/good").status == 200);
    println!(
        "{hostile} hostile peers for {} minutes; first {}",
        length.as_secs() / 60,
        Figures::of(agent.pid())
    );

    let (began, mut samples) = (Instant::now(), Vec::new());
    let (mut sample_at, mut scrape_at) = (SAMPLE, Duration::ZERO);
    let (mut flapping_is_there, mut flap_at) = (true, FLAP);
    let (mut collector, mut collector_at) = (Some(Collector::start_at(Protocol::Http, port)), COLLECTOR);
    let mut watch = Watch::default();
    let _ = within(length, || {
        let now = began.elapsed();
        if now >= flap_at {
            flap_at = now + FLAP;
            if flapping_is_there {
                flapping.kill();
            } else {
                flapping.restart();
            }
            flapping_is_there = !flapping_is_there;
        }
        if now >= collector_at {
            collector_at = now + COLLECTOR;
            collector = match collector.take() {
                Some(there) => {
                    watch.batches += there.taken().len();
                    None
                }
                None => Some(Collector::start_at(Protocol::Http, port)),
            };
        }
        if now >= scrape_at {
            scrape_at = now + SCRAPE;
            watch.look(&agent);
        }
        if now >= sample_at {
            sample_at = now + SAMPLE;
            let figures = Figures::of(agent.pid());
            if samples.len() % 6 == 5 {
                println!("{:>5.1} min: {figures}; {watch:?}", now.as_secs_f64() / 60.0);
            }
            samples.push(Sample { at: now, figures });
        }
        false
    });
    let left = sorts(agent.pid());
    agent.signal(Signal::TERM);
    let asked = Instant::now();
    let status = agent.wait_exit();
    println!("{status} {:.1?} after SIGTERM; descriptors at the end: {left:?}", asked.elapsed());

    let verdict = compare(&samples);
    println!("\n{}\n{watch:?}", verdict.0);
    let _ = fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("soak.csv"), csv(&samples));
    assert_eq!(verdict.1, Vec::<String>::new());
    assert!(watch.wrong.is_empty(), "{:?}", watch.wrong);
    assert!(watch.batches > 0, "nothing reached the collector");
    assert!(status.success());
    let log = agent.log();
    assert!(
        !log.contains("panic"),
        "{}",
        log.lines().find(|line| line.contains("panic")).unwrap_or_default()
    );
}

/// What clients see.
#[derive(Debug, Default)]
struct Watch {
    looks: usize,
    oldest: f64,
    slowest: Duration,
    batches: usize,
    wrong: BTreeMap<String, usize>,
}

impl Watch {
    fn look(&mut self, agent: &Agent) {
        let asked = Instant::now();
        let live = agent.get("/health/live").status;
        self.slowest = self.slowest.max(asked.elapsed());
        let mut note = |wrong: String| *self.wrong.entry(wrong).or_default() += 1;
        if live != 200 {
            note(format!("/health/live answers {live}"));
        }
        for accept in ["text/plain", "application/openmetrics-text; version=1.0.0"] {
            let page = get_with(agent.addr(), "/metrics", &[("accept", accept), ("accept-encoding", "gzip")]);
            if page.status != 200 {
                note(format!("/metrics answers {}", page.status));
            }
        }
        let document = agent.health();
        let good = &document["checks"]["good"];
        if good["status"] != "healthy" {
            note(format!("the good check is {} because of {}", good["status"], good["reason"]));
        }
        self.oldest = self.oldest.max(good["age_seconds"].as_f64().unwrap_or(f64::INFINITY));
        self.looks += 1;
    }
}

fn csv(samples: &[Sample]) -> String {
    let mut csv = "seconds,memory,descriptors,threads\n".to_owned();
    for Sample { at, figures } in samples {
        let _ =
            writeln!(csv, "{},{},{},{}", at.as_secs(), figures.memory, figures.descriptors, figures.threads);
    }
    csv
}

/// One of the figures.
type Number = fn(&Figures) -> u64;

/// The first quarter against the last, as a table, and what grew. Before, a tenth of the time is for what is made once.
fn compare(samples: &[Sample]) -> (String, Vec<String>) {
    let samples = &samples[samples.len() / 10..];
    let quarter = (samples.len() / 4).max(1);
    let (first, last) = (&samples[..quarter], &samples[samples.len() - quarter..]);
    let median = |of: &[Sample], number: Number| {
        let mut all: Vec<u64> = of.iter().map(|sample| number(&sample.figures)).collect();
        all.sort_unstable();
        (all[all.len() / 2], all[all.len() - 1])
    };
    let numbers: [(&str, Number); 3] = [
        ("memory", |figures| figures.memory),
        ("descriptors", |figures| u64::try_from(figures.descriptors).unwrap()),
        ("threads", |figures| figures.threads),
    ];
    let mut table =
        "| | first quarter: median, most | last quarter: median, most |\n|---|---|---|\n".to_owned();
    let mut grown = Vec::new();
    for (name, number) in numbers {
        let ((before, most_before), (after, most_after)) = (median(first, number), median(last, number));
        let (shown, limit): (fn(u64) -> String, u64) = match name {
            "memory" => (|bytes| format!("{:.1} MiB", mebibytes(bytes)), scaled(before) + MEMORY),
            "descriptors" => (|count| count.to_string(), before + u64::try_from(DESCRIPTORS).unwrap()),
            _ => (|count| count.to_string(), before + THREADS),
        };
        let _ = writeln!(
            table,
            "| {name} | {}, {} | {}, {} |",
            shown(before),
            shown(most_before),
            shown(after),
            shown(most_after)
        );
        if after > limit {
            grown.push(format!(
                "{name}: {} in the first quarter, {} in the last",
                shown(before),
                shown(after)
            ));
        }
    }
    (table, grown)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a bound"
)]
fn scaled(bytes: u64) -> u64 {
    (bytes as f64 * MEMORY_RATIO) as u64
}

#[test]
fn what_grows_is_found() {
    let figures = |step: u64| Figures { memory: 40 << 20, peak: 0, descriptors: 30, threads: 9 + step };
    let samples = |grows: bool| -> Vec<Sample> {
        let sample = |at: u64| Sample { at: SAMPLE, figures: figures(if grows { at } else { 0 }) };
        (0..40).map(sample).collect()
    };
    assert_eq!(compare(&samples(false)).1, Vec::<String>::new());
    assert_eq!(compare(&samples(true)).1, ["threads: 17 in the first quarter, 44 in the last"]);
}

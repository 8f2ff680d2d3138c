//! Code that gives its thread back late or never, and peers that always have something to say. Rule: no check holds up
//! another, its own time limit, the pulse of the runner, or the end of the agent.
//!
//! The code is that of an embedding program, for only that may keep a thread for ever; floods of every kind are in the
//! matrix one by one, and here all at once.

use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::process::Signal;
use vitalsign::{BlockingCheck, FunctionCheck, Outcome, Plan, Run, check_with, config::Document};

use crate::{
    harness::{
        agent::Agent,
        eventually::eventually,
        inside::{Door, Gate, Whole, plan},
        redis::Redis,
    },
    peers::{Peers, amqp, http, postgres, redis, tcp},
};

const SOON: Duration = Duration::from_secs(60);
/// More than the agent has workers, and than this machine has processors.
const MANY: usize = 40;
/// Those that burn processor time share it with everybody else on this machine.
const SPINNING: usize = 4;

fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Blocks as a registered blocking check does.
struct Blocks(Door);

impl BlockingCheck for Blocks {
    fn run(&self, _run: &Run) -> Outcome {
        self.0.pass();
        Outcome::pass()
    }
}

/// Ends code that spins when the test is over.
struct Spinning(Arc<AtomicBool>);

impl Drop for Spinning {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// Functions that never come back: they block at once, after they have waited for something, or spin.
fn hostile(gate: &Gate, spinning: &Spinning) -> Vec<FunctionCheck> {
    let often =
        |check: FunctionCheck| check.every(milliseconds(500)).timeout(milliseconds(200)).informational();
    let blocks = (0..MANY).map(|index| {
        let name = format!("blocks_{index}");
        match index % 3 {
            0 => check_with(&name, gate.door(), |door| async move { door.pass() }),
            1 => check_with(&name, gate.door(), |door| async move {
                tokio::time::sleep(milliseconds(5)).await;
                door.pass();
            }),
            _ => FunctionCheck::blocking(&name, Blocks(gate.door())),
        }
    });
    let spins = (0..SPINNING).map(|index| {
        check_with(&format!("spins_{index}"), Arc::clone(&spinning.0), |go_on| async move {
            while go_on.load(Ordering::SeqCst) {
                std::hint::spin_loop();
            }
        })
    });
    blocks.chain(spins).map(often).collect()
}

/// Kinds and functions that are well, in an agent with `others`.
fn beside(others: Vec<FunctionCheck>, redis: &Redis) -> Plan {
    let config = format!(
        "stop: {{ within: 10s }}\ndefaults: {{ interval: 500ms, timeout: 400ms }}\nchecks:\n  \
         redis: {{ kind: redis, url: '{}' }}\n  memory: {{ kind: memory, thresholds: {{ usage_ratio: {{ warn: 100%, \
         lasting: 1h }} }} }}\n",
        redis.url()
    );
    let (mut all, _) = Plan::read(Document::parse("test", config, &|_| None)).unwrap();
    let waits = check_with("waits", (), |()| async {
        tokio::time::sleep(milliseconds(5)).await;
        true
    });
    let good = plan(others.into_iter().chain([waits.every(milliseconds(500)).timeout(milliseconds(400))]));
    all.listen = good.listen;
    all.checks.extend(good.checks);
    all
}

const GOOD: [&str; 3] = ["redis", "memory", "waits"];

/// Rule: as many checks as there are threads, and more, that keep theirs for ever hold up no other check, no time limit
/// and no end.
#[test]
fn functions_that_never_come_back_hold_up_nothing() {
    let redis = Redis::start();
    let (gate, spinning) = (Gate::closed(), Spinning(Arc::new(AtomicBool::new(true))));
    let whole = Whole::of(beside(hostile(&gate, &spinning), &redis));
    eventually("all of them to keep their threads", SOON, || {
        let waiting = gate.waiting();
        if waiting == MANY { Ok(()) } else { Err(waiting.to_string()) }
    });
    let hostile: Vec<String> = (0..MANY)
        .map(|index| format!("blocks_{index}"))
        .chain((0..SPINNING).map(|index| format!("spins_{index}")))
        .collect();
    eventually("it to be said that all of them still hang", SOON, || {
        let document = whole.get("/health").json();
        let other = hostile.iter().find(|name| document["checks"][name]["cause"] != "last_run_hangs");
        other.map_or(Ok(()), |name| Err(format!("{name}: {}", document["checks"][name])))
    });
    let page = whole.scrape();
    for name in &hostile {
        let of = |metric| page.value(metric, &[("healthcheck_name", name)]).unwrap();
        let took = of("healthcheck_last_run_duration_seconds");
        assert!(took < 0.21, "{name}: {took} s, and its limit is 200 ms");
        assert_eq!(of("healthcheck_runs_total"), 1.0, "{name}: no second run is begun");
    }
    for name in GOOD {
        let before = whole.runs(name);
        eventually("ten runs more", SOON, || {
            let runs = whole.runs(name) - before;
            if runs >= 10.0 { Ok(()) } else { Err(format!("{name}: {runs}")) }
        });
        eventually("it to be healthy", SOON, || {
            let told = whole.check(name);
            if told["status"] == "healthy" { Ok(()) } else { Err(told.to_string()) }
        });
    }
    assert_eq!(whole.status("/health/live"), 200);
    assert!(!whole.agent.board().pulse().is_stalled(tokio::time::Instant::now()));
    let blocking = whole.scrape().value("vitalsign_scheduler_blocking_runs_total", &[]).unwrap();
    assert!(blocking >= (MANY - MANY / 3) as f64, "{blocking} counted");

    let begun = Instant::now();
    let stopping = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    stopping.block_on(whole.agent.stop());
    // The limit of stopping is ten seconds; runs end within half a second.
    assert!(begun.elapsed() < Duration::from_secs(8), "stopping took {:?}", begun.elapsed());
    assert_eq!(gate.waiting(), MANY, "all of them still hang");
}

/// Rule: what a check does in a task that it starts beside itself holds up no time limit and no end either, and other
/// checks not for good.
#[test]
fn tasks_that_a_function_leaves_behind_hold_up_nothing() {
    let redis = Redis::start();
    let gate = Gate::closed();
    let left = Arc::new(AtomicUsize::new(0));
    let leaves = check_with("leaves", (gate.door(), Arc::clone(&left)), |(door, left)| async move {
        if left.fetch_add(1, Ordering::SeqCst) < 3 {
            spawn(async move { door.pass() });
        }
        tokio::time::sleep(milliseconds(20)).await;
    });
    let whole = Whole::of(beside(vec![leaves.every(milliseconds(300)).timeout(milliseconds(200))], &redis));
    eventually("three tasks to keep their threads", SOON, || gate.waiting() == 3);
    for name in GOOD {
        let before = whole.runs(name);
        eventually("ten runs more", SOON, || whole.runs(name) >= before + 10.0);
        eventually("it to be healthy", SOON, || whole.check(name)["status"] == "healthy");
    }
}

#[expect(clippy::disallowed_methods, reason = "this is what an embedding program may do")]
fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    drop(tokio::spawn(work));
}

/// One flood of each sort: what the peer says without end, and how the check that hears it is configured, at
/// ADDRESS.
const FLOODS: [(&str, &str); 10] = [
    ("pg_notices", POSTGRES),
    ("pg_completions_for_the_query", POSTGRES),
    ("pg_rows", POSTGRES),
    ("redis_pushes", REDIS),
    ("redis_errors_after_login", REDIS),
    ("amqp_heartbeats", AMQP),
    ("amqp_bodies_for_the_queue", AMQP),
    ("http_early_hints", "kind: http, url: 'http://ADDRESS/'"),
    ("http_chunks", "kind: http, url: 'http://ADDRESS/', expect: { json: { '$.status': ok } }"),
    ("tcp_lines", "kind: tcp, address: 'ADDRESS', expect: ready"),
];
const POSTGRES: &str = "kind: postgres, url: 'postgres://me:secret@ADDRESS/db?sslmode=disable'";
const REDIS: &str = "kind: redis, url: 'redis://:secret@ADDRESS'";
const AMQP: &str = "kind: amqp, url: 'amqp://ADDRESS/%2f', queue: jobs";
/// Checks of each flood.
const CHECKS: usize = 3;

/// Rule: floods of every kind at once, and several checks of each, hold up no good check, no time limit of their own and
/// no end.
#[test]
fn floods_of_every_kind_at_once_hold_up_nothing() {
    let (redis, peers) = (Redis::start(), Peers::new());
    let known = [postgres::peers(), redis::peers(), amqp::peers(), http::peers(), tcp::peers()].concat();
    let mut config = format!(
        "stop: {{ within: 10s }}\ndefaults: {{ interval: 2s, timeout: 1s, breaker: false }}\nchecks:\n  good: {{ kind: \
         redis, url: '{}', interval: 4s, timeout: 3s, recover_after: 1 }}\n",
        redis.url()
    );
    let mut names = Vec::new();
    for (flood, settings) in FLOODS {
        let peer = known.iter().find(|peer| peer.name == flood).unwrap_or_else(|| panic!("no peer {flood}"));
        let addr = peers.start(peer).addr.to_string();
        for index in 0..CHECKS {
            let name = format!("{flood}_{index}");
            let _ = writeln!(config, "  {name}: {{ {} }}", settings.replace("ADDRESS", &addr));
            names.push(name);
        }
    }
    let agent = Agent::start(&config);
    let runs = |name: &str| {
        agent.scrape().value("healthcheck_runs_total", &[("healthcheck_name", name)]).unwrap_or(0.0)
    };
    // A run whose poll goes on past its time limit counts, and from then on it is told that it still hangs.
    eventually("two runs of each", SOON, || {
        let page = agent.scrape();
        let of = |metric, name: &str| page.value(metric, &[("healthcheck_name", name)]).unwrap_or(0.0);
        let runs =
            |name: &str| of("healthcheck_runs_total", name) + of("healthcheck_skipped_runs_total", name);
        let late = names.iter().find(|name| runs(name) < 2.0);
        late.map_or(Ok(()), |name| Err(format!("{name}: {}", runs(name))))
    });
    let before = runs("good");
    eventually("three good runs more", SOON, || runs("good") >= before + 3.0);
    eventually("it to be healthy", SOON, || agent.health()["checks"]["good"]["status"] == "healthy");
    assert_eq!(agent.get("/health/live").status, 200);

    agent.signal(Signal::TERM);
    let told = Instant::now();
    assert!(agent.wait_exit().success());
    // Ten seconds is what it would take at most; runs end within one.
    assert!(told.elapsed() < Duration::from_secs(8), "it took {:?} to stop", told.elapsed());
}

//! Code that keeps its thread, for a while or for ever, and what goes on beside it.

use std::collections::HashSet;
use std::convert::Infallible;
use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::thread::{ThreadId, yield_now};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use super::{Crew, FAIR_SHARE, Looked, MAX_NEWCOMERS, look_after};
use crate::checks::{Check, Probe, Run, Target};
use crate::health::{Board, Judged};
use crate::metrics::Store;
use crate::model::{Cause, FUNCTION, Name, Outcome, Policy, Reason};
use crate::runner::{Planned, Runner};

/// Of no kind in particular, but not of the embedding program's either.
const KIND: &str = "tcp";
const LIMIT: Duration = Duration::from_millis(50);
/// Far longer than anything here takes.
const FOREVER: Duration = Duration::from_secs(60);

/// A runner with runtimes of its own.
struct Stage {
    board: Board,
    runner: Option<Runner>,
    crew: Crew,
    own: Option<Runtime>,
    foreign: Option<Runtime>,
    _looked_after: Sender<Infallible>,
}

impl Stage {
    fn set(workers: usize, planned: Vec<Planned>) -> Self {
        let runtime =
            |workers| Builder::new_multi_thread().worker_threads(workers).enable_all().build().unwrap();
        let (own, foreign) = (runtime(workers), runtime(2));
        let looked_after = look_after(vec![
            Looked::new(own.handle().clone(), workers - 1),
            Looked::new(foreign.handle().clone(), 0),
        ])
        .unwrap();
        let crew = Crew::apart(own.handle().clone(), foreign.handle().clone());
        let store = Store::new();
        let board = Board::new(store.clone());
        let runner = {
            let _on_runtime = own.enter();
            Runner::start_with(&crew, planned, &board, &store).unwrap()
        };
        let (own, foreign, runner) = (Some(own), Some(foreign), Some(runner));
        Self { board, runner, crew, own, foreign, _looked_after: looked_after }
    }

    fn check(&self, name: &str) -> Judged {
        self.board.check(name, Instant::now()).unwrap()
    }

    /// Why the check failed last.
    fn failing(&self, name: &str) -> Option<(Reason, Option<Cause>)> {
        let standing = self.check(name).standing?;
        standing.failing.as_ref().map(|failing| (failing.reason, failing.cause))
    }

    fn stop(&mut self, within: Duration) {
        let (own, runner) = (self.own.as_ref().unwrap(), self.runner.take().unwrap());
        own.block_on(async { runner.stop(Instant::now() + within).await });
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.crew.dismiss();
        drop(self.runner.take());
        for runtime in [self.own.take(), self.foreign.take()].into_iter().flatten() {
            runtime.shutdown_background();
        }
    }
}

fn planned(name: &str, kind: &'static str, check: impl Check) -> Planned {
    let policy =
        Policy { interval: LIMIT * 4, timeout: LIMIT, fail_after: 1, breaker: false, ..Policy::default() };
    Planned {
        name: Name::new(name).unwrap(),
        kind,
        policy,
        probe: Probe::new(check),
        target: Target::default(),
        local: false,
        reasons: &[],
        secrets: Arc::default(),
    }
}

/// Many of one sort.
fn several(count: usize, kind: &'static str, check: &(impl Check + Clone)) -> Vec<Planned> {
    (0..count).map(|index| planned(&format!("bad_{index}"), kind, check.clone())).collect()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + FOREVER;
    while !holds() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        yield_now();
    }
}

/// Keeps its thread for as long as the test holds the lock.
#[derive(Clone, Default)]
struct Keeps {
    gate: Arc<Mutex<()>>,
    kept: Arc<AtomicUsize>,
}

impl Check for Keeps {
    async fn run(&self, _run: &Run) -> Outcome {
        self.kept.fetch_add(1, Ordering::SeqCst);
        drop(self.gate.lock());
        self.kept.fetch_sub(1, Ordering::SeqCst);
        Outcome::pass()
    }
}

/// Waits for something twice, and counts how often it got through.
#[derive(Clone, Default)]
struct Steady(Arc<AtomicUsize>);

impl Check for Steady {
    async fn run(&self, _run: &Run) -> Outcome {
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.0.fetch_add(1, Ordering::SeqCst);
        Outcome::pass()
    }
}

impl Steady {
    fn goes_on(&self) {
        let before = self.0.load(Ordering::SeqCst);
        eventually("runs of the steady one", || self.0.load(Ordering::SeqCst) >= before + 10);
    }

    /// With a limit that holds also on a machine that is busy.
    fn planned(&self, kind: &'static str) -> Planned {
        let mut planned = planned("steady", kind, self.clone());
        planned.policy.timeout = LIMIT * 3;
        planned
    }
}

#[test]
fn code_that_keeps_all_workers_but_one_holds_up_no_other() {
    let (keeps, steady) = (Keeps::default(), Steady::default());
    let held = keeps.gate.lock();
    let mut all = several(3, KIND, &keeps);
    all.push(steady.planned(KIND));
    let mut stage = Stage::set(4, all);
    eventually("all of them to be kept", || keeps.kept.load(Ordering::SeqCst) == 3);
    for index in 0..3 {
        eventually("its time limit", || stage.failing(&format!("bad_{index}")).is_some());
    }
    steady.goes_on();
    assert_eq!(keeps.kept.load(Ordering::SeqCst), 3, "no second run of it is begun");
    stage.stop(FOREVER);
    drop(held);
}

#[test]
fn functions_that_keep_their_threads_hold_up_no_other_check() {
    let (keeps, function, kind) = (Keeps::default(), Steady::default(), Steady::default());
    let held = keeps.gate.lock();
    let mut all = several(20, FUNCTION, &keeps);
    all.push(function.planned(FUNCTION));
    all.push(Planned { name: Name::new("kind").unwrap(), ..kind.planned(KIND) });
    let stage = Stage::set(1, all);
    eventually("all of them to be kept", || keeps.kept.load(Ordering::SeqCst) == 20);
    function.goes_on();
    kind.goes_on();
    for index in 0..20 {
        assert!(stage.failing(&format!("bad_{index}")).is_some());
    }
    drop(held);
    eventually("them to come back", || (0..20).all(|index| stage.failing(&format!("bad_{index}")).is_none()));
}

#[test]
fn functions_that_never_come_back_get_only_a_part_of_the_threads() {
    let (keeps, steady) = (Keeps::default(), Steady::default());
    let held = keeps.gate.lock();
    let mut all = several(MAX_NEWCOMERS + 8, FUNCTION, &keeps);
    for planned in &mut all {
        // They begin within a tenth of it: later than the steady one, and not all at once.
        planned.policy.interval = Duration::from_secs(10);
    }
    all.push(steady.planned(FUNCTION));
    let stage = Stage::set(1, all);
    eventually("the part to be kept", || keeps.kept.load(Ordering::SeqCst) == MAX_NEWCOMERS);
    let refused = || {
        (0..MAX_NEWCOMERS + 8)
            .filter(|index| {
                stage.failing(&format!("bad_{index}")) == Some((Reason::Timeout, Some(Cause::NoFreeThread)))
            })
            .count()
    };
    eventually("the others to be refused", || refused() == 8);
    steady.goes_on();
    assert_eq!(keeps.kept.load(Ordering::SeqCst), MAX_NEWCOMERS);
    drop(held);
}

/// Always has something to do, and gives others their turn in between: as a driver does whose peer never stops talking.
#[derive(Clone, Default)]
struct Busy {
    threads: Arc<Mutex<HashSet<ThreadId>>>,
    going: Arc<AtomicUsize>,
}

struct Going(Arc<AtomicUsize>);

impl Drop for Going {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Check for Busy {
    async fn run(&self, run: &Run) -> Outcome {
        self.going.fetch_add(1, Ordering::SeqCst);
        let _going = Going(Arc::clone(&self.going));
        loop {
            self.threads.lock().insert(std::thread::current().id());
            let end = Instant::now() + FAIR_SHARE / 4;
            while Instant::now() < end && Instant::now() < run.deadline() + FOREVER {
                spin_loop();
            }
            tokio::task::yield_now().await;
        }
    }
}

#[test]
fn a_run_that_is_never_done_goes_on_in_a_thread_of_its_own_and_ends_in_time() {
    let (busy, steady) = (Busy::default(), Steady::default());
    let mut all = several(4, KIND, &busy);
    for planned in &mut all {
        planned.policy.timeout = LIMIT * 3;
    }
    all.push(Planned { name: Name::new("steady").unwrap(), ..planned("steady", FUNCTION, steady.clone()) });
    let mut stage = Stage::set(1, all);
    eventually("more threads than the one worker", || busy.threads.lock().len() > 1);
    eventually("their limit", || (0..4).all(|index| stage.failing(&format!("bad_{index}")).is_some()));
    steady.goes_on();
    stage.stop(FOREVER);
    eventually("all of them to have ended", || busy.going.load(Ordering::SeqCst) == 0);
}

/// Uses more than its share, waits once, and panics.
#[derive(Clone)]
struct Panics;

impl Check for Panics {
    async fn run(&self, _run: &Run) -> Outcome {
        let end = Instant::now() + FAIR_SHARE * 2;
        while Instant::now() < end {
            spin_loop();
        }
        tokio::task::yield_now().await;
        panic!("in a thread of its own");
    }
}

#[test]
fn a_panic_in_a_thread_of_its_own_is_one_of_the_run() {
    let mut all = several(1, KIND, &Panics);
    for planned in &mut all {
        (planned.policy.interval, planned.policy.timeout) = (FOREVER / 2, FOREVER / 3);
    }
    let stage = Stage::set(1, all);
    eventually("its end", || stage.failing("bad_0") == Some((Reason::Panic, None)));
}

#[test]
fn stopping_waits_for_no_code_that_keeps_its_thread() {
    let keeps = Keeps::default();
    let held = keeps.gate.lock();
    let mut stage = Stage::set(1, several(3, FUNCTION, &keeps));
    eventually("all of them to be kept", || keeps.kept.load(Ordering::SeqCst) == 3);
    let begun = Instant::now();
    stage.stop(FOREVER);
    assert!(begun.elapsed() < FOREVER / 2, "it waited for them");
    drop(held);
}

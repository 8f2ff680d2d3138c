//! Traps about checks whose code blocks its thread: a time limit that does not hold, runs that pile up.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use tokio::time::Instant;
use vitalsign::{BlockingCheck, Check, FunctionCheck, Outcome, Run, check};

use super::{SOON, milliseconds};
use crate::harness::{
    eventually::{eventually, eventually_async},
    inside::{Door, Gate, Parts, Whole},
};

/// Its first run passes, once the gate lets it through; every later one fails.
#[derive(Clone, Default)]
struct FirstPasses {
    door: Door,
    runs: Arc<AtomicU32>,
}

impl FirstPasses {
    fn behind(gate: &Gate) -> Self {
        Self { door: gate.door(), runs: Arc::default() }
    }

    fn ask(&self) -> Outcome {
        let first = self.runs.fetch_add(1, Ordering::SeqCst) == 0;
        self.door.pass();
        if first { Outcome::pass() } else { Outcome::fail("a later run") }
    }
}

impl BlockingCheck for FirstPasses {
    fn run(&self, _run: &Run) -> Outcome {
        self.ask()
    }
}

/// The same as code that looks asynchronous and is not.
struct Disguised(FirstPasses);

impl Check for Disguised {
    async fn run(&self, _run: &Run) -> Outcome {
        self.0.ask()
    }
}

fn often(check: FunctionCheck) -> FunctionCheck {
    check.critical().every(milliseconds(200)).timeout(milliseconds(50))
}

#[test]
fn trap_15_a_time_limit_holds_for_blocking_code_and_a_late_result_is_no_pass() {
    let gate = Gate::closed();
    assert_limit_holds(&gate, FunctionCheck::blocking("db", FirstPasses::behind(&gate)));
}

#[test]
fn trap_15_and_for_an_async_function_that_blocks() {
    let gate = Gate::closed();
    assert_limit_holds(&gate, check("db", Disguised(FirstPasses::behind(&gate))));
}

fn assert_limit_holds(gate: &Gate, check: FunctionCheck) {
    let whole = Whole::start([often(check)]);
    eventually("a verdict although the code hangs", SOON, || whole.check("db")["reason"] == "timeout");
    assert_eq!(gate.waiting(), 1, "the code still hangs");
    assert_eq!(whole.status("/health/ready"), 503);
    let took = eventually("the time that it took", SOON, || {
        whole.scrape().value("healthcheck_last_run_duration_seconds", &[("healthcheck_name", "db")])
    });
    assert!(took < 0.06, "{took}: a run counts with its limit, however long it hangs");

    gate.open();
    eventually("the runs after it", SOON, || whole.check("db")["error"] == "a later run");
    let scrape = whole.scrape();
    let db = [("healthcheck_name", "db")];
    assert_eq!(scrape.value("healthcheck_last_success_timestamp_seconds", &db), None);
    assert_eq!(whole.status("/health/startup"), 503, "it has never passed");
}

/// On a runtime with one thread nobody can interrupt such code, and its answer comes before its time limit is looked
/// at: it has to be refused for being late.
#[tokio::test]
async fn trap_15_an_answer_after_the_limit_counts_as_none() {
    struct Late;

    impl Check for Late {
        async fn run(&self, run: &Run) -> Outcome {
            while Instant::now() <= run.deadline() {
                std::hint::spin_loop();
            }
            Outcome::pass()
        }
    }

    let parts = Parts::start([often(check("late", Late)).timeout(milliseconds(5))]);
    eventually_async("a verdict", SOON, async || {
        let late = parts.json("/health/checks/late").await;
        if late["reason"] == "timeout" { Ok(()) } else { Err(late.to_string()) }
    })
    .await;
    let late = [("healthcheck_name", "late")];
    assert_eq!(parts.scrape().value("healthcheck_last_success_timestamp_seconds", &late), None);
}

#[test]
fn trap_19_stuck_runs_do_not_pile_up() {
    let gate = Gate::closed();
    let asked = FirstPasses::behind(&gate);
    assert_no_pile(&gate, FunctionCheck::blocking("db", asked.clone()), &asked);
}

#[test]
fn trap_19_nor_those_of_an_async_function_that_blocks() {
    let gate = Gate::closed();
    let asked = FirstPasses::behind(&gate);
    assert_no_pile(&gate, check("db", Disguised(asked.clone())), &asked);
}

fn assert_no_pile(gate: &Gate, check: FunctionCheck, asked: &FirstPasses) {
    let whole = Whole::start([often(check).without_breaker()]);
    let db = [("healthcheck_name", "db")];
    eventually("runs that were left out", SOON, || {
        // Ticks that this machine had no time for are skipped too, but are no failures.
        let page = whole.scrape();
        let counts = ["healthcheck_skipped_runs_total", "healthcheck_consecutive_failures"];
        let counts = counts.map(|name| page.value(name, &db));
        if counts.iter().all(|count| *count >= Some(5.0)) { Ok(()) } else { Err(format!("{counts:?}")) }
    });
    assert_eq!(asked.runs.load(Ordering::SeqCst), 1);
    let scrape = whole.scrape();
    scrape.expect("healthcheck_active_runs", &db, 1.0);
    scrape.expect("healthcheck_runs_total", &db, 1.0);
    scrape.expect_that("healthcheck_consecutive_failures", &db, "at least 5", |failures| failures >= 5.0);
    assert_eq!(whole.check("db")["error"], "the last run still hangs", "the age of its verdict is no excuse");

    gate.open();
    eventually("new runs", SOON, || asked.runs.load(Ordering::SeqCst) >= 3);
}

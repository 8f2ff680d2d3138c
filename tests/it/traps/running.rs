//! Traps about when checks run and what one of them does to the others.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use tokio::time::sleep;
use vitalsign::{Check, FunctionCheck, Outcome, Run, check, check_with};

use super::{Dependency, SOON, milliseconds, seconds};
use crate::harness::{
    eventually::eventually,
    inside::{Gate, Log, Parts, Whole},
};

#[test]
fn trap_05_one_slow_check_delays_no_other() {
    let gate = Gate::closed();
    let (door, blocking_door) = (gate.door(), gate.door());
    // Each of them would hold up whoever waits for it until long after this test has given up.
    let patient = |check: FunctionCheck| check.every(seconds(3600)).timeout(seconds(3599));
    let whole = Whole::start([
        patient(check_with("waits", (), |()| std::future::pending::<()>())),
        patient(check_with("blocks_its_thread", door, |door| async move { door.pass() })),
        patient(FunctionCheck::blocking("blocks", Blocks(blocking_door))),
        check("quick", async || true).critical().every(milliseconds(500)).timeout(milliseconds(450)),
    ]);
    for slow in ["waits", "blocks_its_thread", "blocks"] {
        let active = [("healthcheck_name", slow)];
        eventually("all slow ones to run", SOON, || {
            whole.scrape().value("healthcheck_active_runs", &active) == Some(1.0)
        });
    }
    let before = whole.runs("quick");
    eventually("ten runs of the quick one", SOON, || whole.runs("quick") >= before + 10.0);
    for slow in ["waits", "blocks_its_thread", "blocks"] {
        whole.scrape().expect("healthcheck_runs_total", &[("healthcheck_name", slow)], 0.0);
    }
    // A slow machine may leave the quick one without an answer for a moment; a slow check would for good.
    eventually("the quick one to count", SOON, || whole.status("/health/ready") == 200);
}

struct Blocks(crate::harness::inside::Door);

impl vitalsign::BlockingCheck for Blocks {
    fn run(&self, _run: &Run) -> Outcome {
        self.0.pass();
        Outcome::pass()
    }
}

/// Nobody can listen to changes from inside the process yet; what is there to go wrong is the check's own code.
#[tokio::test(start_paused = true)]
async fn trap_07_a_panic_ends_neither_its_cycle_nor_another() {
    let asked = Arc::new(AtomicU32::new(0));
    let panics = check_with("panics", Arc::clone(&asked), |asked| async move {
        let run = asked.fetch_add(1, Ordering::SeqCst);
        assert!(run >= 4, "the first four runs end here");
    });
    let in_closure =
        check("panics_early", || -> std::future::Ready<bool> { panic!("before there is a future") });
    let panics = panics.critical().every(seconds(10)).timeout(seconds(1));
    let other = check("other", async || true).every(seconds(10)).timeout(seconds(1));
    let parts = Parts::start([panics, in_closure, other]);
    sleep(seconds(25)).await;
    let db = parts.json("/health/checks/panics").await;
    assert_eq!((&db["status"], &db["reason"]), (&"unhealthy".into(), &"panic".into()));
    assert_eq!(parts.json("/health/checks/panics_early").await["reason"], "panic");
    sleep(seconds(60)).await;
    assert_eq!(parts.json("/health/checks/panics").await["status"], "healthy", "it ran on and recovered");
    let scrape = parts.scrape();
    let labels = [("healthcheck_name", "panics"), ("error_type", "panic")];
    scrape.expect("healthcheck_failures_total", &labels, 4.0);
    let other = [("healthcheck_name", "other")];
    scrape.expect_that("healthcheck_runs_total", &other, "at least 8", |runs| runs >= 8.0);
}

#[tokio::test(start_paused = true)]
async fn trap_07_a_change_is_told_once() {
    let (log, _listening) = Log::listen(tracing::Level::INFO);
    let db = Dependency::up();
    let check = check_with("db", db.clone(), Dependency::ask).every(seconds(10)).timeout(seconds(1));
    let parts = Parts::start([check]);
    sleep(seconds(100)).await;
    assert_eq!(log.text(), "", "nothing is said while all is well");
    db.set(false);
    sleep(seconds(1000)).await;
    let down = ("healthy".to_owned(), "unhealthy".to_owned());
    assert_eq!(log.changes("db"), std::slice::from_ref(&down));
    db.set(true);
    sleep(seconds(1000)).await;
    assert_eq!(log.changes("db"), [down, ("unhealthy".to_owned(), "healthy".to_owned())]);
    let changes = [("healthcheck_name", "db")];
    parts.scrape().expect("healthcheck_state_changes_total", &changes, 2.0);
}

#[tokio::test(start_paused = true)]
async fn trap_18_the_first_run_comes_at_once() {
    let db = Dependency::up();
    let daily = || check_with("db", db.clone(), Dependency::ask).critical().every(seconds(86_400));
    let parts = Parts::start([daily()]);
    sleep(milliseconds(1_001)).await;
    assert!(db.asked() >= 1);
    for path in ["/health", "/health/ready", "/health/startup"] {
        assert_eq!(parts.get(path).await.status, 200, "{path}");
    }

    // A tenth of the interval is soon enough for checks that run more often than every ten seconds.
    let quick = Dependency::up();
    let often = check_with("q", quick.clone(), Dependency::ask).every(seconds(2)).timeout(seconds(1));
    let _parts = Parts::start([often]);
    sleep(milliseconds(201)).await;
    assert!(quick.asked() >= 1);
}

/// Says that the answer is known, and goes on for a while.
struct Tidies;

impl Check for Tidies {
    async fn run(&self, run: &Run) -> Outcome {
        run.answered();
        sleep(seconds(2)).await;
        Outcome::pass()
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_run_does_after_its_answer_is_not_its_latency() {
    let parts = Parts::start([check("tidies", Tidies).every(seconds(10)).timeout(seconds(5))]);
    sleep(seconds(5)).await;
    let tidies = parts.json("/health/checks/tidies").await;
    assert_eq!((tidies["status"].as_str(), tidies["latency_ms"].as_f64()), (Some("healthy"), Some(0.0)));
}

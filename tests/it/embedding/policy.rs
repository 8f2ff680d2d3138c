//! How a check of a program is run and judged, as its builder says.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::sleep;
use vitalsign::{
    FunctionCheck, Outcome, Plan,
    agent::InvalidCheck,
    check, check_with,
    model::{Bound, Limit, Name, Threshold},
};

use crate::harness::inside::Parts;

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn name(name: &str) -> Name {
    Name::new(name).unwrap()
}

fn over(measurement: &str, warn: Option<f64>, fail: Option<f64>) -> Threshold {
    let limit = |enter: f64| Limit { enter, leave: enter * 0.9 };
    Threshold {
        measurement: name(measurement),
        bound: Bound::Upper,
        warn: warn.map(limit),
        fail: fail.map(limit),
        lasting: Duration::ZERO,
    }
}

/// A check that measures what the test says, every second, judged run by run.
fn depth(value: &Arc<Mutex<f64>>, threshold: Threshold) -> FunctionCheck {
    let measure = check_with("queue", Arc::clone(value), |value| async move {
        Outcome::pass().measure(name("depth"), *value.lock())
    });
    let every_second = measure.critical().every(seconds(1)).timeout(Duration::from_millis(500));
    every_second.fail_after(1).recover_after(1).threshold(threshold)
}

#[tokio::test(start_paused = true)]
async fn a_measurement_beyond_its_limit_degrades_and_then_fails() {
    let value = Arc::new(Mutex::new(0.0));
    let parts = Parts::start([depth(&value, over("depth", Some(100.0), Some(200.0)))]);
    // Trouble ends below nine tenths of the limit where it began.
    for (now, status, code) in [
        (99.0, "healthy", 200),
        (100.0, "degraded", 200),
        (95.0, "degraded", 200),
        (89.0, "healthy", 200),
        (200.0, "unhealthy", 503),
        (185.0, "unhealthy", 503),
        (179.0, "degraded", 200),
        (1.0, "healthy", 200),
    ] {
        *value.lock() = now;
        sleep(seconds(3)).await;
        let ready = parts.get("/health/ready").await;
        let queue = &ready.json()["checks"]["queue"];
        assert_eq!((ready.status, &queue["status"]), (code, &status.into()), "{now}: {queue}");
        assert_eq!(queue.get("reason").is_some(), status != "healthy", "{queue}");
        let labels = [("healthcheck_name", "queue"), ("healthcheck_level", "fail")];
        parts.scrape().expect("healthcheck_threshold_ratio", &labels, now / 200.0);
    }
    let labels = [("healthcheck_name", "queue"), ("healthcheck_level", "warn")];
    parts.scrape().expect("healthcheck_threshold_limit", &labels, 100.0);
}

#[tokio::test(start_paused = true)]
async fn a_limit_may_have_to_be_passed_for_a_while() {
    let value = Arc::new(Mutex::new(500.0));
    let lasting = Threshold { lasting: seconds(60), ..over("depth", None, Some(200.0)) };
    let parts = Parts::start([depth(&value, lasting)]);
    sleep(seconds(55)).await;
    assert_eq!(parts.get("/health/ready").await.status, 200);
    sleep(seconds(10)).await;
    assert_eq!(parts.get("/health/ready").await.status, 503);
}

/// A limit on a number that never comes would be green for ever.
#[tokio::test(start_paused = true)]
async fn a_limit_without_its_measurement_is_no_pass() {
    let parts =
        Parts::start([check("queue", async || true).critical().threshold(over("depth", Some(1.0), None))]);
    sleep(seconds(2)).await;
    let ready = parts.get("/health/ready").await;
    assert_eq!((ready.status, &ready.json()["checks"]["queue"]["reason"]), (503, &"unexpected_body".into()));
}

#[tokio::test(start_paused = true)]
async fn a_slow_run_is_a_warning() {
    let slow = |name: &str, takes: u64| {
        let run = check_with(name, takes, |takes| sleep(Duration::from_millis(takes)));
        run.critical().warn_slower_than(Duration::from_millis(250))
    };
    let parts = Parts::start([slow("quick", 200), slow("slow", 300)]);
    sleep(seconds(2)).await;
    let ready = parts.get("/health/ready").await;
    let checks = ready.json()["checks"].clone();
    assert_eq!((ready.status, &checks["quick"]["status"]), (200, &"healthy".into()));
    assert_eq!(
        (&checks["slow"]["status"], &checks["slow"]["reason"]),
        (&"degraded".into(), &"threshold".into())
    );
    assert_eq!(ready.json()["message"], "slow: degraded");
}

/// The first answer counts at once; after it a state moves when enough runs in a row say so.
#[tokio::test(start_paused = true)]
async fn states_move_after_as_many_runs_as_asked_for() {
    let runs = Arc::new(AtomicU32::new(0));
    // Up once, then down for the rest of its first hundred runs, then up.
    let ask = check_with("db", Arc::clone(&runs), |runs| async move {
        let run = runs.fetch_add(1, Ordering::SeqCst);
        run == 0 || run >= 100
    });
    let ask = ask
        .critical()
        .every(seconds(10))
        .timeout(seconds(1))
        .fail_after(4)
        .recover_after(3)
        .without_breaker();
    let parts = Parts::start([ask]);
    let mut moved = Vec::new();
    let mut last = String::new();
    for _ in 0..1_200 {
        sleep(seconds(1)).await;
        let db = parts.json("/health/checks/db").await;
        let status = db["status"].as_str().unwrap().to_owned();
        let count = runs.load(Ordering::SeqCst);
        if (2..=4).contains(&count) {
            assert_eq!(
                (&db["suspect"], &db["consecutive_failures"]),
                (&true.into(), &(count - 1).into()),
                "{db}"
            );
        }
        if status != last && status != "unknown" {
            moved.push((count, status.clone()));
            last = status;
        }
    }
    // Runs 2 to 5 are the four bad ones, 101 to 103 the three good ones. The second may come right after the first.
    let (first, later) = moved.split_first().unwrap();
    assert_eq!((first.0 <= 2, first.1.as_str()), (true, "healthy"));
    assert_eq!(later, [(5, "unhealthy"), (103, "healthy")].map(|(count, status)| (count, status.to_owned())));
}

#[test]
fn what_cannot_be_run_or_judged_is_refused() {
    let add = |check: FunctionCheck| Plan::default().add(check);
    let own = || check("db", async || true);
    for (timeout, interval) in [(5, 5), (5, 1), (0, 5), (0, 0)] {
        let refused = add(own().timeout(seconds(timeout)).every(seconds(interval))).unwrap_err();
        assert!(matches!(refused, InvalidCheck::Policy { .. }), "{timeout} {interval}");
        let refused = refused.to_string();
        let said =
            refused.starts_with("the check db cannot be run: ") && refused.contains("`timeout` must be ");
        assert!(said, "{refused}");
    }
    for (warn, fail) in [(None, None), (Some(2.0), Some(1.0)), (Some(f64::NAN), None)] {
        let refused = add(own().threshold(over("depth", warn, fail))).unwrap_err();
        assert!(
            refused.to_string().starts_with("the check db cannot be run: the limit on depth "),
            "{refused}"
        );
    }
    // As a file is.
    for (refused, wanted) in [
        (
            own().every(Duration::ZERO).timeout(Duration::ZERO),
            "`interval` must be at least 100ms; `timeout` ",
        ),
        (
            own().every(Duration::from_micros(2)).timeout(Duration::from_micros(1)),
            "`interval` must be at least 100ms",
        ),
        (own().every(Duration::MAX), "`interval` must be at most 100 years"),
        (
            own().every(Duration::MAX).timeout(Duration::MAX),
            "`interval` must be at most 100 years; `timeout` must",
        ),
        (
            own().fail_after(0).recover_after(0),
            "`fail_after` must be at least 1; `recover_after` must be at least 1",
        ),
        (own().warn_slower_than(Duration::ZERO), "`warn_slower_than` must be longer than zero"),
    ] {
        let refused = add(refused).unwrap_err().to_string();
        assert!(refused.starts_with(&format!("the check db cannot be run: {wanted}")), "{refused}");
    }
    add(own().timeout(seconds(1)).every(seconds(2)).threshold(over("depth", Some(1.0), Some(2.0)))).unwrap();
}

/// A policy that was changed after it was found good is kept as well as it can be; nothing overflows.
#[tokio::test(start_paused = true)]
async fn durations_without_end_overflow_nothing() {
    let mut plan = Plan::default();
    plan.add(check("db", async || true).critical()).unwrap();
    plan.add(check("cache", async || false)).unwrap();
    for planned in &mut plan.checks {
        (planned.policy.interval, planned.policy.timeout) = (Duration::MAX, Duration::MAX);
    }
    let parts = Parts::of(plan.checks);
    sleep(seconds(2)).await;
    let ready = parts.get("/health/ready").await;
    assert_eq!((ready.status, &ready.json()["checks"]["db"]["status"]), (200, &"healthy".into()));
    assert_eq!(parts.json("/health/checks/cache").await["status"], "unhealthy");
}

/// A rule that asks by how much a counter grew never sees one that begins at 1.
#[tokio::test(start_paused = true)]
async fn the_counters_of_what_a_check_can_fail_for_are_there_from_the_start() {
    let warned = check("warned", async || true).threshold(over("depth", Some(1.0), None));
    let failed = check("failed", async || true).threshold(over("depth", Some(1.0), Some(2.0)));
    let parts = Parts::start([check("plain", async || true), warned, failed]);
    let page = parts.scrape();
    let failures = |name: &str, reason: &str| {
        page.value("healthcheck_failures_total", &[("healthcheck_name", name), ("error_type", reason)])
    };
    for (name, reason, there) in [
        ("plain", "timeout", true),
        ("plain", "panic", true),
        ("plain", "threshold", false),
        ("plain", "unexpected_body", false),
        ("warned", "threshold", false),
        ("warned", "unexpected_body", true),
        ("failed", "threshold", true),
        ("failed", "unexpected_body", true),
    ] {
        assert_eq!(failures(name, reason), there.then_some(0.0), "{name} {reason}");
    }
}

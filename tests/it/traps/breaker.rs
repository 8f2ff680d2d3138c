//! Traps about a circuit breaker that is open: it must make the verdict neither worse nor better.
//!
//! Passive circuits, around the calls that an application makes itself, are not there yet; for them trap 17 will ask
//! that an open one makes its entry degraded at most, whatever the criticality.

use tokio::time::sleep;
use vitalsign::{
    FunctionCheck, Outcome, check_with,
    model::{Bound, Limit, Name, Reason, Threshold},
};

use super::{Dependency, seconds};
use crate::harness::inside::Parts;

fn down(name: &str, dependency: &Dependency) -> FunctionCheck {
    check_with(name, dependency.clone(), Dependency::ask).every(seconds(10)).timeout(seconds(2))
}

fn breaker_is_open(parts: &Parts, name: &str) -> bool {
    let labels = [("healthcheck_name", name), ("healthcheck_circuit_breaker_state", "open")];
    parts.scrape().value("healthcheck_circuit_breaker_status", &labels) == Some(1.0)
}

#[tokio::test(start_paused = true)]
async fn trap_17_an_open_breaker_makes_no_outage_of_a_degrading_check() {
    let cache = Dependency::down();
    let parts = Parts::start([down("cache", &cache), down("db", &Dependency::up()).critical()]);
    let mut opened = false;
    for _ in 0..1_000 {
        sleep(seconds(1)).await;
        opened |= breaker_is_open(&parts, "cache");
        for path in ["/health", "/health/ready", "/health/startup", "/health/live"] {
            assert_eq!(parts.get(path).await.status, 200, "{path}");
        }
    }
    assert!(opened);
    let health = parts.json("/health").await;
    assert_eq!(
        (&health["status"], &health["message"]),
        (&"degraded".into(), &"cache: unhealthy (degrading)".into())
    );
}

#[tokio::test(start_paused = true)]
async fn trap_17b_an_open_breaker_keeps_its_verdict() {
    let db = Dependency::down();
    let parts = Parts::start([down("db", &db).critical()]);
    sleep(seconds(1)).await;
    let (mut opened, mut spared) = (0, false);
    for _ in 0..3_600 {
        sleep(seconds(1)).await;
        let ready = parts.get("/health/ready").await;
        let document = ready.json();
        let check = &document["checks"]["db"];
        assert_eq!((ready.status, &document["message"]), (503, &"db: unhealthy".into()));
        assert_eq!((&check["status"], &check["reason"]), (&"unhealthy".into(), &"_OTHER".into()));
        assert!(
            check["age_seconds"].as_f64().unwrap() < 15.0,
            "the verdict is renewed at every tick: {check}"
        );
        parts.scrape().expect("healthcheck_up", &[("healthcheck_name", "db")], 0.0);
        opened += u32::from(breaker_is_open(&parts, "db"));
        let open = check["circuit_breaker"] == "open";
        assert_eq!(check["circuit_breaker_until"].is_string(), open, "{check}");
        spared |= open;
    }
    assert!(opened > 3_000 && spared, "this was about an open breaker");
    assert!(db.asked() < 180, "of 360 runs {} were not spared", db.asked());

    db.set(true);
    sleep(seconds(120)).await;
    assert_eq!(parts.get("/health/ready").await.status, 200);
    assert!(!breaker_is_open(&parts, "db"));
    assert!(parts.json("/health").await["checks"]["db"]["circuit_breaker"].is_null());
}

/// A dependency that answers is not down, however bad its answer is: sparing it would hide when it gets better.
#[tokio::test(start_paused = true)]
async fn a_threshold_breach_opens_no_breaker() {
    let depth = || Name::new("depth").unwrap();
    let (measured, judged) = (Dependency::up(), Dependency::up());
    let limit = Threshold {
        measurement: depth(),
        bound: Bound::Upper,
        warn: None,
        fail: Some(Limit { enter: 200.0, leave: 180.0 }),
        lasting: seconds(0),
    };
    let parts = Parts::start([
        check_with("measured", measured.clone(), move |queue| async move {
            queue.ask().await;
            Outcome::pass().measure(depth(), 500.0)
        })
        .threshold(limit)
        .every(seconds(10))
        .timeout(seconds(2)),
        check_with("judged", judged.clone(), |queue| async move {
            queue.ask().await;
            Outcome::failed(Reason::Threshold)
        })
        .every(seconds(10))
        .timeout(seconds(2)),
    ]);
    sleep(seconds(3_600)).await;
    for (name, asked) in [("measured", measured.asked()), ("judged", judged.asked())] {
        let check = parts.json(&format!("/health/checks/{name}")).await;
        assert_eq!(
            (&check["status"], &check["reason"]),
            (&"unhealthy".into(), &"threshold".into()),
            "{check}"
        );
        assert!(!breaker_is_open(&parts, name));
        let rejections = "healthcheck_circuit_breaker_rejections_total";
        parts.scrape().expect(rejections, &[("healthcheck_name", name)], 0.0);
        assert!(asked > 320, "{name} was asked {asked} times in 360 intervals");
    }
}

//! Which checks count in which group, and how far.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;
use vitalsign::{FunctionCheck, Plan, check, check_with, config::Document};

use super::name;
use crate::harness::inside::Parts;

fn fails(name: &str) -> FunctionCheck {
    check(name, async || false)
}

async fn members(parts: &Parts, group: &str) -> Vec<String> {
    let document = parts.json(&format!("/health/groups/{group}")).await;
    document
        .get("checks")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, _)| name.clone())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn criticality_decides_who_is_in_and_how_far_it_pulls_down() {
    for (failing, health, ready) in
        [(fails("x").critical(), 503, 503), (fails("x"), 200, 200), (fails("x").informational(), 200, 200)]
    {
        let parts = Parts::start([failing, check("db", async || true).critical()]);
        sleep(Duration::from_secs(2)).await;
        assert_eq!(parts.get("/health").await.status, health);
        assert_eq!(parts.get("/health/ready").await.status, ready);
    }
    let parts = Parts::start([fails("a").critical(), fails("b").degrading(), fails("c").informational()]);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(members(&parts, "health").await, ["a", "b", "c"]);
    assert_eq!(members(&parts, "ready").await, ["a"]);
    assert_eq!(members(&parts, "startup").await, ["a"]);
    let health = parts.json("/health").await;
    assert_eq!(health["message"], "a: unhealthy");
    assert_eq!(health["checks"]["c"]["status"], "unhealthy", "shown all the same");
}

#[tokio::test(start_paused = true)]
async fn a_group_of_ones_own_stands_for_its_members_only() {
    let parts = Parts::start([
        fails("cache").group(name("edge")),
        fails("db").critical().group(name("core")),
        check("cpu", async || true).group(name("edge")).group(name("ready")),
    ]);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(members(&parts, "edge").await, ["cache", "cpu"]);
    assert_eq!(members(&parts, "ready").await, ["cpu", "db"]);
    let edge = parts.get("/health/groups/edge").await;
    assert_eq!((edge.status, &edge.json()["message"]), (200, &"cache: unhealthy (degrading)".into()));
    assert_eq!(parts.get("/health/groups/core").await.status, 503);
    let group = |name, up| parts.scrape().expect("healthcheck_group_up", &[("healthcheck_group", name)], up);
    group("edge", 1.0);
    group("core", 0.0);
}

#[tokio::test(start_paused = true)]
async fn startup_opens_once_each_critical_check_has_passed_and_never_closes() {
    let (db, queue) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
    let ask = |name, up: &Arc<AtomicBool>| {
        let often = check_with(name, Arc::clone(up), |up| async move { up.load(Ordering::SeqCst) });
        often.critical().every(Duration::from_secs(5)).timeout(Duration::from_secs(1)).without_breaker()
    };
    let parts = Parts::start([ask("db", &db), ask("queue", &queue), fails("cache")]);
    sleep(Duration::from_secs(2)).await;
    let startup = parts.get("/health/startup").await;
    assert_eq!((startup.status, &startup.json()["message"]), (503, &"queue: has not passed yet".into()));

    // Not both at the same time: each has to pass once.
    db.store(false, Ordering::SeqCst);
    sleep(Duration::from_secs(60)).await;
    queue.store(true, Ordering::SeqCst);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(parts.get("/health/startup").await.status, 200);
    assert_eq!(parts.get("/health/ready").await.status, 503, "the database is still down");

    queue.store(false, Ordering::SeqCst);
    sleep(Duration::from_secs(600)).await;
    assert_eq!(parts.get("/health/startup").await.status, 200, "a started service does not start again");
    assert_eq!(parts.get("/health/ready").await.status, 503);
}

#[tokio::test(start_paused = true)]
async fn without_checks_all_is_well() {
    let parts = Parts::start([]);
    for path in ["/health", "/health/live", "/health/ready", "/health/startup"] {
        assert_eq!(parts.get(path).await.status, 200, "{path}");
    }
}

/// A restart brings no answer: not where the first one is awaited, nor where the last one has grown too old.
#[tokio::test(start_paused = true)]
async fn live_is_not_failed_by_an_unknown_state() {
    let local = |check: FunctionCheck| {
        check.critical().group(name("live")).every(Duration::from_secs(4)).timeout(Duration::from_secs(3))
    };
    let pending = check_with("pending", (), |()| std::future::pending::<bool>());
    let mut parts = Parts::start([
        local(pending).every(Duration::from_secs(60)).timeout(Duration::from_secs(59)),
        local(check("old", async || true)),
    ]);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(parts.get("/health/live").await.status, 200, "one was never answered");
    parts.lose_runner();
    sleep(Duration::from_secs(20)).await;
    assert_eq!(parts.json("/health/checks/pending").await["status"], "unknown");
    assert_eq!(parts.json("/health/checks/old").await["reason"], "stale");
    assert_eq!(parts.get("/health/live").await.status, 200, "the other is stale");
    assert_eq!(parts.get("/health/ready").await.status, 503);

    let parts = Parts::start([local(fails("full"))]);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(parts.get("/health/live").await.status, 503, "this is an answer");
}

/// A restart would not mend a database, so its check cannot ask for one.
#[test]
fn live_refuses_checks_of_anything_elsewhere() {
    let read = |text: &str| Plan::read(Document::parse("t", text, &|_| None)).map(|_| ());
    let problems = read("checks: { mail: { kind: tcp, address: 'mail:25', groups: [live] } }").unwrap_err();
    assert_eq!(
        problems.to_string(),
        "t:1:58: checks.mail.groups: a check of kind tcp cannot be in `live`: a restart of this process would not mend what it \
         looks at; use `ready`"
    );
    read("checks: { full: { kind: disk, groups: [live] } }").unwrap();
}

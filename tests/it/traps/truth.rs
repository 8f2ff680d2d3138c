//! Traps about saying that all is well without knowing it.

use std::net::TcpListener;

use tokio::{
    runtime::Builder,
    time::{Instant, sleep},
};
use vitalsign::{
    check, check_with,
    health::Board,
    metrics::Store,
    model::{Criticality, Name, State},
    runner::Runner,
    web::{Faces, Limits, Server},
};

use super::{Dependency, SOON, milliseconds, seconds};
use crate::harness::{
    eventually::{eventually, same},
    http,
    inside::{Gate, Parts, plan},
    scrape::Scrape,
};

#[track_caller]
fn assert_state(scrape: &Scrape, check: &str, wanted: &str) {
    for state in State::ALL.map(State::as_str) {
        let value = f64::from(u8::from(state == wanted));
        let labels = [("healthcheck_name", check), ("healthcheck_state", state)];
        scrape.expect("healthcheck_status", &labels, value);
    }
}

#[tokio::test(start_paused = true)]
async fn trap_03_nothing_is_green_before_the_first_result() {
    let parts = Parts::start([
        check_with("db", (), |()| std::future::pending::<()>())
            .critical()
            .every(seconds(60))
            .timeout(seconds(30)),
        check_with("cache", (), |()| std::future::pending::<()>())
            .informational()
            .every(seconds(60))
            .timeout(seconds(30)),
    ]);
    sleep(seconds(20)).await;
    for path in ["/health", "/health/ready", "/health/startup", "/health/checks/db", "/health/checks/cache"] {
        assert_eq!(parts.get(path).await.status, 503, "{path}");
    }
    assert_eq!(parts.get("/health/live").await.status, 200, "a restart would not help");
    let health = parts.json("/health").await;
    assert_eq!(health["message"], "no check has answered yet");
    assert_eq!(health["checks"]["db"]["status"], "unknown");
    let scrape = parts.scrape();
    assert_eq!(scrape.values("healthcheck_up").len(), 0, "neither up nor down is known");
    assert_state(&scrape, "db", "unknown");
    for (group, up) in [("health", 0.0), ("ready", 0.0), ("startup", 0.0), ("live", 1.0)] {
        scrape.expect("healthcheck_group_up", &[("healthcheck_group", group)], up);
    }
}

#[tokio::test(start_paused = true)]
async fn trap_04_an_old_green_is_not_served() {
    let mut parts = Parts::start([
        check("db", async || true).critical().every(seconds(10)).timeout(seconds(2)),
        check("cache", async || true).every(seconds(10)).timeout(seconds(2)),
    ]);
    sleep(seconds(15)).await;
    assert_eq!(parts.get("/health/ready").await.status, 200);
    parts.scrape().expect("healthcheck_up", &[("healthcheck_name", "db")], 1.0);

    parts.lose_runner();
    sleep(seconds(31)).await; // three intervals
    assert_eq!(parts.get("/health/ready").await.status, 503);
    assert_eq!(parts.get("/health/checks/cache").await.status, 503);
    let health = parts.json("/health").await;
    assert_eq!(health["message"], "db: unknown");
    let db = &health["checks"]["db"];
    assert_eq!((&db["status"], &db["reason"]), (&"unknown".into(), &"stale".into()));
    assert!(db["age_seconds"].as_f64().unwrap() > 30.0, "{db}");
    assert!(
        parts.ask("GET", "/health?verbose", &[]).await.text().contains("[?] db unknown: the last answer")
    );
    let scrape = parts.scrape();
    assert_state(&scrape, "db", "unknown");
    scrape.expect("healthcheck_up", &[("healthcheck_name", "db")], 0.0);
    scrape.expect("healthcheck_group_up", &[("healthcheck_group", "ready")], 0.0);
}

/// The limit is 30 s, so this is for paused time; that another thread tells it is the next test's.
#[tokio::test(start_paused = true)]
async fn live_says_that_the_runtime_is_stalled_once_its_pulse_is_too_old() {
    let mut parts = Parts::start([]);
    sleep(seconds(300)).await;
    assert_eq!(parts.get("/health/live").await.status, 200);
    parts.lose_runner();
    // The runner's own last beat may be anything up to its interval and a tenth old; from this one on time is counted.
    parts.board.pulse().beat();
    sleep(seconds(29)).await;
    assert_eq!(parts.get("/health/live").await.status, 200, "patience before a restart");
    sleep(seconds(2)).await;
    let live = parts.get("/health/live").await;
    assert_eq!((live.status, &live.json()["reason"]), (503, &"runtime stalled".into()));
    parts.scrape().expect("healthcheck_group_up", &[("healthcheck_group", "live")], 0.0);
    parts.board.pulse().beat();
    assert_eq!(parts.get("/health/live").await.status, 200, "nothing latches it");
}

/// On a runtime of the embedding program's, where code that blocks its thread holds up all else: that of an agent it
/// cannot (`hostile::starving`).
#[test]
fn a_stuck_runner_is_told_by_the_thread_of_the_web() {
    let gate = Gate::default();
    let wedge = check_with("wedge", gate.door(), |door| async move { door.pass() })
        .every(milliseconds(100))
        .timeout(milliseconds(50));
    let steady =
        check("steady", async || true).critical().every(milliseconds(500)).timeout(milliseconds(450));
    let (store, runtime) =
        (Store::new(), Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap());
    let board = Board::new(store.clone());
    let _runner = {
        let _on_runtime = runtime.enter();
        Runner::start(plan([steady, wedge]).checks, &board, &store).unwrap()
    };
    let faces = Faces::new(&board, &store, "orders", "1.4.2", Vec::new()).unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let server = Server::start(vec![listener], &faces, Limits::default()).unwrap();
    let get = |path: &str| http::get(server.addresses()[0], path);
    let status = |path: &str| get(path).status;
    let scrape = || Scrape::parse(get("/metrics").text());
    eventually("all is well", SOON, || status("/health") == 200);
    eventually("the metrics to say so", SOON, || {
        scrape().value("healthcheck_up", &[("healthcheck_name", "steady")]) == Some(1.0)
    });

    gate.close();
    eventually("the thread of the runner to be stuck", SOON, || same(gate.waiting(), &1));
    eventually("ready to say that it knows nothing", SOON, || {
        let ready = get("/health/ready");
        let told = (ready.status, ready.json()["message"].clone());
        if told == (503, "steady: unknown".into()) { Ok(()) } else { Err(format!("{told:?}")) }
    });
    assert_eq!(gate.waiting(), 1, "the thread of the runner is stuck, as this test wants it");
    eventually("the metrics to say so", SOON, || {
        scrape().value("healthcheck_up", &[("healthcheck_name", "steady")]) == Some(0.0)
    });
    assert_state(&scrape(), "steady", "unknown");
    assert_eq!(get("/health/checks/steady").json()["reason"], "stale");
    // All of this may have taken a slow machine longer than the runner's last beat lasts.
    board.pulse().beat();
    assert_eq!(status("/health/live"), 200, "stuck, but not for long enough to be restarted");

    gate.open();
    eventually("all is well again", SOON, || status("/health") == 200);
}

#[tokio::test(start_paused = true)]
async fn trap_08_recovery_during_drain_does_not_reopen_ready() {
    let db = Dependency::down();
    let ask = |name| {
        check_with(name, db.clone(), Dependency::ask).every(seconds(5)).timeout(seconds(2)).recover_after(1)
    };
    let parts = Parts::start([ask("db").critical(), ask("cache")]);
    sleep(seconds(5)).await;
    assert_eq!(parts.json("/health/ready").await["message"], "db: unhealthy");
    parts.board.drain();
    assert_eq!(parts.json("/health/ready").await["message"], "draining");
    db.set(true);
    for _ in 0..60 {
        sleep(seconds(1)).await;
        let ready = parts.get("/health/ready").await;
        assert_eq!((ready.status, &ready.json()["message"]), (503, &"draining".into()));
        parts.scrape().expect("healthcheck_group_up", &[("healthcheck_group", "ready")], 0.0);
    }
    assert_eq!(parts.json("/health").await["checks"]["db"]["status"], "healthy", "it did recover");
    assert_eq!(parts.get("/health/live").await.status, 200);
}

#[test]
fn trap_14_unknown_is_never_better_than_unhealthy() {
    for criticality in Criticality::ALL {
        let worst = criticality.cap(State::Unhealthy);
        assert_eq!(criticality.cap(State::Unknown), worst, "{criticality}");
        for state in State::ALL {
            assert!(criticality.cap(state) <= worst, "{criticality} {state}");
        }
    }
}

/// The same of whole groups: with one check unhealthy and one unknown no group is better than with two unhealthy.
#[tokio::test(start_paused = true)]
async fn trap_14_not_in_any_group() {
    let own = Name::new("own").unwrap();
    let of = |name, criticality: Criticality, down: bool| {
        let check = check_with(name, (), move |()| async move {
            if !down {
                std::future::pending::<()>().await;
            }
            false
        });
        let check = check.every(seconds(60)).timeout(seconds(59)).group(own.clone());
        match criticality {
            Criticality::Critical => check.critical(),
            Criticality::Degrading => check.degrading(),
            Criticality::Informational => check.informational(),
        }
    };
    for criticality in Criticality::ALL {
        let both = Parts::start([of("a", criticality, true), of("b", criticality, true)]);
        let half = Parts::start([of("a", criticality, true), of("b", criticality, false)]);
        sleep(seconds(5)).await;
        for group in ["health", "ready", "startup", "own"] {
            let state = |parts: &Parts| parts.board.group(group, Instant::now()).unwrap().state;
            assert_eq!(state(&half), state(&both), "{criticality} in {group}");
        }
        assert_eq!(half.get("/health/checks/b").await.status, 503);
    }
}

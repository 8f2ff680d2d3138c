//! Traps about what an answer says: its words, its consistency, and what must not be in it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::time::sleep;
use vitalsign::{
    Outcome, check, check_with,
    model::{Criticality, Reason, State},
};

use super::{SOON, milliseconds, seconds};
use crate::harness::{
    eventually::eventually,
    inside::{Log, Parts, Whole},
};

#[test]
fn trap_09_answers_share_nothing() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let flip = check("flip", async || {
        let run = RUNS.fetch_add(1, Ordering::SeqCst);
        let outcome = if run.is_multiple_of(2) { Outcome::pass() } else { Outcome::failed(Reason::Auth) };
        outcome.detail("run", run).detail("odd", run % 2 == 1)
    });
    let often = flip.critical().every(milliseconds(100)).timeout(milliseconds(50));
    let whole = Whole::start([often.fail_after(1).recover_after(1).without_breaker()]);
    eventually("a verdict", SOON, || whole.check("flip")["status"] != "unknown");

    let enough = AtomicBool::new(false);
    let read = || {
        let (mut healthy, mut unhealthy, mut last) = (0, 0, 0);
        while !enough.load(Ordering::SeqCst) {
            let answer = whole.get("/health");
            let document = answer.json();
            let flip = &document["checks"]["flip"];
            // A run that this machine had no time for says nothing, nor does one that is too old by now.
            let Some(run) = flip["details"]["run"].as_u64().filter(|_| flip["reason"] != "stale") else {
                continue;
            };
            assert!(run >= last, "an answer is older than the one before");
            last = run;
            if document["status"] == "healthy" {
                healthy += 1;
                assert_eq!((answer.status, run % 2), (200, 0), "{document}");
                assert_eq!((&flip["status"], &flip["details"]["odd"]), (&"healthy".into(), &false.into()));
                assert_eq!(flip["consecutive_failures"], 0, "{document}");
                assert!(flip.get("reason").is_none() && document.get("message").is_none(), "{document}");
            } else {
                unhealthy += 1;
                assert_eq!((answer.status, run % 2), (503, 1), "{document}");
                assert_eq!((&flip["status"], &flip["reason"]), (&"unhealthy".into(), &"auth".into()));
                assert_eq!(document["message"], "flip: unhealthy");
            }
            if healthy >= 250 && unhealthy >= 250 {
                enough.store(true, Ordering::SeqCst);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(read);
        }
    });
}

/// The words that the documentation, dashboards and alert rules know.
#[tokio::test(start_paused = true)]
async fn trap_13_words_are_those_of_the_documents() {
    assert_eq!(State::ALL.map(State::as_str), ["healthy", "degraded", "unhealthy", "unknown"]);
    assert_eq!(Criticality::ALL.map(Criticality::as_str), ["critical", "degrading", "informational"]);
    let parts = Parts::start([
        check("healthy", async || true),
        check("degraded", async || Outcome::warn("getting slow")),
        check("unhealthy", async || false),
        check_with("unknown", (), |()| std::future::pending::<()>()).every(seconds(60)).timeout(seconds(59)),
    ]);
    sleep(seconds(5)).await;

    let health = parts.json("/health").await;
    let ietf = parts.ask("GET", "/health", &[("accept", "application/health+json")]).await.json();
    let text = parts.get("/health?verbose").await;
    let scrape = parts.scrape();
    for (word, draft, mark) in [
        ("healthy", "pass", "[+]"),
        ("degraded", "warn", "[~]"),
        ("unhealthy", "fail", "[-]"),
        ("unknown", "fail", "[?]"),
    ] {
        assert_eq!(health["checks"][word]["status"], word);
        let key = if word == "unknown" { word.to_owned() } else { format!("{word}:responseTime") };
        assert_eq!(ietf["checks"][key][0]["status"], draft, "{ietf}");
        assert!(text.text().contains(&format!("{mark} {word} {word}")), "{}", text.text());
        let labels = [("healthcheck_name", word), ("healthcheck_state", word)];
        scrape.expect("healthcheck_status", &labels, 1.0);
    }
    assert_eq!((&health["status"], &ietf["status"]), (&"degraded".into(), &"warn".into()));
    assert!(text.text().ends_with("[~] health degraded: degraded: degraded (degrading); unhealthy: unhealthy (degrading); unknown: unknown (degrading)\n"), "{}", text.text());
}

#[tokio::test(start_paused = true)]
async fn trap_16_no_answer_shows_what_the_driver_said() {
    const SAID: &str =
        "FATAL: password authentication failed: postgres://canary:hunter2@canary-db:5432/canary";
    let (log, _listening) = Log::listen(tracing::Level::INFO);
    let parts = Parts::start([
        check("error", async || Err::<(), _>(SAID)).critical(),
        check("because", async || Outcome::failed(Reason::Auth).because(SAID)).critical(),
        check("panic", async || -> bool { panic!("{SAID}") }),
    ]);
    sleep(seconds(90)).await;

    assert_eq!(parts.json("/health/checks/because").await["error"], "credentials refused");
    assert_eq!(parts.json("/health/checks/error").await["error"], "the check failed");
    assert_eq!(parts.json("/health/checks/panic").await["error"], "the check panicked");
    for path in ["/health", "/health/ready", "/health/live", "/health/checks/error", "/health/checks/panic"] {
        for accept in ["application/json", "application/health+json", "text/plain"] {
            let answer = parts.ask("GET", path, &[("accept", accept)]).await;
            let all = format!("{:?} {}", answer.headers, answer.text());
            assert!(!all.contains("canary") && !all.contains("hunter2"), "{path}: {all}");
        }
    }
    let page = format!("{:?}", parts.scrape());
    assert!(page.contains("because") && !page.contains("canary") && !page.contains("hunter2"), "{page}");
    assert_eq!(log.changes("error").len(), 1, "{}", log.text());
    assert!(!log.text().contains("canary") && !log.text().contains("hunter2"), "{}", log.text());
}

/// A program on the same machine sees everything that is no secret; what the driver said is none of it.
#[test]
fn trap_16_not_even_to_the_operator() {
    let whole = Whole::start([check("db", async || Err::<(), _>("host canary-db is down")).critical()]);
    eventually("a verdict", SOON, || whole.check("db")["status"] == "unhealthy");
    for path in ["/health", "/health?verbose", "/health/checks/db", "/metrics", "/"] {
        assert!(!whole.get(path).text().contains("canary"), "{path}");
    }
}

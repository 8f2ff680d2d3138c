//! Traps about /metrics and about measuring requests.

use axum::{body::Body, http::Request};
use tower::ServiceExt;
use vitalsign::{check, check_with, health::Board, metrics::Store, web::Faces};

use super::{Dependency, SOON, milliseconds, seconds};
use crate::harness::{
    eventually::eventually,
    http,
    inside::{Gate, Parts, Whole, give_up_on, scrape_of},
};

#[test]
fn trap_01_metrics_answer_200_while_unhealthy() {
    let whole = Whole::start([check("db", async || false).critical()]);
    eventually("a verdict", SOON, || whole.check("db")["status"] == "unhealthy");
    assert_eq!(whole.status("/health"), 503);
    whole.scrape().expect("healthcheck_up", &[("healthcheck_name", "db")], 0.0);
    whole.scrape().expect("healthcheck_group_up", &[("healthcheck_group", "ready")], 0.0);
}

#[test]
fn trap_02_a_scrape_runs_no_check() {
    let db = Dependency::up();
    let whole = Whole::start([
        check_with("db", db.clone(), Dependency::ask).critical().every(seconds(3600)),
        check_with("slow", (), |()| std::future::pending::<()>()).every(seconds(3600)).timeout(seconds(3599)),
    ]);
    let slow = [("healthcheck_name", "slow")];
    eventually("the first runs", SOON, || {
        whole.runs("db") >= 1.0 && whole.scrape().value("healthcheck_active_runs", &slow) == Some(1.0)
    });
    let before = db.asked();
    for path in ["/metrics", "/health", "/health/ready", "/health/checks/db", "/health/checks/slow"] {
        for _ in 0..50 {
            whole.get(path);
        }
    }
    // The second run comes anywhere in the first hour.
    assert!(db.asked() <= before + 1, "250 requests led to {} runs", db.asked() - before);
    whole.scrape().expect("healthcheck_active_runs", &slow, 1.0);
}

#[tokio::test]
async fn trap_11_unknown_paths_are_no_labels() {
    let parts = Parts::start([]);
    for number in 0..100 {
        let path = format!("/orders/{number}?token=canary");
        assert_eq!(parts.get(&path).await.status, 404);
        assert_eq!(parts.get(&format!("/health/checks/canary{number}")).await.status, 404);
    }
    assert_eq!(parts.ask(&"BREW".repeat(5), "/orders/1", &[]).await.status, 404);
    assert_eq!(parts.ask("DELETE", "/metrics", &[]).await.status, 405);

    let scrape = parts.scrape();
    let mut routes: Vec<_> = scrape
        .values("http_server_request_duration_seconds_count")
        .iter()
        .map(|series| {
            let label = |name: &str| series.labels.get(name).map_or("", String::as_str).to_owned();
            (label("http_request_method"), label("http_route"), label("http_response_status_code"))
        })
        .collect();
    routes.sort();
    let wanted = [
        ("DELETE", "/metrics", "405"),
        ("GET", "", "404"),
        ("GET", "/health/checks/{check}", "404"),
        ("_OTHER", "", "404"),
    ];
    let wanted = wanted.map(|(method, route, status)| (method.into(), route.into(), status.into()));
    assert_eq!(routes, wanted);
    assert!(!format!("{scrape:?}").contains("canary"));
}

#[tokio::test]
async fn trap_12_a_cancelled_request_leaves_no_gauge_behind() {
    let gate = Gate::closed();
    let (store, door) = (Store::new(), gate.door());
    let refresh = Box::new(move |_| {
        door.pass();
        None
    });
    let faces = Faces::new(&Board::new(store.clone()), &store, "orders", "1", vec![refresh]).unwrap();
    let active = |value: f64| {
        let labels = [("http_request_method", "GET")];
        scrape_of(&store).expect("http_server_active_requests", &labels, value);
    };

    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    give_up_on(faces.router().oneshot(request), || active(1.0)).await;
    active(0.0);
    let cancelled = [("http_route", "/metrics"), ("error_type", "cancelled")];
    scrape_of(&store).expect("http_server_request_duration_seconds_count", &cancelled, 1.0);
}

#[test]
fn trap_12_nor_does_a_client_that_hangs_up() {
    let whole = Whole::start([check("db", async || true).every(milliseconds(100)).timeout(milliseconds(50))]);
    for _ in 0..50 {
        let mut stream = std::net::TcpStream::connect(whole.addr).unwrap();
        std::io::Write::write_all(&mut stream, b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    }
    // None where the page was made before this scrape came.
    eventually("at most this scrape in flight", SOON, || {
        let labels = [("http_request_method", "GET")];
        let active = whole.scrape().value("http_server_active_requests", &labels);
        if active.is_some_and(|active| active <= 1.0) { Ok(()) } else { Err(format!("{active:?}")) }
    });
    assert_eq!(http::get(whole.addr, "/health/live").status, 200);
}

//! What is answered over HTTP: every path and alias, in every form, with the right status and headers, and no more than
//! who asks may see.

use std::io::Read;

use vitalsign::{
    Outcome, Plan, check, check_with,
    config::Document,
    model::{Name, Reason},
};

use crate::harness::{
    eventually::eventually,
    http::{self, Response},
    inside::{Whole, plan},
    ports,
    scrape::Scrape,
};

#[path = "http/groups.rs"]
mod groups;

const SOON: std::time::Duration = std::time::Duration::from_secs(60);

/// All paths that tell of groups, with the group.
const GROUPS: [(&str, &str); 14] = [
    ("/health", "health"),
    ("/health/live", "live"),
    ("/health/ready", "ready"),
    ("/health/startup", "startup"),
    ("/health/groups/health", "health"),
    ("/health/groups/live", "live"),
    ("/health/groups/ready", "ready"),
    ("/health/groups/edge", "edge"),
    ("/healthz", "health"),
    ("/livez", "live"),
    ("/readyz", "ready"),
    ("/startupz", "startup"),
    ("/-/healthy", "live"),
    ("/-/ready", "ready"),
];

fn name(name: &str) -> Name {
    Name::new(name).unwrap()
}

/// A critical check that passes, and one that fails and degrades.
fn two_checks() -> Whole {
    let whole = Whole::start([
        check("db", async || Outcome::pass().measure(name("rows"), 7.0).detail("version", "17"))
            .critical()
            .group(name("edge")),
        check("cache", async || Outcome::failed(Reason::Auth).detail("user", "orders")),
    ]);
    eventually("both verdicts", SOON, || {
        whole.check("db")["status"] == "healthy" && whole.check("cache")["status"] == "unhealthy"
    });
    whole
}

fn accepting(whole: &Whole, path: &str, accept: &str) -> Response {
    http::get_with(whole.addr, path, &[("accept", accept)])
}

#[test]
fn every_path_and_alias_answers_for_its_group() {
    let whole = two_checks();
    for (path, group) in GROUPS {
        let answer = whole.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let wanted = if group == "health" { "degraded" } else { "healthy" };
        assert_eq!(answer.json()["status"], wanted, "{path}");
        let last = accepting(&whole, path, "text/plain").text().lines().last().unwrap().to_owned();
        assert!(last.contains(&format!(" {group} {wanted}")), "{path}: {last}");
    }
    assert_eq!(whole.status("/health/checks/db"), 200);
    assert_eq!(whole.status("/health/checks/cache"), 503, "a check alone stands for itself");
    let front = whole.get("/");
    assert_eq!((front.status, front.header("content-type")), (200, Some("text/html; charset=utf-8")));
}

#[test]
fn every_form_has_its_headers_and_nothing_is_refused() {
    let whole = two_checks();
    let long = format!("{}*/*", "text/x-unheard-of;q=0.1, ".repeat(200));
    for (accept, form) in [
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("application/health+json", "application/health+json"),
        ("text/plain", "text/plain; charset=utf-8"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json"),
        ("image/png", "application/json"),
        ("", "application/json"),
        ("nonsense;;;,,", "application/json"),
        (&long, "application/json"),
    ] {
        for (path, _) in GROUPS.iter().copied().chain([("/health/checks/db", "")]) {
            let answer = accepting(&whole, path, accept);
            assert_eq!(answer.status, 200, "{path} {accept}");
            assert_eq!(answer.header("content-type"), Some(form), "{path} {accept}");
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
            assert_eq!(answer.header("vary"), Some("accept"), "{path}");
        }
    }
    let verbose = whole.get("/health?verbose");
    assert_eq!(
        verbose.text(),
        "[-] cache unhealthy: credentials refused\n[+] db healthy\n\
         [~] health degraded: cache: unhealthy (degrading)\n"
    );
}

#[test]
fn the_json_document_has_the_promised_fields() {
    let document = two_checks().get("/health").json();
    for field in ["status", "timestamp", "uptime", "service", "version", "group", "message", "checks"] {
        assert!(document.get(field).is_some(), "{field}: {document}");
    }
    let cache = &document["checks"]["cache"];
    for field in ["status", "kind", "criticality", "reason", "error", "latency_ms", "checked_at"] {
        assert!(cache.get(field).is_some(), "{field}: {cache}");
    }
    for field in ["age_seconds", "since", "suspect", "consecutive_failures", "details"] {
        assert!(cache.get(field).is_some(), "{field}: {cache}");
    }
    assert_eq!((&cache["reason"], &cache["error"]), (&"auth".into(), &"credentials refused".into()));
    for time in [&document["timestamp"], &cache["since"]] {
        let time = time.as_str().unwrap();
        assert!(time.len() == 24 && time.ends_with('Z') && time.contains('T'), "{time}");
    }
    assert_eq!(document["checks"]["db"]["details"], serde_json::json!({"rows": 7.0, "version": "17"}));
}

#[test]
fn the_draft_form_is_that_of_the_draft() {
    let whole = two_checks();
    let document = accepting(&whole, "/health", "application/health+json").json();
    assert_eq!((&document["status"], &document["serviceId"]), (&"warn".into(), &"vitalsign".into()));
    let time = &document["checks"]["db:responseTime"][0];
    assert_eq!((&time["componentId"], &time["status"]), (&"db".into(), &"pass".into()));
    assert_eq!(time["observedUnit"], "ms");
    assert!(time["observedValue"].is_number() && time.get("output").is_none(), "{time}");
    assert_eq!(document["checks"]["db:rows"][0]["observedValue"], 7.0);
    assert_eq!(document["checks"]["cache:responseTime"][0]["output"], "credentials refused");
}

#[test]
fn head_is_get_without_a_body() {
    let whole = two_checks();
    for path in ["/health", "/health/ready", "/livez", "/health/checks/cache", "/metrics", "/none"] {
        let got = whole.get(path);
        let request = format!("HEAD {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let head = http::request(whole.addr, request.as_bytes());
        assert_eq!(
            (head.status, head.header("content-type")),
            (got.status, got.header("content-type")),
            "{path}"
        );
        assert!(head.body.is_empty());
    }
}

#[test]
fn what_is_not_there_is_404_and_what_cannot_be_done_is_405() {
    let whole = two_checks();
    for path in
        ["/none", "/health/none", "/health/groups/none", "/health/checks/none", "/health/", "/metrics/x"]
    {
        let answer = whole.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.text().contains("no such"), "{path}: {}", answer.text());
    }
    for odd in ["/health/checks/%00", "/health/groups/..%2f..%2fetc", "/health/checks/%ff%fe", "/%"] {
        let status = whole.status(odd);
        assert!(matches!(status, 400 | 404), "{odd}: {status}");
    }
    for (method, path) in [("POST", "/health"), ("DELETE", "/metrics"), ("PUT", "/health/checks/db")] {
        let request =
            format!("{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let answer = http::request(whole.addr, request.as_bytes());
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET,HEAD")), "{method} {path}");
    }
}

#[test]
fn metrics_are_text_and_gzip_where_it_is_wanted() {
    let whole = two_checks();
    let plain = whole.get("/metrics");
    assert_eq!(plain.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(plain.header("content-encoding"), None);
    let packed = http::get_with(whole.addr, "/metrics", &[("accept-encoding", "gzip")]);
    assert_eq!(
        (packed.header("content-encoding"), packed.header("vary")),
        (Some("gzip"), Some("accept, accept-encoding"))
    );
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.body.as_slice()).read_to_string(&mut text).unwrap();
    assert!(packed.body.len() * 2 < text.len());
    let page = Scrape::parse(&text);
    page.expect("healthcheck_measurement", &[("healthcheck_measurement", "rows")], 7.0);
    page.expect("healthcheck_up", &[("healthcheck_name", "cache")], 0.0);
}

/// What a check looks at, what it measured and what it found are for this machine; a proxy on this machine passes on
/// requests of anybody.
#[test]
fn details_and_targets_are_for_direct_callers_on_this_machine() {
    let port = ports::free();
    let text = format!("checks: {{ mail: {{ kind: tcp, address: '127.0.0.1:{port}' }} }}");
    let (mut read, _) = Plan::read(Document::parse("t", text, &|_| None)).unwrap();
    let mut plan =
        plan([check("db", async || Outcome::pass().measure(name("rows"), 7.0).detail("who", "canary"))]);
    plan.checks.append(&mut read.checks);
    let whole = Whole::of(plan);
    eventually("both verdicts", SOON, || {
        whole.check("db")["status"] == "healthy" && whole.check("mail")["status"] == "unhealthy"
    });

    let private = ["canary", &port.to_string(), "rows"];
    for path in ["/health", "/health/checks/db", "/health/checks/mail", "/health/ready"] {
        for form in ["application/json", "application/health+json", "text/plain"] {
            for header in ["x-forwarded-for", "forwarded", "x-real-ip", "via"] {
                let headers = [("accept", form), (header, "203.0.113.7")];
                let answer = http::get_with(whole.addr, path, &headers);
                let shown = private.iter().find(|text| answer.text().contains(**text));
                assert_eq!(shown, None, "{path} {form} {header}: {}", answer.text());
                assert_eq!(answer.status, whole.status(path), "{path}");
            }
        }
    }
    // A page in a browser on this machine whose name was made to lead here: what it asks comes from this machine.
    for host in [Some("rebound.example"), Some("rebound.example:10464"), None] {
        let host = host.map(|host| format!("host: {host}\r\n")).unwrap_or_default();
        let raw = format!("GET /health HTTP/1.1\r\n{host}connection: close\r\n\r\n");
        let answer = http::request(whole.addr, raw.as_bytes());
        let shown = private.iter().find(|text| answer.text().contains(**text));
        assert_eq!(shown, None, "{host:?}: {}", answer.text());
    }
    for host in ["localhost", "[::1]:80"] {
        let raw = format!("GET /health HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        assert!(http::request(whole.addr, raw.as_bytes()).text().contains("canary"), "{host}");
    }
    let document = whole.get("/health").json();
    assert_eq!(document["checks"]["db"]["details"]["who"], "canary");
    assert_eq!(document["checks"]["mail"]["target"], format!("127.0.0.1:{port}"));
    assert_eq!(document["checks"]["mail"]["reason"], "connection_refused");
}

#[test]
fn live_has_no_details() {
    let whole = two_checks();
    for path in ["/health/live", "/livez", "/-/healthy", "/health/groups/live"] {
        let document = whole.get(path).json();
        let keys: Vec<&String> = document.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["status", "timestamp"], "{path}");
        assert_eq!(accepting(&whole, path, "text/plain").text(), "[+] live healthy\n", "{path}");
    }
}

/// No query changes what is said or starts a run.
#[test]
fn queries_change_nothing_but_the_form() {
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let count = check_with("db", std::sync::Arc::clone(&asked), |asked| async move {
        asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        false
    });
    let whole = Whole::start([count.critical().every(std::time::Duration::from_secs(3600))]);
    eventually("a verdict", SOON, || whole.check("db")["status"] == "unhealthy");
    let before = asked.load(std::sync::atomic::Ordering::SeqCst);
    for query in
        ["exclude=db", "refresh=true", "verbose&exclude=db", "status=healthy", "%ff=%00&&&==", "details=true"]
    {
        assert_eq!(whole.status(&format!("/health/ready?{query}")), 503, "{query}");
    }
    assert!(asked.load(std::sync::atomic::Ordering::SeqCst) <= before + 1);
}

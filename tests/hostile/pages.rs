//! Pages of metrics that take long to make: rule 2 of the design, `/metrics` answers, and never with values of long ago
//! as if they were those of now.

use std::{
    io::Read,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use flate2::read::GzDecoder;

use crate::harness::{
    agent::Agent,
    eventually::eventually,
    http::{self, Response},
    scrape::Scrape,
};

const SOON: Duration = Duration::from_secs(60);
/// What the agent may give out, and what a loaded machine may add on the way.
const OLDEST: f64 = 5.0;
const SLACK: f64 = 3.0;

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// A page as Prometheus asks for it.
fn scrape(agent: &Agent) -> Response {
    http::get_with(agent.addr(), "/metrics", &[("accept-encoding", "gzip")])
}

/// What is on a page; none where the agent said that it had no young one.
#[track_caller]
fn shown(page: &Response) -> Option<Scrape> {
    if page.status == 503 {
        assert!(page.header("retry-after").is_some());
        return None;
    }
    assert_eq!((page.status, page.header("content-encoding")), (200, Some("gzip")));
    let mut text = String::new();
    GzDecoder::new(&*page.body).read_to_string(&mut text).unwrap();
    Some(Scrape::parse(&text))
}

/// Rule: a page is at most 5 s old or not there at all, however large it is, and says how old it is.
#[test]
fn a_page_of_very_many_checks_is_never_silently_old() {
    let mut config = "checks:\n".to_owned();
    for number in 0..3_000 {
        config += &format!("  c{number}: {{ kind: memory, interval: 10m, timeout: 1s }}\n");
    }
    let agent = Agent::start(&config);
    eventually("a page with all checks", SOON, || {
        let page = shown(&scrape(&agent)).ok_or("none yet")?;
        let up = page.values("healthcheck_up").len();
        if up == 3_000 { Ok(()) } else { Err(format!("{up} checks")) }
    });
    let (mut young, mut longest) = (0, Duration::ZERO);
    for round in 0..3 {
        // As between two scrapes: the last page is too old by then.
        let begun = Instant::now();
        eventually("the page to be old", SOON, || begun.elapsed() > Duration::from_secs(6));
        let asked = Instant::now();
        let page = scrape(&agent);
        // Before it is read, which takes longer here.
        let now = now();
        longest = longest.max(asked.elapsed());
        let Some(page) = shown(&page) else { continue };
        young += 1;
        let collected = page.value("vitalsign_heartbeat_timestamp_seconds", &[]).unwrap();
        let age = page.value("vitalsign_page_age_seconds", &[]).unwrap();
        assert!(now - collected < OLDEST + SLACK, "round {round}: {} s old", now - collected);
        assert!((0.0..=OLDEST).contains(&age), "{age}");
        assert!((now - collected - age).abs() < SLACK, "{age} s, it says, of {}", now - collected);
    }
    println!("a page of 3,000 checks: {young} of 3 scrapes got one, the longest took {longest:.1?}");
    assert!(longest < Duration::from_secs(10), "a scraper has gone after {longest:?}");
}

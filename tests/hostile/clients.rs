//! Clients of the agent that take what they can and give nothing: rule 2 of the design, whatever hangs, `/health` and
//! `/metrics` answer, holds against them too.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use vitalsign::{
    health::Board,
    metrics::Store,
    web::{Faces, Limits, Server},
};

use crate::harness::{
    agent::{Agent, Launch},
    eventually::eventually,
    http,
    inside::scrape_of,
    scrape::Scrape,
};

#[path = "clients/crowd.rs"]
mod crowd;
#[path = "clients/prober.rs"]
mod prober;

use crowd::{Crowd, Manner};
use prober::{Probes, Times};

const SOON: Duration = Duration::from_secs(60);
/// Until those who were sent away come back for the first time, and a little more.
const COME_BACK: Duration = Duration::from_secs(8);
const CONFIG: &str = "checks:\n  \
    near: { kind: tcp, address: '127.0.0.1:9', interval: 300ms, timeout: 250ms, breaker: off }\n  \
    full: { kind: memory, interval: 300ms, timeout: 250ms, criticality: critical }\n";

/// How many connections were closed for a reason.
fn closed(page: &Scrape, reason: &str) -> f64 {
    page.value("vitalsign_web_closed_connections_total", &[("reason", reason)]).unwrap()
}

/// A page; where there are few places, a crowd may take the one of somebody who waits for it.
#[track_caller]
fn scrape(agent: &Agent) -> Scrape {
    eventually("a scrape to come through", SOON, || {
        let page = http::send(
            agent.addr(),
            b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
        );
        page.ok().filter(|page| page.status == 200).map(|page| Scrape::parse(page.text()))
    })
}

/// An agent with the descriptors that `ulimit -n` gives, soft and hard.
fn with_descriptors(limit: usize) -> Agent {
    let script = format!("ulimit -n {limit} && exec {} \"$@\"\n", env!("CARGO_BIN_EXE_vitalsign"));
    let agent = Launch::new(CONFIG).stand_in(&script).start();
    eventually("a verdict", SOON, || agent.get("/health/ready").status == 200);
    agent
}

/// What has to hold while the crowd is there: probes are answered, checks go on with descriptors of their own, a scrape
/// comes through; and when it has gone, nothing of it is left.
#[track_caller]
fn withstands(agent: &Agent, clients: usize) -> Times {
    let files = || std::fs::read_dir(format!("/proc/{}/fd", agent.pid())).unwrap().count();
    let runs =
        |page: &Scrape, name| page.value("healthcheck_runs_total", &[("healthcheck_name", name)]).unwrap();
    let before = (scrape(agent), files()).1;
    let (probes, begun) = (Probes::of(agent.addr()), Instant::now());
    let crowd = Crowd::gather(agent.addr(), clients, &Manner::ALL);
    eventually("each of the crowd to have been there", SOON, || {
        let seen = crowd.connected();
        if seen >= clients { Ok(()) } else { Err(format!("{seen} of {clients}")) }
    });
    // By then those who were sent away are back.
    eventually("enough probes to be answered", SOON, || {
        let (answered, enough) = (probes.answered(), begun.elapsed() > COME_BACK);
        if answered >= 500 && enough { Ok(()) } else { Err(answered.to_string()) }
    });
    let during = scrape(agent);
    eventually("the checks to go on", SOON, || {
        let now = scrape(agent);
        ["near", "full"].iter().all(|name| runs(&now, name) >= runs(&during, name) + 10.0)
    });
    let times = probes.end();
    let after = scrape(agent);
    let limit = after.value("vitalsign_web_connections_limit", &[]).unwrap();
    assert!(after.value("vitalsign_web_connections", &[]).unwrap() <= limit);
    let refused =
        closed(&after, "no_place") + closed(&after, "peer_share") + closed(&after, "no_file_descriptor");
    assert!(refused >= clients as f64 - limit, "{refused} gave way, of {clients} for {limit} places");
    println!("{clients} hostile clients, {limit} places: live {times}; {refused} connections gave way");
    // Far beyond what it takes (less than 50 ms), because tests run unoptimized beside others, and the crowd on the same
    // processors: clients that do keep a place silence live for a minute, or for ever.
    assert!(times.median < Duration::from_millis(500), "live took {times}");
    assert!(times.hundredth < Duration::from_secs(10), "live took {times}");
    assert_eq!(after.value("healthcheck_up", &[("healthcheck_name", "full")]), Some(1.0));
    for failure in after.values("healthcheck_failures_total") {
        let refused = failure.has(&[("healthcheck_name", "near"), ("error_type", "connection_refused")]);
        assert!(failure.value == 0.0 || refused, "a check failed for want of a descriptor: {failure:?}");
    }
    drop(crowd);
    eventually("nothing of the crowd to be left", SOON, || {
        let now = files();
        if now < before + 8 { Ok(()) } else { Err(format!("{now} files, {before} before")) }
    });
    times
}

/// Rule: live and ready are answered whatever the other clients do, however many there are.
#[test]
fn a_crowd_of_hostile_clients_silences_no_probe() {
    assert_eq!(withstands(&with_descriptors(8_192), 5_000).lost, 0);
}

/// Rule: the same where there are hardly any descriptors; those of the checks and files are not for clients. A probe that
/// is slow to say what it wants may have to ask again there.
#[test]
fn a_crowd_takes_no_descriptor_from_checks_where_there_are_64() {
    withstands(&with_descriptors(64), 5_000);
}

/// Rule: an address that takes more than its share takes it from itself.
#[test]
fn one_address_leaves_half_of_the_places_to_the_others() {
    let agent = with_descriptors(256);
    let mut kept = TcpStream::connect(agent.addr()).unwrap();
    kept.set_read_timeout(Some(SOON)).unwrap();
    let mut ask = || {
        kept.write_all(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n")?;
        let mut some = [0; 512];
        kept.read(&mut some).map(|read| some[..read].starts_with(b"HTTP/1.1 200"))
    };
    assert!(ask().unwrap());
    let crowd = Crowd::gather_from(agent.addr(), 500, &[Manner::Silent], 1);
    eventually("all of them to have been there", SOON, || crowd.connected() >= 500);
    eventually("some of them to be sent away", SOON, || closed(&agent.scrape(), "peer_share") > 300.0);
    assert_eq!(closed(&agent.scrape(), "no_place"), 0.0);
    assert!(ask().unwrap(), "the connection of another address is still there");
}

/// Rule: every part of a request has its time, and the operator sees which one was over.
#[test]
fn a_client_that_is_late_is_sent_away_and_counted() {
    let (store, short) = (Store::new(), Duration::from_millis(300));
    let faces = Faces::new(&Board::new(store.clone()), &store, "orders", "1", Vec::new()).unwrap();
    let limits =
        Limits { head_within: short, write_within: short, idle_for: short, ..Limits::within(Some(1024), 0) };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::start(vec![listener], &faces, limits).unwrap();
    let addr = server.addresses()[0];
    for (manner, reason) in [
        (Manner::Silent, "head_timeout"),
        (Manner::SlowHead, "head_timeout"),
        (Manner::Idle, "idle_timeout"),
        (Manner::NeverReads, "write_timeout"),
    ] {
        let before = closed(&scrape_of(&store), reason);
        let crowd = Crowd::gather(addr, 3, &[manner]);
        eventually(&format!("{manner:?} to be sent away"), SOON, || {
            let now = closed(&scrape_of(&store), reason);
            if now >= before + 3.0 { Ok(()) } else { Err(format!("{now} after {before}")) }
        });
        drop(crowd);
    }
    // A body that nobody wants is not waited for at all.
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(b"POST /health HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\nx").unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    assert!(said.starts_with("HTTP/1.1 405"), "{said}");
    eventually("no connection to be left", SOON, || {
        scrape_of(&store).value("vitalsign_web_connections", &[]) == Some(0.0)
    });
}

/// Rule: a listener that the system gives no descriptor goes on, and does not take the processor for it.
#[test]
fn a_process_without_descriptors_still_answers_probes() {
    let agent = Launch::new(
        "checks: { full: { kind: memory, interval: 1s, timeout: 500ms, criticality: critical } }",
    )
    .start();
    eventually("a verdict", SOON, || agent.get("/health/ready").status == 200);
    let (pid, most) = (Pid::from_raw(agent.pid()), getrlimit(Resource::Nofile));
    // What is used below the limit is all there is: nothing is free.
    let used: BTreeSet<u64> = std::fs::read_dir(format!("/proc/{}/fd", agent.pid()))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap().parse().unwrap())
        .collect();
    let free = (0..).find(|number| !used.contains(number)).unwrap();
    prlimit(pid, Resource::Nofile, Rlimit { current: Some(free), ..most }).unwrap();
    for _ in 0..20 {
        assert_eq!(agent.get("/health/live").status, 200);
        assert_eq!(agent.get("/health/ready").status, 200);
    }
    let crowd = Crowd::gather(agent.addr(), 50, &[Manner::Silent]);
    eventually("some of the crowd to have been there", SOON, || crowd.connected() >= 50);
    for _ in 0..20 {
        assert_eq!(agent.get("/health/live").status, 200);
    }
    prlimit(pid, Resource::Nofile, most).unwrap();
    let page = agent.scrape();
    assert!(page.value("vitalsign_web_accept_failures_total", &[]).unwrap() > 0.0);
    assert!(closed(&page, "no_file_descriptor") > 0.0);
}

/// Rule: the soft limit of files, which is there for programs that use select(2), is no limit of the agent.
#[test]
fn the_program_takes_the_descriptors_that_it_may_have() {
    let script =
        format!("ulimit -Sn 128 && ulimit -Hn 1000 && exec {} \"$@\"\n", env!("CARGO_BIN_EXE_vitalsign"));
    let agent = Launch::new(CONFIG).stand_in(&script).start();
    let limit = std::fs::read_to_string(format!("/proc/{}/limits", agent.pid())).unwrap();
    let line = limit.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let numbers: Vec<&str> = line.split_ascii_whitespace().skip(3).take(2).collect();
    assert_eq!(numbers, ["1000", "1000"]);
    assert_eq!(agent.scrape().value("vitalsign_web_connections_limit", &[]), Some(500.0));
    assert_eq!(http::get(agent.addr(), "/health/live").status, 200);
}

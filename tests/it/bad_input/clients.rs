//! Clients that send too much, too little or nonsense: they lose their connection or get a status, and nothing else
//! happens.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    time::Duration,
};

use crate::harness::{
    agent::Agent,
    eventually::eventually,
    http::{self, Response},
};

const SOON: Duration = Duration::from_secs(60);

fn agent() -> Agent {
    let agent = Agent::start(
        "log: { level: debug }\nchecks: { full: { kind: memory, interval: 1s, timeout: 500ms } }\n",
    );
    eventually("a verdict", SOON, || agent.get("/health").status == 200);
    agent
}

/// What comes back, if anything does before the connection is closed.
fn answer(agent: &Agent, raw: &[u8]) -> Option<Response> {
    http::send(agent.addr(), raw).ok()
}

/// The agent goes on as if nothing had been.
#[track_caller]
fn assert_unharmed(agent: &Agent) {
    assert_eq!(agent.get("/health").status, 200);
    let runs = || agent.scrape().value("healthcheck_runs_total", &[("healthcheck_name", "full")]).unwrap();
    let before = runs();
    eventually("checks to go on", SOON, || runs() > before);
    assert!(!agent.log().contains("panic"), "{}", agent.log());
    eventually("no request in flight but this one", SOON, || {
        let active = agent.scrape().value("http_server_active_requests", &[("http_request_method", "GET")]);
        if active == Some(1.0) { Ok(()) } else { Err(format!("{active:?}")) }
    });
}

#[test]
fn too_much_is_refused() {
    let agent = agent();
    let long = "a".repeat(200_000);
    for raw in [
        format!("GET /{long} HTTP/1.1\r\nhost: x\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: x\r\nx: {long}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "x: y\r\n".repeat(5_000)),
        format!("{long} / HTTP/1.1\r\nhost: x\r\n\r\n"),
    ] {
        if let Some(answer) = answer(&agent, raw.as_bytes()) {
            assert!(matches!(answer.status, 400 | 414 | 431), "{}", answer.status);
        }
    }
    // What fits is no problem.
    let headers = format!("GET /health HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "a".repeat(8_000));
    assert_eq!(answer(&agent, headers.as_bytes()).unwrap().status, 200);
    assert_unharmed(&agent);
}

#[test]
fn a_body_that_nobody_wants_changes_nothing() {
    let agent = agent();
    let body = "x".repeat(100_000);
    let raw = format!("GET /health HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    if let Some(answer) = answer(&agent, raw.as_bytes()) {
        assert_eq!(answer.status, 200);
    }
    let endless =
        "POST /health HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\nx";
    if let Some(answer) = answer(&agent, endless.as_bytes()) {
        assert!(matches!(answer.status, 400 | 405), "{}", answer.status);
    }
    assert_unharmed(&agent);
}

#[test]
fn garbage_is_refused() {
    let agent = agent();
    for raw in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], // TLS to a plain port
        b"\x00\x00\x00\x00\x00\x00\x00\x00\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n: no name\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"\r\n\r\n\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(agent.addr()).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.write_all(raw).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said); // a reset is an answer too
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(
            said.is_empty() || said.starts_with("HTTP/1.1 4") || said.starts_with("HTTP/1.0 4"),
            "{raw:?}: {said}"
        );
    }
    assert_unharmed(&agent);
}

#[test]
fn half_requests_keep_nobody_from_being_answered() {
    let agent = agent();
    let half = |raw: &[u8]| {
        let mut stream = TcpStream::connect(agent.addr()).unwrap();
        stream.write_all(raw).unwrap();
        stream
    };
    let open: Vec<TcpStream> = (0..100)
        .map(|number| half([&b"GET /hea"[..], b"", b"GET /health HTTP/1.1\r\nhost: x\r\nx: "][number % 3]))
        .collect();
    for path in ["/health", "/health/live", "/metrics"] {
        assert_eq!(agent.get(path).status, 200, "{path}");
    }
    assert_unharmed(&agent);
    drop(open);
}

#[test]
fn clients_that_vanish_leave_nothing_behind() {
    let agent = agent();
    for number in 0..100 {
        let mut stream = TcpStream::connect(agent.addr()).unwrap();
        // Many requests at once, so that the answers do not fit into what the system keeps for a client.
        stream.write_all("GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n".repeat(20).as_bytes()).unwrap();
        let mut some = vec![0; number];
        let _ = stream.read_exact(&mut some);
    }
    assert_unharmed(&agent);
    eventually("no connection of theirs to be left", SOON, || {
        let files = std::fs::read_dir(format!("/proc/{}/fd", agent.pid())).unwrap().count();
        if files < 60 { Ok(()) } else { Err(format!("{files} open files")) }
    });
}

/// Each with the next byte of its request when the one before has come in: kept waiting, not in the way.
#[test]
fn one_connection_may_ask_many_times() {
    let agent = agent();
    let mut stream = TcpStream::connect(agent.addr()).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    for byte in b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n" {
        stream.write_all(&[*byte]).unwrap();
    }
    stream.write_all(b"GET /none HTTP/1.1\r\nhost: x\r\n\r\nGET /health/ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    let statuses: Vec<&str> =
        answers.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 ")?.split(' ').next()).collect();
    assert_eq!(statuses, ["200", "404", "200"], "{answers}");
}

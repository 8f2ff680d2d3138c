//! Mutated requests. Rules: whatever a client says, the agent lives, answers others and does not panic; a request is
//! answered as HTTP is or its connection is closed; what was said stays out of the labels of metrics; memory and
//! descriptors come back.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use fastrand::Rng;

use crate::{
    figures::{Figures, mebibytes, sorts},
    harness::{agent::Agent, eventually::eventually, http, redis::Redis},
};

const SOON: Duration = Duration::from_secs(60);
const MUTANTS: u64 = 600;
const MEMORY: u64 = 32 << 20;

/// What clients say, that is good.
const GOOD: &[&str] = &[
    "GET /health HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n\r\n",
    "GET /metrics?name[]=healthcheck_up HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n",
    "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: application/openmetrics-text; version=1.0.0\r\n\r\n",
    "HEAD /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /health/checks/good?verbose HTTP/1.0\r\n\r\n",
    "POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
    "POST /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "GET /health/groups/none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
];

/// What they may say that nobody should; each is also mutated.
fn bad() -> Vec<Vec<u8>> {
    let texts = [
        // Methods.
        "BREW /health HTTP/1.1\r\nHost: x\r\n\r\n",
        "get /health HTTP/1.1\r\nHost: x\r\n\r\n",
        "\0GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
        "CONNECT example.test:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
        "TRACE /health HTTP/1.1\r\nHost: x\r\n\r\n",
        // Targets.
        "GET http://other.test/health HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET http://user:secret@other.test:99999/health HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET //health HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /health/checks/%00 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /health/checks/%ff%fe HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /health/checks/%zz HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /health/checks/%2 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /health/checks/a%0d%0aset-cookie:%20x HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /metrics?name[]=%ff&name[]=&name[]=%00 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /metrics?name[]=(((((((((((a*)*)*)*)*)* HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET ?verbose HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET  /health  HTTP/1.1\r\nHost: x\r\n\r\n",
        // Two ends of one request.
        "POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
        "POST /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        "POST /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        "POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello",
        "POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 5\r\n\r\nhello",
        "GET /health HTTP/1.1\r\nHost: x\r\n folded: yes\r\n\r\n",
        "GET /health HTTP/1.1\nHost: x\n\n",
        "GET /health HTTP/1.1\r\nHost: x\r\rX: y\r\n\r\n",
        // Chunks.
        "POST /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nhello\r\n0\r\n\r\n",
        "POST /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nhello",
        "POST /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b;c=\"d\r\nhello\r\n0\r\n\r\n",
        // Hosts.
        "GET /health HTTP/1.1\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: \0\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: [::1\r\n\r\n",
        // Other protocols.
        "POST /health HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
        "POST /health HTTP/1.1\r\nHost: x\r\nExpect: the worst\r\nContent-Length: 5\r\n\r\nhello",
        "GET /health HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: x\r\nConnection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        "GET /health HTTP/3.0\r\nHost: x\r\n\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n",
        // What is asked for, and how.
        "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: */*;q=nan, text/plain;q=-1, ,;;;=\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip;q=1e99, *;q=0,,, br\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: x\r\nRange: bytes=0-,5-2\r\nIf-None-Match: *\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: x\r\nX-Prometheus-Scrape-Timeout-Seconds: -1\r\ntraceparent: 00-x-y-z\r\n\r\n",
    ];
    let mut all: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    all.push(format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "%41".repeat(100_000)).into_bytes());
    all.push(format!("GET /health HTTP/1.1\r\nHost: x\r\nx: {}\r\n\r\n", "y".repeat(2_000_000)).into_bytes());
    all.push(format!("GET /health HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(100_000)).into_bytes());
    all.push(format!("GET /metrics?{} HTTP/1.1\r\nHost: x\r\n\r\n", "name[]=a&".repeat(5_000)).into_bytes());
    all.push(
        format!("GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: {}\r\n\r\n", "a/b,".repeat(10_000)).into_bytes(),
    );
    all.push("GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2_000).into_bytes());
    let body = "z".repeat(3_000_000);
    all.push(
        format!("POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len())
            .into_bytes(),
    );
    all
}

/// One change to a request.
type Mutation = fn(&mut Rng, &mut Vec<u8>);

const MUTATIONS: &[Mutation] = &[
    // Another byte, one more, one less.
    |random, bytes| {
        let at = random.usize(..bytes.len());
        bytes[at] = random.u8(..);
    },
    |random, bytes| {
        let at = random.usize(..=bytes.len());
        bytes.insert(at, random.u8(..));
    },
    |random, bytes| {
        let at = random.usize(..bytes.len());
        bytes.remove(at);
    },
    // What means something to a parser, anywhere.
    |random, bytes| {
        let words: &[&[u8]] = &[
            b"\r\n",
            b"\n",
            b"\r",
            b"\0",
            b": ",
            b" ",
            b"%00",
            b"%",
            b"\r\n\r\n",
            b"HTTP/1.1",
            b"chunked",
            b"\xff",
            b"-1",
            b"99999999999999999999",
            b"Content-Length: 1\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"\t",
            b";",
            b"Expect: 100-continue\r\n",
        ];
        let (at, word) = (random.usize(..=bytes.len()), words[random.usize(..words.len())]);
        bytes.splice(at..at, word.iter().copied());
    },
    // A part again, many times.
    |random, bytes| {
        let begin = random.usize(..bytes.len());
        let part = bytes[begin..bytes.len().min(begin + random.usize(1..40))].to_vec();
        bytes.splice(begin..begin, part.repeat(random.usize(1..200)));
    },
    // It ends early.
    |random, bytes| bytes.truncate(random.usize(1..=bytes.len())),
    // Other letters.
    |random, bytes| {
        let at = random.usize(..bytes.len());
        bytes[at] ^= 0x20;
    },
];

fn mutant(seed: u64, from: &[Vec<u8>]) -> Vec<u8> {
    let mut random = Rng::with_seed(seed);
    let mut bytes = from[random.usize(..from.len())].clone();
    for _ in 0..random.usize(1..6) {
        MUTATIONS[random.usize(..MUTATIONS.len())](&mut random, &mut bytes);
        if bytes.is_empty() {
            bytes.push(b'G');
        }
    }
    bytes
}

/// Says it, ends its side when no answer comes at once, and gives the statuses of what comes back until the agent ends the
/// connection. It would take an end that comes too early for a client that has gone.
fn statuses(addr: SocketAddr, bytes: &[u8]) -> Result<Vec<u16>, String> {
    let mut stream = TcpStream::connect(addr).map_err(|error| error.to_string())?;
    stream.set_write_timeout(Some(SOON)).unwrap();
    // It may have heard enough before all is said.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    for patience in [Duration::from_millis(30), SOON] {
        stream.set_read_timeout(Some(patience)).unwrap();
        match stream.read_to_end(&mut answer) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                drop(stream.shutdown(Shutdown::Write));
            }
            _ => break,
        }
        if patience == SOON {
            return Err("neither an answer nor an end".to_owned());
        }
    }
    let text = String::from_utf8_lossy(&answer);
    if !text.is_empty() && !text.starts_with("HTTP/1.") {
        return Err(format!("an answer that is not HTTP: {text:.80}"));
    }
    let lines = text.lines().filter_map(|line| line.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok());
    Ok(lines.collect())
}

#[test]
fn mutated_requests_are_answered_or_ended_and_change_nothing() {
    let redis = Redis::start();
    let agent = Agent::start(&format!(
        "log: {{ level: debug }}\nchecks: {{ good: {{ kind: redis, url: '{}', interval: 1s, timeout: 500ms }} }}\n",
        redis.url()
    ));
    eventually("a verdict", SOON, || agent.get("/health").status == 200);
    for good in GOOD {
        // What is missing or not allowed is answered, too.
        http::request(agent.addr(), good.as_bytes());
    }
    let (before, series) = (Figures::of(agent.pid()), agent.scrape().samples().len());

    let mut all = bad();
    all.extend(GOOD.iter().map(|good| good.as_bytes().to_vec()));
    let mutants: Vec<Vec<u8>> = (0..MUTANTS).map(|seed| mutant(seed, &all)).collect();
    let (mut wrong, mut counted, mut slowest) = (BTreeSet::new(), BTreeMap::new(), Duration::ZERO);
    for (number, request) in all.iter().chain(&mutants).enumerate() {
        let shown = || format!("{number}: {:?}", String::from_utf8_lossy(&request[..request.len().min(300)]));
        match statuses(agent.addr(), request) {
            Ok(answers) => {
                for status in &answers {
                    *counted.entry(*status).or_insert(0) += 1;
                }
                // 503 is a verdict; any other of these says that something broke.
                if answers.iter().any(|status| *status >= 500 && *status != 503) {
                    wrong.insert(format!("{} gets {answers:?}", shown()));
                }
            }
            Err(error) => drop(wrong.insert(format!("{}: {error}", shown()))),
        }
        if number % 20 == 0 {
            let asked = Instant::now();
            assert_eq!(agent.get("/health/live").status, 200, "after {}", shown());
            slowest = slowest.max(asked.elapsed());
        }
    }
    assert!(wrong.is_empty(), "{}", Vec::from_iter(wrong).join("\n"));

    eventually("descriptors to come back", SOON, || {
        let now = Figures::of(agent.pid()).descriptors;
        if now <= before.descriptors + 3 { Ok(()) } else { Err(format!("{:?}", sorts(agent.pid()))) }
    });
    let after = Figures::of(agent.pid());
    let more = after.peak.saturating_sub(before.peak);
    assert!(more < MEMORY, "{:.0} MiB more", mebibytes(more));
    assert!(slowest < Duration::from_secs(2), "/health/live took {slowest:?}");
    // A method of a client's own is one series at most, and so is a path.
    let page = agent.scrape();
    assert!(page.samples().len() < series + 1_000, "{series} series became {}", page.samples().len());
    for sample in page.samples() {
        let method = sample.labels.get("http_request_method");
        assert!(
            method.is_none_or(|method| method == "_OTHER"
                || method.len() <= 7 && method.chars().all(|c| c.is_ascii_uppercase())),
            "{sample:?}"
        );
    }
    let health = agent.health();
    assert_eq!(health["status"], "healthy", "{health}");
    let log = agent.log();
    assert!(!log.contains("panic"), "{log}");
    assert!(!log.contains("secret@other"), "a password of a request's target is in the log");
    println!(
        "statuses {counted:?}, /health/live at most {slowest:.0?}, {:.1} MiB more; {after}",
        mebibytes(more)
    );
}

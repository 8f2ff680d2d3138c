//! What a scrape costs next to node_exporter: both on this machine, side by side, asked as Prometheus asks — compressed,
//! over a kept connection, every five seconds for a minute — and what each costs while nobody asks.
//!
//! Ours runs with its collectors and the three checks of the machine, once as it is, and once with further checks that
//! do not run meanwhile, for about as many series as node_exporter has. Nothing is subtracted from what the system
//! counts for a process. A tick of 10 ms is more than ours needs for a scrape: what is quoted is the scheduler's own
//! count in nanoseconds, which leaves out nothing but threads that ended.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark, not the program"
)]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small numbers"
)]
#![allow(dead_code, missing_docs, unreachable_pub, reason = "shared by benchmarks that need different parts")]

mod support;

use std::fmt::Write;
use std::io::Read;
use std::time::{Duration, Instant};

use support::agent::Agent;
use support::client::Client;
use support::cpu::Cpu;
use support::figures::{Table, as_millis, median};
use support::node_exporter::NodeExporter;
use support::{listeners, wait};

/// How often Prometheus comes.
const INTERVAL: Duration = Duration::from_secs(5);
const SCRAPES: u32 = 12;
const QUIET: Duration = Duration::from_secs(20);
/// Everything was loaded and every check has run.
const SETTLED_AFTER: Duration = Duration::from_secs(5);
const SERIES: usize = 500;
/// Ours against theirs.
const TARGET: f64 = 0.1;

const CHECKS: &str = "cpu: { kind: cpu }\nmemory: { kind: memory }\ndisk: { kind: disk }\n";

/// One process that is scraped.
struct Peer {
    name: &'static str,
    pid: u32,
    client: Client,
    quiet: Cpu,
    scraped: Cpu,
    times: Vec<f64>,
}

impl Peer {
    fn new(name: &'static str, pid: u32, address: &str) -> Self {
        let client = Client::try_new(address).unwrap();
        Self { name, pid, client, quiet: Cpu::default(), scraped: Cpu::default(), times: Vec::new() }
    }

    /// The page of the last scrape.
    fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(&*self.client.body).read_to_end(&mut text).unwrap();
        text
    }
}

/// How many series are on a page.
fn series(page: &[u8]) -> usize {
    page.split(|byte| *byte == b'\n').filter(|line| line.first().is_some_and(u8::is_ascii_alphabetic)).count()
}

/// The three checks, and as many others as make a page of [`SERIES`]; those are not due again while it is measured.
fn more_checks() -> String {
    let page = |checks: &str| {
        let agent = Agent::start(checks);
        let mut client = agent.client();
        wait(Duration::from_secs(1));
        client.get("/metrics", false);
        series(&client.body)
    };
    let open = listeners::open();
    let with = |count: usize| {
        let mut text = CHECKS.to_owned();
        for index in 0..count {
            writeln!(text, "other_{index}: {{ kind: tcp, address: \"{open}\", interval: 1h }}").unwrap();
        }
        text
    };
    let (none, ten) = (page(&with(0)), page(&with(10)));
    with(SERIES.saturating_sub(none) * 10 / (ten - none))
}

/// What all of them use during `work`.
fn measured(peers: &mut [Peer], work: impl FnOnce(&mut [Peer])) -> Vec<Cpu> {
    let before: Vec<Cpu> = peers.iter().map(|peer| Cpu::of(peer.pid)).collect();
    work(peers);
    peers.iter().zip(before).map(|(peer, before)| Cpu::of(peer.pid).since(before)).collect()
}

/// Asks each in its turn, evenly over the interval.
fn scrape(peers: &mut [Peer]) {
    let started = Instant::now();
    let step = INTERVAL / u32::try_from(peers.len()).unwrap();
    let mut next = Duration::ZERO;
    for _ in 0..SCRAPES {
        for peer in &mut *peers {
            wait(next.saturating_sub(started.elapsed()));
            peer.times.push(as_millis(peer.client.get("/metrics", true)));
            next += step;
        }
    }
    wait(next.saturating_sub(started.elapsed()));
}

fn main() {
    let more = more_checks();
    let (ours, larger, theirs) = (Agent::start(CHECKS), Agent::start(&more), NodeExporter::start());
    let mut peers = [
        Peer::new("vitalsign", ours.pid(), &ours.address),
        Peer::new("vitalsign, more series", larger.pid(), &larger.address),
        Peer::new("node_exporter", theirs.pid(), &theirs.address),
    ];
    for _ in 0..2 {
        for peer in &mut peers {
            peer.client.get("/metrics", true);
        }
        wait(SETTLED_AFTER);
    }
    let quiet = measured(&mut peers, |_| wait(QUIET));
    let scraped = measured(&mut peers, scrape);
    for ((peer, quiet), scraped) in peers.iter_mut().zip(quiet).zip(scraped) {
        (peer.quiet, peer.scraped) = (quiet, scraped);
    }

    let per_scrape = |cpu: Duration| as_millis(cpu) / f64::from(SCRAPES);
    let mut table = Table::default();
    for peer in &mut peers {
        let (name, page) = (peer.name, peer.text());
        table.tell(&format!("{name}: series"), series(&page).to_string());
        let bytes = format!("{} and {}", page.len(), peer.client.body.len());
        table.tell(&format!("{name}: bytes of a page, plain and gzip"), bytes);
        table.tell(
            &format!("{name}: a scrape as seen from outside"),
            format!("{:.1} ms", median(&mut peer.times)),
        );
        let Cpu { ticks, exact } = peer.quiet;
        let of_core = as_millis(exact) / as_millis(QUIET) * 100.0;
        table.tell(
            &format!("{name}: CPU in 20 s without a scrape"),
            format!(
                "{:.1} ms, {of_core:.3} % of a core ({} ms in ticks)",
                as_millis(exact),
                ticks.as_millis()
            ),
        );
        table.tell(
            &format!("{name}: CPU per scrape, whatever else it does in 5 s included"),
            format!(
                "{:.2} ms ({:.2} ms in ticks)",
                per_scrape(peer.scraped.exact),
                per_scrape(peer.scraped.ticks)
            ),
        );
    }
    let [ours, larger, theirs] = &peers;
    for peer in [ours, larger] {
        let ticks = peer.scraped.ticks.as_secs_f64() / theirs.scraped.ticks.as_secs_f64();
        table.tell(&format!("{} against node_exporter, in ticks", peer.name), format!("{ticks:.3}"));
        let ratio = peer.scraped.exact.as_secs_f64() / theirs.scraped.exact.as_secs_f64();
        table.at_most(&format!("{} against node_exporter", peer.name), TARGET, ratio, "");
    }
    table.print("A scrape of this machine, every 5 s for a minute");
}

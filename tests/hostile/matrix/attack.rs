//! One row of the matrix: an agent with a good check and the hostile ones, looked at before, during and after.

use std::{
    any::Any,
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::{
    figures::{Figures, mebibytes, sorts},
    harness::{
        agent::{Agent, Launch},
        eventually::{eventually, within},
        http::get,
        ports,
        redis::Redis,
        scrape::Scrape,
    },
    peers::{Behaviour, Peer, Peers, dns},
};

const SOON: Duration = Duration::from_secs(60);
/// How long the peers attack, and how often it is looked meanwhile.
const ATTACK: Duration = Duration::from_secs(7);
const LOOK: Duration = Duration::from_millis(100);
/// More memory than before.
const MEMORY: u64 = 64 << 20;
/// More threads than before: those that may block are made when needed.
const THREADS: u64 = 40;
/// The oldest that the good check, which runs every second, may be at any look, and at how many looks of a hundred it may
/// not be healthy. On a machine that has nothing else to do it is a second and none; beside peers that flood, and whatever
/// else keeps two cores busy, a run may be late. Where something starves it, it is seconds and most looks.
const OLDEST: f64 = 4.0;
const NOT_HEALTHY: usize = 25;

/// A check of something hostile.
#[derive(Clone, Debug)]
pub(crate) struct Hostile {
    pub(crate) name: String,
    pub(crate) behaviour: Behaviour,
    /// As YAML, without name and braces.
    pub(crate) settings: String,
    pub(crate) may_pass: bool,
}

/// The longest that a run may take whose time limit is half a second.
const LIMIT: f64 = 1.5;

/// What attacks.
pub(crate) trait Attack {
    /// The checks of it; what they ask is not there yet.
    fn checks(&self) -> &[Hostile];

    /// Begins; it ends when what this returns is dropped.
    fn begin(&self) -> Box<dyn Any>;

    /// What else is in the configuration.
    fn settings(&self) -> String {
        String::new()
    }

    /// How long the end of the agent may take: runs end within half a second.
    fn stop(&self) -> Duration {
        Duration::from_secs(4)
    }

    /// What is to be changed about the agent's start.
    fn prepare(&self, launch: Launch) -> Launch {
        launch
    }
}

/// Peers at ports.
pub(crate) struct Listening {
    peers: Vec<(Peer, SocketAddr)>,
    checks: Vec<Hostile>,
}

impl Listening {
    /// `settings` have `@` in the place of an address.
    pub(crate) fn new(settings: &str, peers: &[Peer]) -> Self {
        let at = |peer: &Peer| (peer.clone(), SocketAddr::from(([127, 0, 0, 1], ports::free())));
        let peers: Vec<_> = peers.iter().map(at).collect();
        let check = |(peer, at): &(Peer, SocketAddr)| Hostile {
            name: peer.name.clone(),
            behaviour: peer.behaviour,
            // A password may stand before the address.
            settings: settings
                .replace("@@", &format!("@{at}"))
                .replace("//@/", &format!("//{at}/"))
                .replace("'@'", &format!("'{at}'")),
            may_pass: peer.may_pass,
        };
        let checks = peers.iter().map(check).collect();
        Self { peers, checks }
    }
}

impl Attack for Listening {
    fn checks(&self) -> &[Hostile] {
        &self.checks
    }

    fn begin(&self) -> Box<dyn Any> {
        let peers = Peers::new();
        for (peer, at) in &self.peers {
            peers.start_at(peer, *at);
        }
        Box::new(peers)
    }
}

/// A hostile name server, and checks of names that it knows.
pub(crate) struct Names {
    server: SocketAddr,
    checks: Vec<Hostile>,
}

impl Names {
    pub(crate) fn new() -> Self {
        let checks = dns::labels().into_iter().map(|(label, behaviour)| Hostile {
            name: format!("dns_{label}"),
            behaviour,
            settings: format!("kind: tcp, address: '{label}.hostile.test:9'"),
            may_pass: false,
        });
        Self { server: ([127, 53, 53, 53], 53).into(), checks: checks.collect() }
    }
}

impl Attack for Names {
    fn checks(&self) -> &[Hostile] {
        &self.checks
    }

    fn begin(&self) -> Box<dyn Any> {
        let peers = Peers::new();
        dns::start(&peers, self.server);
        Box::new(peers)
    }

    fn prepare(&self, launch: Launch) -> Launch {
        launch.stand_in(&format!(
            "echo nameserver {} >resolv.conf\nexec unshare -rm --propagation private -- bash -c \
             'mount --bind resolv.conf /etc/resolv.conf && exec \"$0\" \"$@\"' {} \"$@\"\n",
            self.server.ip(),
            env!("CARGO_BIN_EXE_vitalsign")
        ))
    }
}

/// What was seen during an attack.
#[derive(Debug, Default)]
struct Seen {
    looks: usize,
    not_healthy: BTreeMap<String, usize>,
    oldest: f64,
    slowest: Duration,
    peak: Option<Figures>,
    complaints: BTreeSet<String>,
}

/// Attacks, and fails the test with everything that did not hold.
#[track_caller]
pub(crate) fn attack(row: &str, attack: &mut dyn Attack) {
    let redis = Redis::start();
    let mut config = attack.settings();
    let _ = write!(
        config,
        "stop: {{ drain: 10ms, within: 10s }}\ndefaults: {{ interval: 2500ms, timeout: 500ms, fail_after: 1, recover_after: 1, \
         breaker: false }}\nchecks:\n  good: {{ kind: redis, url: '{}', criticality: critical, interval: 1s, timeout: 900ms, fail_after: 2 }}\n",
        redis.url()
    );
    for check in attack.checks() {
        let _ = writeln!(config, "  {}: {{ {} }}", check.name, check.settings);
    }
    let agent = attack.prepare(Launch::new(&config)).start();

    // Before: nothing is there, and every check says so.
    eventually("every check to have run", SOON, || {
        let page = agent.scrape();
        let idle = attack.checks().iter().find(|check| runs(&page, &check.name) < 1.0);
        idle.map_or(Ok(()), |check| Err(format!("{} has not run", check.name)))
    });
    eventually("the good check to be healthy", SOON, || agent.get("/health/checks/good").status == 200);
    // What pages are made of is read once a second; then all is open that stays so.
    agent.scrape();
    let _ = within(Duration::from_millis(1_100), || false);
    agent.scrape();
    let (before, page_before) = (Figures::of(agent.pid()), agent.scrape());

    let attackers = attack.begin();
    let began = Instant::now();
    let mut seen = look_on(&agent, attack.checks());
    let (took, page) = (began.elapsed(), agent.scrape());
    let mut complaints = std::mem::take(&mut seen.complaints);
    let reasons = judge(attack.checks(), &page_before, &page, took, &mut complaints);
    let peak = Figures::of(agent.pid()).peak.saturating_sub(before.peak);
    if peak > MEMORY {
        complaints.insert(format!("{:.0} MiB more memory at the peak", mebibytes(peak)));
    }
    let threads = seen.peak.map_or(0, |peak| peak.threads.saturating_sub(before.threads));
    if threads > THREADS {
        complaints.insert(format!("{threads} threads more"));
    }

    // After: what was opened is closed.
    drop(attackers);
    let after = within(SOON, || {
        let now = Figures::of(agent.pid());
        // The good check and the pages may have one open, then as now.
        if now.descriptors <= before.descriptors + 3 {
            Ok(now)
        } else {
            Err(format!("{:?}", sorts(agent.pid())))
        }
    });
    let after = after.unwrap_or_else(|kept| {
        complaints.insert(format!("{} descriptors before, afterwards for good {kept}", before.descriptors));
        Figures::of(agent.pid())
    });

    // The end, under attack again.
    let attackers = attack.begin();
    let _ = within(Duration::from_secs(1), || false);
    agent.signal(Signal::TERM);
    let asked = Instant::now();
    let status = agent.wait_exit();
    let stop = asked.elapsed();
    drop(attackers);
    if !status.success() || stop > attack.stop() {
        complaints.insert(format!("{status} {stop:.1?} after SIGTERM"));
    }
    if let Some(line) = agent.log().lines().find(|line| line.contains("panic")) {
        complaints.insert(line.to_owned());
    }

    let table = table(
        row,
        attack.checks(),
        &reasons,
        &seen,
        &format!(
            "{:.1} MiB | {} / {} / {} | {} / {} / {} | {:.1} s",
            mebibytes(peak),
            before.descriptors,
            seen.peak.map_or(0, |peak| peak.descriptors),
            after.descriptors,
            before.threads,
            seen.peak.map_or(0, |peak| peak.threads),
            after.threads,
            stop.as_secs_f64(),
        ),
    );
    println!("{table}");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile-matrix");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("{row}.md")), &table).unwrap();
    assert!(
        complaints.is_empty(),
        "{} rules broken:\n{}\n{table}",
        complaints.len(),
        Vec::from_iter(complaints).join("\n")
    );
}

/// Looks again and again while the attack lasts.
fn look_on(agent: &Agent, checks: &[Hostile]) -> Seen {
    let mut seen = Seen::default();
    let (began, mut next) = (Instant::now(), Instant::now());
    let _ = within(ATTACK, || {
        if Instant::now() < next {
            return false;
        }
        next = Instant::now() + LOOK;
        let asked = Instant::now();
        let live = get(agent.addr(), "/health/live").status;
        seen.slowest = seen.slowest.max(asked.elapsed());
        if live != 200 {
            seen.complaints.insert(format!("/health/live answers {live}"));
        }
        let document = agent.health();
        let good = &document["checks"]["good"];
        if good["status"] != "healthy" {
            let how = format!("{} because of {}", good["status"], good["reason"]);
            *seen.not_healthy.entry(how).or_default() += 1;
        }
        seen.oldest = seen.oldest.max(good["age_seconds"].as_f64().unwrap_or(f64::INFINITY));
        for check in checks.iter().filter(|check| !check.may_pass) {
            let status = document["checks"][&check.name]["status"].as_str().unwrap_or("missing").to_owned();
            if status != "unhealthy" {
                seen.complaints.insert(format!("{} is {status}", check.name));
            }
        }
        let now = Figures::of(agent.pid());
        let peak = seen.peak.get_or_insert(now);
        peak.threads = peak.threads.max(now.threads);
        peak.descriptors = peak.descriptors.max(now.descriptors);
        seen.looks += 1;
        began.elapsed() > ATTACK
    });
    if seen.not_healthy.values().sum::<usize>() * 100 > seen.looks * NOT_HEALTHY {
        seen.complaints.insert(format!("in {} looks the good check was {:?}", seen.looks, seen.not_healthy));
    }
    if seen.oldest > OLDEST {
        seen.complaints.insert(format!("the good check was {:.1} s old", seen.oldest));
    }
    if seen.slowest > Duration::from_secs(2) {
        seen.complaints.insert(format!("/health/live took {:.1?}", seen.slowest));
    }
    seen
}

/// What the pages say about the attack; for each check the reasons of its failures.
fn judge(
    checks: &[Hostile],
    before: &Scrape,
    after: &Scrape,
    took: Duration,
    complaints: &mut BTreeSet<String>,
) -> BTreeMap<String, BTreeSet<String>> {
    let run = |check: &str| runs(after, check) - runs(before, check);
    let planned = took.as_secs_f64();
    // Jitter is a tenth; the rest is for a machine that is busy.
    if run("good") < planned * 0.3 {
        complaints.insert(format!("{} runs of the good check in {took:.1?}", run("good")));
    }
    let mut reasons = BTreeMap::new();
    for check in checks {
        let name = check.name.as_str();
        // A run that keeps its thread is told at its time limit, and started again when that has come back. Where the
        // state is not renewed, the check is unknown.
        let last = after.value("healthcheck_last_run_duration_seconds", &[("healthcheck_name", name)]);
        if run(name) < 1.0 || last.is_none_or(|seconds| seconds > LIMIT) {
            complaints.insert(format!("{name}: {} runs in {took:.1?}, the last took {last:?} s", run(name)));
        }
        // The run that just ends may be counted in one of the two.
        let failures = failures(before, after, name);
        let failed: f64 = failures.values().sum();
        if !check.may_pass && failed + 1.0 < run(name) {
            complaints.insert(format!("{name}: {} runs, and {failures:?}", run(name)));
        }
        // Only of the last failure the cause is told.
        let told = after.values("healthcheck_last_failure_info");
        let untold = told.into_iter().any(|sample| {
            sample.has(&[("healthcheck_name", name), ("error_type", "_OTHER")])
                && sample.labels.get("healthcheck_cause").is_none_or(String::is_empty)
        });
        if untold {
            complaints.insert(format!("{name} failed because of _OTHER, without a cause"));
        }
        for reason in failures.keys().filter(|reason| matches!(reason.as_str(), "panic" | "cancelled")) {
            complaints.insert(format!("{name} failed because of {reason}"));
        }
        let reasons: &mut BTreeSet<String> = reasons.entry(name.to_owned()).or_default();
        // Until the peer listened, and of the run that met its beginning.
        reasons.extend(failures.into_keys().filter(|reason| reason != "connection_refused"));
        if check.may_pass && failed < run(name) {
            reasons.insert("passes".to_owned());
        }
    }
    reasons
}

fn runs(page: &Scrape, check: &str) -> f64 {
    page.value("healthcheck_runs_total", &[("healthcheck_name", check)]).unwrap_or(0.0)
}

/// How many more runs of a check failed for each reason.
fn failures(before: &Scrape, after: &Scrape, check: &str) -> BTreeMap<String, f64> {
    let series = after.values("healthcheck_failures_total");
    let own = series.into_iter().filter(|sample| sample.has(&[("healthcheck_name", check)]));
    let more = own.map(|sample| {
        let reason = sample.labels["error_type"].clone();
        let labels = [("healthcheck_name", check), ("error_type", reason.as_str())];
        let more = sample.value - before.value("healthcheck_failures_total", &labels).unwrap_or(0.0);
        (reason, more)
    });
    more.filter(|(_, more)| *more > 0.0).collect()
}

/// The row: for each behaviour the number of peers and how their checks ended, then the figures.
fn table(
    row: &str,
    checks: &[Hostile],
    reasons: &BTreeMap<String, BTreeSet<String>>,
    seen: &Seen,
    figures: &str,
) -> String {
    let mut head = "| kind |".to_owned();
    let mut line = format!("| {row} |");
    for behaviour in Behaviour::ALL {
        let _ = write!(head, " {behaviour:?} |");
        let own: Vec<_> = checks.iter().filter(|check| check.behaviour == behaviour).collect();
        let all: BTreeSet<&str> =
            own.iter().filter_map(|check| reasons.get(&check.name)).flatten().map(String::as_str).collect();
        let all = Vec::from_iter(all).join(", ");
        let _ = if own.is_empty() { write!(line, " – |") } else { write!(line, " {}: {all} |", own.len()) };
    }
    head += " good check: not healthy / looks, oldest | /health/live at most | memory at the peak, more | descriptors before / most / after | \
             threads | SIGTERM |";
    let _ = write!(
        line,
        " {} / {}, {:.1} s | {:.0?} | {figures} |",
        seen.not_healthy.values().sum::<usize>(),
        seen.looks,
        seen.oldest,
        seen.slowest
    );
    let columns = head.matches('|').count() - 1;
    format!("{head}\n{}|\n{line}\n", "|---".repeat(columns))
}

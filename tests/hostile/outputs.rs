//! Outputs that nobody reads, that are full or closed: no agent waits for them, and no command says that it printed what it
//! did not.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
    path::Path,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::harness::{
    agent::{Agent, Launch},
    eventually::{eventually, same},
    ports,
};

const SOON: Duration = Duration::from_secs(60);
const BINARY: &str = env!("CARGO_BIN_EXE_vitalsign");

/// Checks that fail all the time, each with a long line in the log.
fn noisy(level: &str) -> String {
    let port = ports::free();
    let check = |name: &str| {
        format!(
            "  {name}: {{ kind: tcp, address: '127.0.0.1:{port}', interval: 100ms, timeout: 90ms, breaker: off }}\n"
        )
    };
    let checks: String = (0..200).map(|n| check(&format!("c{n:0>62}"))).collect();
    format!("log: {{ level: {level} }}\nstop: {{ within: 5s }}\nchecks:\n{}{checks}", check("one"))
}

/// On this address, because nobody reads where it listens; bash starts it, with these redirections.
fn redirected(config: &str, address: SocketAddr, redirections: &str) -> Launch {
    Launch::new(config)
        .listening_as_configured()
        .arg(format!("--web.listen-address={address}"))
        .stand_in(&format!("exec {BINARY} \"$@\" {redirections}\n"))
}

fn address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], ports::free()))
}

/// With a pipe as standard error that the agent itself holds open on both sides, so that it gets full and never breaks.
fn with_pipe(config: &str) -> Agent {
    let address = address();
    redirected(config, address, "2<>pipe").before("mkfifo pipe").start_at(address)
}

/// The other end of the pipe.
fn reader(pipe: &Path) -> BufReader<File> {
    BufReader::new(File::open(pipe).unwrap())
}

fn dropped(agent: &Agent) -> f64 {
    agent.scrape().value("vitalsign_log_lines_dropped_total", &[]).unwrap_or(0.0)
}

fn runs(agent: &Agent) -> f64 {
    agent.scrape().value("healthcheck_runs_total", &[("healthcheck_name", "one")]).unwrap_or(0.0)
}

fn until_full(agent: &Agent) {
    eventually("a full pipe and a full queue", SOON, || dropped(agent) > 0.0);
}

/// Rule: logging never waits. A standard error that nobody reads costs lines, which are counted, and told when somebody
/// reads again; it delays no check, no answer and no end.
#[test]
fn a_standard_error_that_nobody_reads_stops_nothing() {
    let agent = with_pipe(&noisy("debug"));
    until_full(&agent);
    let before = runs(&agent);
    eventually("checks to go on", SOON, || runs(&agent) > before + 3.0);
    assert_eq!(agent.get("/health/live").status, 200);

    let mut lines = reader(&agent.file("pipe")).lines().map(Result::unwrap);
    let said = "log lines were dropped because standard error was not read";
    let whole = lines.by_ref().inspect(|line| assert!(line.starts_with("ts="), "a broken line: {line}"));
    let told = whole.into_iter().find(|line| line.contains(said)).unwrap();
    let count: f64 = told.split("lines=").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(count > 0.0, "{told}");
    // The page may be one of a moment ago.
    eventually("as many to be counted", SOON, || dropped(&agent) >= count);
    let next = lines.next().unwrap();
    assert!(next.contains("level="), "and goes on: {next}");
}

/// Rule: SIGTERM is obeyed whatever is blocked, and the last lines have a second.
#[test]
fn an_agent_whose_standard_error_nobody_reads_stops_in_order() {
    let agent = with_pipe(&noisy("debug"));
    until_full(&agent);
    let asked = Instant::now();
    agent.signal(Signal::TERM);
    assert_eq!(agent.wait_exit().code(), Some(0));
    // A stop in order takes as long as a run, the log a second; the rest is for a loaded machine.
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
}

/// Rule: a second SIGTERM ends the process at once, also where its last words cannot be said.
#[test]
fn a_second_signal_ends_it_although_nobody_reads() {
    let agent = with_pipe(&noisy("debug").replace("within: 5s", "drain: 50m, within: 60m"));
    until_full(&agent);
    agent.signal(Signal::TERM);
    eventually("ready to say so", SOON, || {
        same(agent.get("/health/ready").json()["message"].clone(), &"draining".into())
    });
    agent.signal(Signal::TERM);
    assert_eq!(agent.wait_exit().code(), Some(1));
}

/// Rule: a start that fails ends the process, also where nobody reads why.
#[test]
fn a_start_that_fails_ends_although_nobody_reads_why() {
    let config = noisy("info");
    let run = |config: &str, address| {
        redirected(config, address, "2>&5").before("mkfifo pipe && exec 5<>pipe; timeout 1 yes >&5").run()
    };
    let refused = run(&config.replace("kind: tcp", "kind: tpc"), address());
    assert_eq!(refused.status.code(), Some(78));
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let refused = run(&config, taken.local_addr().unwrap());
    assert_eq!(refused.status.code(), Some(1));
}

/// Rule: a standard error that is closed, broken or on a full disk harms nothing.
#[test]
fn a_standard_error_that_cannot_be_written_harms_nothing() {
    for (redirection, may_count) in
        [("2>&-", false), ("2>/dev/full", true), ("2> >(exec head -n 1 >first)", true), ("1>&- 2>&-", false)]
    {
        let address = address();
        let agent = redirected(&noisy("debug"), address, redirection).start_at(address);
        let before = runs(&agent);
        eventually("checks to go on", SOON, || runs(&agent) > before + 10.0);
        if may_count {
            eventually("lost lines to count", SOON, || dropped(&agent) > 0.0);
        }
        assert_eq!(agent.get("/health/live").status, 200, "{redirection}");
        agent.signal(Signal::TERM);
        assert_eq!(agent.wait_exit().code(), Some(0), "{redirection}");
    }
}

/// Every command that prints, as its arguments.
const PRINTS: [&str; 7] = [
    "config show",
    "config check",
    "config example",
    "check",
    "assets rules",
    "assets export --dir assets",
    "--help",
];

/// Rule: a command whose answer was not written fails and says so.
#[test]
fn a_command_that_cannot_print_its_answer_fails() {
    for command in PRINTS.into_iter().chain(["--version"]) {
        let script = format!("exec {BINARY} {command} >/dev/full\n");
        let done = Launch::without_config().stand_in(&script).run();
        let code = if command == "check" { 3 } else { 1 };
        assert_eq!(done.status.code(), Some(code), "{command}: {}", done.stderr);
        let said = "cannot write to standard output: No space left on device";
        assert!(done.stderr.contains(said), "{command}: {}", done.stderr);
    }
    let agent = Agent::start("checks: {}\n");
    let script = format!("exec {BINARY} healthcheck http://{}/health/live >/dev/full\n", agent.addr());
    let done = Launch::without_config().stand_in(&script).run();
    assert_eq!(done.status.code(), Some(1), "{}", done.stderr);
    assert!(done.stderr.contains("cannot write to standard output"), "{}", done.stderr);
}

/// Rule: a reader that has had enough is no error, and nothing is said about it.
#[test]
fn a_command_whose_reader_goes_away_ends_quietly() {
    for command in PRINTS {
        let script = format!("{BINARY} {command} | true\nexit ${{PIPESTATUS[0]}}\n");
        let done = Launch::without_config().stand_in(&script).run();
        assert!(done.status.success() || command == "check", "{command}: {:?}", done.status);
        assert!(!done.stderr.contains("standard output"), "{command}: {}", done.stderr);
    }
}

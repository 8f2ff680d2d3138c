//! Signals that nobody meant for the agent.

use std::time::Duration;

use rustix::process::Signal;

use crate::harness::{
    agent::{Agent, Launch},
    eventually::{eventually, same},
};

const SOON: Duration = Duration::from_secs(60);
const BINARY: &str = env!("CARGO_BIN_EXE_vitalsign");

/// What ends a process by default, and has no meaning for the agent.
const IGNORED: [(Signal, &str); 9] = [
    (Signal::HUP, "SIGHUP"),
    (Signal::USR1, "SIGUSR1"),
    (Signal::USR2, "SIGUSR2"),
    (Signal::ALARM, "SIGALRM"),
    (Signal::VTALARM, "SIGVTALRM"),
    (Signal::PROF, "SIGPROF"),
    (Signal::IO, "SIGIO"),
    (Signal::POWER, "SIGPWR"),
    (Signal::XFSZ, "SIGXFSZ"),
];

/// An agent that ignores no signal from its start, whatever those who run the tests ignore (nohup): children inherit that.
fn start(config: &str) -> Agent {
    Launch::new(config).stand_in(&format!("exec env --default-signal {BINARY} \"$@\"\n")).start()
}

fn told(agent: &Agent, name: &str) -> usize {
    agent.log().lines().filter(|line| line.contains("is ignored") && line.contains(name)).count()
}

/// Rule: a signal that means nothing to the agent does not end it, and one line says that it came, however often it comes.
#[test]
fn signals_without_a_meaning_are_told_and_ignored() {
    let agent = start("checks: {}\n");
    for (signal, name) in IGNORED {
        agent.signal(signal);
        eventually(name, SOON, || same(told(&agent, &format!("signal={name}")), &1));
    }
    // Ignored by every Rust program; it comes with connections that peers close, so nothing is said.
    agent.signal(Signal::PIPE);
    IGNORED.into_iter().for_each(|(signal, _)| agent.signal(signal));
    assert_eq!(agent.get("/health/live").status, 200);
    agent.signal(Signal::TERM);
    assert_eq!(agent.wait_exit().code(), Some(0), "{}", agent.log());
    for (_, name) in IGNORED {
        assert_eq!(told(&agent, &format!("signal={name}")), 1, "{}", agent.log());
    }
    assert_eq!(told(&agent, "SIGPIPE"), 0);
}

/// Rule: they are ignored while the agent stops, too.
#[test]
fn signals_without_a_meaning_do_not_cut_a_stop_short() {
    let agent = start("stop: { drain: 50m, within: 60m }\nchecks: {}\n");
    agent.signal(Signal::TERM);
    let draining = || agent.get("/health/ready").json()["message"] == "draining";
    eventually("ready to say so", SOON, draining);
    for (signal, name) in IGNORED {
        agent.signal(signal);
        eventually(name, SOON, || same(told(&agent, &format!("signal={name}")), &1));
    }
    assert!(draining());
    agent.signal(Signal::INT);
    assert_eq!(agent.wait_exit().code(), Some(1));
}

/// Rule: what was ignored when the program started stays so, for nohup.
#[test]
fn what_nohup_ignores_stays_ignored() {
    let agent = Launch::new("checks: {}\n").stand_in(&format!("exec nohup {BINARY} \"$@\"\n")).start();
    let of = |agent: &Agent, mask: &str| {
        let status = std::fs::read_to_string(format!("/proc/{}/status", agent.pid())).unwrap();
        let bits = status.lines().find_map(|line| line.strip_prefix(mask)).unwrap().trim().to_owned();
        u64::from_str_radix(&bits, 16).unwrap() & 1
    };
    assert_eq!((of(&agent, "SigIgn:"), of(&agent, "SigCgt:")), (1, 0));
    agent.signal(Signal::HUP);
    agent.signal(Signal::USR1);
    eventually("the signal that came later", SOON, || same(told(&agent, "SIGUSR1"), &1));
    assert_eq!(told(&agent, "SIGHUP"), 0, "{}", agent.log());
    let other = start("checks: {}\n");
    assert_eq!((of(&other, "SigIgn:"), of(&other, "SigCgt:")), (0, 1));
}

/// Rule: a file that may not grow (`ulimit -f`) costs what should be in it, be it the log itself, and never the agent.
#[test]
fn a_limit_on_the_size_of_files_does_not_end_it() {
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], crate::harness::ports::free()));
    let port = crate::harness::ports::free();
    let config = format!(
        "log: {{ level: debug }}\nchecks:\n  a: {{ kind: tcp, address: '127.0.0.1:{port}', interval: 100ms, timeout: 90ms, breaker: off }}\n"
    );
    let agent = Launch::new(&config)
        .listening_as_configured()
        .arg(format!("--web.listen-address={address}"))
        .stand_in(&format!("ulimit -f 1\nexec {BINARY} \"$@\" 2>small\n"))
        .start_at(address);
    let dropped = || agent.scrape().value("vitalsign_log_lines_dropped_total", &[]).unwrap_or(0.0);
    eventually("lines that find no room", SOON, || dropped() > 10.0);
    assert_eq!(agent.get("/health/live").status, 200);
    agent.signal(Signal::TERM);
    assert_eq!(agent.wait_exit().code(), Some(0));
}

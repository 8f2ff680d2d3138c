//! The real agent, as a process of its own, and what the system says of it.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::client::Client;
use super::cpu::Cpu;
use super::wait;

pub const BINARY: &str = env!("CARGO_BIN_EXE_vitalsign");

/// A running agent; ends with this value.
pub struct Agent {
    child: Child,
    pub address: String,
    /// From the start of the program to its first answer.
    pub first_answer: Duration,
    _directory: tempfile::TempDir,
}

impl Agent {
    /// Starts the agent with these `checks`, a YAML mapping without indentation, and waits for its first page.
    pub fn start(checks: &str) -> Self {
        Self::start_with("", checks)
    }

    /// The same with further `settings`, whole lines of YAML.
    pub fn start_with(settings: &str, checks: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("vitalsign.yaml");
        let indented: String = checks.lines().map(|line| format!("  {line}\n")).collect();
        fs::write(&file, format!("log: {{ level: error }}\n{settings}checks:\n{indented}")).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let address = free.to_string();
        let mut command = Command::new(BINARY);
        command.arg("--config.file").arg(&file).arg("--web.listen-address").arg(&address);
        let started = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let mut agent = Self { child, address, first_answer: Duration::ZERO, _directory: directory };
        agent.await_answer(started);
        agent
    }

    fn await_answer(&mut self, started: Instant) {
        while started.elapsed() < Duration::from_secs(20) {
            if let Some(mut client) = Client::try_new(&self.address) {
                // Compressed, as Prometheus asks for it.
                client.get("/metrics", true);
                self.first_answer = started.elapsed();
                return;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the agent ended: {status}");
            }
            wait(Duration::from_micros(500));
        }
        panic!("no answer from the agent");
    }

    pub fn client(&self) -> Client {
        Client::try_new(&self.address).unwrap()
    }

    /// CPU time that the agent has used.
    pub fn cpu(&self) -> Duration {
        Cpu::of(self.pid()).ticks
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Memory in use, in MiB, as `field` of the process status has it: `VmRSS`, `RssAnon`, `VmHWM`.
    pub fn memory(&self, field: &str) -> f64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        line.trim_matches(|c: char| !c.is_ascii_digit()).parse::<f64>().unwrap() / 1024.0
    }

    /// How many threads it has.
    pub fn threads(&self) -> usize {
        fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap().count()
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The sum of the values of all series on `page` whose line begins with `beginning`.
pub fn sum(page: &[u8], beginning: &str) -> f64 {
    let page = std::str::from_utf8(page).unwrap();
    let lines = page.lines().filter(|line| line.starts_with(beginning));
    lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
}

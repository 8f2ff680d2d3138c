//! The real binary as a child process, with a configuration of the test's own, on a port of its own choice.

use std::{
    collections::HashSet, ffi::OsStr, net::SocketAddr, os::unix::ffi::OsStrExt, path::PathBuf,
    process::ExitStatus, time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;

use super::{
    http::{self, Response},
    process::{Process, command},
    scrape::Scrape,
    scratch::Scratch,
    user::User,
};

const STARTS: Duration = Duration::from_secs(60);
const STOPS: Duration = Duration::from_secs(120);

/// Time enough for what a check asks on a loaded machine; a check that is about time has its own.
const UNHURRIED: &str = "defaults: { interval: 10m, timeout: 1m }";

/// What one run of each of these checks says.
#[track_caller]
pub(crate) fn check_all(checks: &str) -> Value {
    Launch::new(&format!("{UNHURRIED}\nchecks: {{ {checks} }}")).check()
}

/// What one run of a check with these settings says.
#[track_caller]
pub(crate) fn check_once(settings: &str) -> Value {
    check_all(&format!("it: {{ {settings} }}"))["it"].clone()
}

/// An agent that is to be started.
#[derive(Debug)]
pub(crate) struct Launch {
    scratch: Scratch,
    program: PathBuf,
    args: Vec<String>,
    env: Vec<(String, String)>,
    user: User,
}

impl Launch {
    /// With this text as its `vitalsign.yaml`.
    pub(crate) fn new(config: &str) -> Self {
        let mut launch = Self::without_config();
        let file = launch.scratch.write("vitalsign.yaml", config, User::oneself());
        launch.args.insert(0, format!("--config.file={}", file.display()));
        launch
    }

    /// Runs each check once and gives what is said of them.
    #[track_caller]
    pub(crate) fn check(self) -> Value {
        let done = self.arg("check").arg("--format=json").run();
        let health: Value =
            serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{}{}", done.stdout, done.stderr));
        health["checks"].clone()
    }

    /// With no configuration file at all.
    pub(crate) fn without_config() -> Self {
        Self {
            scratch: Scratch::new("agent", User::oneself()),
            program: env!("CARGO_BIN_EXE_vitalsign").into(),
            args: vec!["--web.listen-address=127.0.0.1:0".to_owned()],
            env: Vec::new(),
            user: User::oneself(),
        }
    }

    /// As another user, who may read its configuration.
    pub(crate) fn by_user(mut self, user: User) -> Self {
        user.own(self.scratch.path());
        self.user = user;
        self
    }

    /// On the address of its configuration rather than on a port of its own choice.
    pub(crate) fn listening_as_configured(mut self) -> Self {
        self.args.retain(|arg| !arg.starts_with("--web.listen-address="));
        self
    }

    /// One more argument.
    pub(crate) fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// One variable; the environment has no others but `PATH`.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A script for bash instead of the binary, to try this very file; its name comes before the arguments.
    pub(crate) fn stand_in(mut self, script: &str) -> Self {
        let script = self.scratch.write("stand-in", script, User::oneself());
        self.program = "/bin/bash".into();
        self.args.insert(0, script.display().to_string());
        self
    }

    /// One more line before those of the script.
    pub(crate) fn before(self, line: &str) -> Self {
        let path = self.scratch.join("stand-in");
        let script = std::fs::read_to_string(&path).expect("a script");
        std::fs::write(&path, format!("{line}\n{script}")).expect("write the script");
        self
    }

    /// With these lines in place of the machine's /etc/hosts, in a mount namespace of its own.
    pub(crate) fn hosts(self, hosts: &str) -> Self {
        self.scratch.write("hosts", hosts, User::oneself());
        self.stand_in(&format!(
            "exec unshare -rm --propagation private -- bash -c \
             'mount --bind hosts /etc/hosts && exec \"$0\" \"$@\"' {} \"$@\"\n",
            env!("CARGO_BIN_EXE_vitalsign")
        ))
    }

    /// Starts it and returns when it listens.
    #[track_caller]
    pub(crate) fn start(self) -> Agent {
        let (scratch, process) = self.spawn();
        let addr = process.ready("listening address in the log", STARTS, || {
            process.stderr().split_inclusive('\n').filter(|line| line.ends_with('\n')).find_map(listening)
        });
        Agent { addr, process, scratch }
    }

    /// Starts it and returns when it answers at `addr`: for one whose log goes elsewhere.
    #[track_caller]
    pub(crate) fn start_at(self, addr: SocketAddr) -> Agent {
        let (scratch, process) = self.spawn();
        process.ready("answer", STARTS, || http::send(addr, b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n"));
        Agent { addr, process, scratch }
    }

    /// Runs it to its end: for configurations that it must refuse.
    #[track_caller]
    pub(crate) fn run(self) -> Finished {
        let (_scratch, process) = self.spawn();
        let status = process.wait(STOPS);
        Finished { status, stdout: process.stdout(), stderr: process.stderr() }
    }

    fn spawn(self) -> (Scratch, Process) {
        let mut agent = command(&self.program, self.user, "KILL");
        agent.current_dir(self.scratch.path()).args(&self.args).envs(self.env);
        let process = Process::start("agent", agent, self.scratch.path());
        (self.scratch, process)
    }
}

/// What is left of an agent that ended.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Its exit status.
    pub(crate) status: ExitStatus,
    /// What it printed.
    pub(crate) stdout: String,
    /// What it logged.
    pub(crate) stderr: String,
}

/// A running agent; killed on drop.
#[derive(Debug)]
pub(crate) struct Agent {
    addr: SocketAddr,
    process: Process,
    scratch: Scratch,
}

impl Agent {
    /// Starts the agent with this configuration.
    #[track_caller]
    pub(crate) fn start(config: &str) -> Self {
        Launch::new(config).start()
    }

    /// Where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// How many bytes of memory it has of its own: heap and stacks.
    #[track_caller]
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("a status");
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("its memory");
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kibibytes * 1024
    }

    /// A file in the folder that it runs in.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    /// Writes a new configuration in place of the one it was started with.
    pub(crate) fn rewrite_config(&self, config: &str) {
        // Renamed into place: the agent may look at any moment.
        let new = self.scratch.write("new.yaml", config, User::oneself());
        std::fs::rename(new, self.scratch.join("vitalsign.yaml")).expect("replace the configuration");
    }

    /// `GET path`.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Response {
        http::get(self.addr, path)
    }

    /// The document at /health, whatever its status code.
    #[track_caller]
    pub(crate) fn health(&self) -> serde_json::Value {
        self.get("/health").json()
    }

    /// The page at /metrics.
    #[track_caller]
    pub(crate) fn scrape(&self) -> Scrape {
        let page = self.get("/metrics");
        assert_eq!(page.status, 200, "/metrics: {}", page.text());
        Scrape::parse(page.text())
    }

    /// What it logged so far, in whole lines: the last one may just be written.
    pub(crate) fn log(&self) -> String {
        let mut log = self.process.stderr();
        log.truncate(log.rfind('\n').map_or(0, |end| end + 1));
        log
    }

    /// What it printed so far.
    pub(crate) fn stdout(&self) -> String {
        self.process.stdout()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Stops it where it is.
    pub(crate) fn freeze(&self) {
        self.process.freeze();
    }

    /// Ends a freeze.
    pub(crate) fn thaw(&self) {
        self.process.thaw();
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait_exit(&self) -> ExitStatus {
        self.process.wait(STOPS)
    }

    /// How many of its own TCP sockets lead to a remote port.
    pub(crate) fn sockets_to(&self, port: u16) -> usize {
        let own = socket_inodes(self.pid());
        ["tcp", "tcp6"]
            .iter()
            .map(|table| {
                std::fs::read_to_string(format!("/proc/{}/net/{table}", self.pid())).unwrap_or_default()
            })
            .map(|table| {
                table.lines().skip(1).filter_map(remote).filter(|r| r.0 == port && own.contains(&r.1)).count()
            })
            .sum()
    }
}

/// The inodes of the sockets that a process holds.
fn socket_inodes(pid: i32) -> HashSet<u64> {
    std::fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let target = std::fs::read_link(entry.ok()?.path()).ok()?;
            let number = target.as_os_str().as_bytes().strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
            OsStr::from_bytes(number).to_str()?.parse().ok()
        })
        .collect()
}

/// The remote port and the inode in a line of /proc/PID/net/tcp.
fn remote(line: &str) -> Option<(u16, u64)> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let (_, port) = fields.get(2)?.rsplit_once(':')?;
    Some((u16::from_str_radix(port, 16).ok()?, fields.get(9)?.parse().ok()?))
}

/// The address in the log line that says so, in logfmt or in JSON.
fn listening(line: &str) -> Option<SocketAddr> {
    if let Ok(json) = serde_json::from_str::<serde_json::Value>(line) {
        // Fields stand beside the message or below "fields", as the writer likes it.
        let field = |name: &str| json.get(name).or_else(|| json.get("fields")?.get(name))?.as_str();
        let message = field("msg").or_else(|| field("message"))?;
        return (message == "listening").then(|| field("address")?.parse().ok())?;
    }
    let says_so = [r#"msg="listening""#, "msg=listening", "message=listening", r#"message="listening""#];
    let mut words = line.split_ascii_whitespace();
    if !words.clone().any(|word| says_so.contains(&word)) {
        return None;
    }
    words.find_map(|word| word.strip_prefix("address=")?.trim_matches('"').parse().ok())
}

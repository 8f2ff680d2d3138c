//! A Redis server of its own, from Debian's package.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::Signal;

use super::{
    ports,
    process::{Process, command, installed, output, password},
    scratch::Scratch,
    user::User,
};

const STARTS: Duration = Duration::from_secs(60);
const STOPS: Duration = Duration::from_secs(60);

/// A running server that asks for a password and keeps nothing.
#[derive(Debug)]
pub(crate) struct Redis {
    process: Process, // ends before its directory does
    user: User,
    scratch: Scratch,
    port: u16,
    password: String,
    args: Vec<String>,
}

impl Redis {
    /// A server with the defaults.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// A server with further arguments such as `--maxclients 5`.
    pub(crate) fn start_with(args: &[&str]) -> Self {
        Self::start_among(&[], args)
    }

    /// A server with TLS at a second port, where it wants a certificate of every client. The texts are those of the
    /// authority, of the server's certificate and of its key.
    pub(crate) fn start_with_tls(ca: &str, certificate: &str, key: &str) -> (Self, u16) {
        let port = ports::free();
        let files = [("ca.pem", ca), ("it.pem", certificate), ("it.key", key)];
        let port_text = port.to_string();
        let args = ["--tls-port", &port_text, "--tls-ca-cert-file", "ca.pem", "--tls-cert-file", "it.pem"];
        let server = Self::start_among(&files, &[&args[..], &["--tls-key-file", "it.key"]].concat());
        (server, port)
    }

    fn start_among(files: &[(&str, &str)], args: &[&str]) -> Self {
        let user = User::unprivileged(&["redis"]);
        let scratch = Scratch::new("redis", user);
        for (name, text) in files {
            scratch.write(name, text, user);
        }
        let port = ports::free();
        let password = password();
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        let process = serve(user, &scratch, port, &password, &args);
        let server = Self { process, user, scratch, port, password, args };
        server.wait_until_it_answers();
        server
    }

    /// Where a client connects, password included.
    pub(crate) fn url(&self) -> String {
        format!("redis://:{}@127.0.0.1:{}/0", self.password, self.port)
    }

    /// The port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The password of the default user.
    pub(crate) fn password(&self) -> &str {
        &self.password
    }

    /// Runs one command with redis-cli; fails the test when the answer is an error.
    #[track_caller]
    pub(crate) fn cli(&self, args: &[&str]) -> String {
        output(self.cli_command(args)).trim_end().to_owned()
    }

    /// Stops the server where it is.
    pub(crate) fn freeze(&self) {
        self.process.freeze();
    }

    /// Ends a freeze.
    pub(crate) fn thaw(&self) {
        self.process.thaw();
    }

    /// Kills the server: connections are reset, new ones refused.
    pub(crate) fn kill(&self) {
        self.process.kill();
    }

    /// Shuts the server down.
    #[track_caller]
    pub(crate) fn stop(&self) {
        self.process.stop(Signal::TERM, STOPS);
    }

    /// Starts it again, empty, on the same port, after having stopped it if it runs.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        if self.process.exited().is_none() {
            self.stop();
        }
        self.process = serve(self.user, &self.scratch, self.port, &self.password, &self.args);
        self.wait_until_it_answers();
    }

    fn cli_command(&self, args: &[&str]) -> std::process::Command {
        let mut cli = command(program("redis-cli"), self.user, "KILL");
        cli.env("REDISCLI_AUTH", &self.password)
            .args(["-e", "-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(args);
        cli
    }

    #[track_caller]
    fn wait_until_it_answers(&self) {
        self.process.ready("answer to PING", STARTS, || {
            let done = self.cli_command(&["PING"]).output().map_err(|e| e.to_string())?;
            let text = String::from_utf8_lossy(&done.stdout).into_owned();
            let failed = String::from_utf8_lossy(&done.stderr).into_owned();
            if text.trim() == "PONG" { Ok(()) } else { Err(text + &failed) }
        });
    }
}

fn serve(user: User, scratch: &Scratch, port: u16, password: &str, args: &[String]) -> Process {
    let mut redis = command(program("redis-server"), user, "KILL");
    redis
        .current_dir(scratch.path())
        .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--requirepass", password])
        .args(["--save", "", "--appendonly", "no", "--daemonize", "no", "--dir"])
        .arg(scratch.path())
        .args(args);
    Process::start("redis", redis, scratch.path())
}

fn program(name: &str) -> PathBuf {
    installed(Path::new("/usr/bin").join(name), "redis-server")
}

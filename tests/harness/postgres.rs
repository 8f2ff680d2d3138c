//! A PostgreSQL cluster of its own, from Debian's binaries.

use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rustix::process::Signal;

use super::{
    ports,
    process::{Process, command, output, password},
    scratch::Scratch,
    user::User,
};

const STARTS: Duration = Duration::from_secs(120);
const STOPS: Duration = Duration::from_secs(60);

/// A running cluster with the database `postgres` and a role `vitalsign` that may log in and nothing more.
#[derive(Debug)]
pub(crate) struct Postgres {
    process: Process, // ends before its directory does
    bin: PathBuf,
    user: User,
    scratch: Scratch,
    port: u16,
    password: String,
    settings: Vec<String>,
}

impl Postgres {
    /// A cluster with the defaults.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// A cluster with settings such as `max_connections=10`.
    pub(crate) fn start_with(settings: &[&str]) -> Self {
        let bin = newest_bin();
        let user = User::unprivileged(&["postgres"]);
        let scratch = Scratch::new("postgres", user);
        let password = password();
        initdb(&bin, user, &scratch, &password);
        let port = ports::free();
        let settings: Vec<String> = settings.iter().map(|&s| s.to_owned()).collect();
        let process = serve(&bin, user, &scratch, port, &settings);
        let cluster = Self { process, bin, user, scratch, port, password, settings };
        cluster.wait_until_it_accepts();
        cluster.psql(&format!("create role vitalsign login password '{}'", cluster.password));
        cluster
    }

    /// Where the role `vitalsign` connects.
    pub(crate) fn url(&self) -> String {
        format!("postgres://vitalsign:{}@127.0.0.1:{}/postgres", self.password, self.port)
    }

    /// The port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The password of `vitalsign`.
    pub(crate) fn password(&self) -> &str {
        &self.password
    }

    /// Runs SQL as superuser through the Unix socket; rows as lines, columns parted by `|`.
    #[track_caller]
    pub(crate) fn psql(&self, sql: &str) -> String {
        output(self.psql_command(sql)).trim_end().to_owned()
    }

    /// A file that the server and everybody else can read.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        self.scratch.write(name, text, self.user)
    }

    /// From now on it offers TLS, with this certificate and key in PEM.
    pub(crate) fn encrypt(&self, certificate: &str, key: &str) {
        self.scratch.write("data/server.crt", certificate, self.user);
        let key = self.scratch.write("data/server.key", key, self.user);
        std::fs::set_permissions(key, Permissions::from_mode(0o600)).expect("hide a key");
        self.psql("alter system set ssl = on");
        self.reload();
    }

    /// What its own client says when it asks something at `url`.
    ///
    /// # Errors
    /// Why it gets no answer.
    pub(crate) fn lets_in(&self, url: &str) -> Result<(), String> {
        let mut psql = command(self.psql_program(), self.user, "KILL");
        psql.current_dir(self.scratch.path()).args(["-X", "-q", "-c", "select 1", "-d", url]);
        let done = psql.output().expect("run psql");
        let failed = String::from_utf8_lossy(&done.stderr).into_owned();
        if done.status.success() { Ok(()) } else { Err(failed) }
    }

    /// Lets clients in by these lines of `pg_hba.conf`, and superusers through the Unix socket.
    pub(crate) fn let_in(&self, lines: &str) {
        let lines = format!("local all postgres scram-sha-256\n{lines}\n");
        self.scratch.write("data/pg_hba.conf", &lines, self.user);
        self.reload();
    }

    fn reload(&self) {
        let loaded = || self.psql("select pg_conf_load_time()");
        let before = loaded();
        self.psql("select pg_reload_conf()");
        self.process.ready("new settings", STARTS, || loaded() != before);
    }

    /// Stops every process of the cluster where it is.
    pub(crate) fn freeze(&self) {
        self.process.freeze();
    }

    /// Ends a freeze.
    pub(crate) fn thaw(&self) {
        self.process.thaw();
    }

    /// Kills every process of the cluster: connections are reset, new ones refused.
    pub(crate) fn kill(&self) {
        self.process.kill();
        self.forget_shared_memory();
    }

    /// Shuts the cluster down, telling the clients.
    #[track_caller]
    pub(crate) fn stop(&self) {
        self.process.stop(Signal::INT, STOPS);
    }

    /// Starts it again on the same port with the same data, after having stopped it if it runs.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        if self.process.exited().is_none() {
            self.stop();
        }
        self.process = serve(&self.bin, self.user, &self.scratch, self.port, &self.settings);
        self.wait_until_it_accepts();
    }

    /// The program `psql`.
    pub(crate) fn psql_program(&self) -> PathBuf {
        self.bin.join("psql")
    }

    fn psql_command(&self, sql: &str) -> Command {
        let mut psql = command(self.psql_program(), self.user, "KILL");
        psql.current_dir(self.scratch.path())
            .env("PGPASSWORD", &self.password)
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "postgres", "-h"])
            .arg(self.scratch.path())
            .args(["-p", &self.port.to_string(), "-c", sql]);
        psql
    }

    #[track_caller]
    fn wait_until_it_accepts(&self) {
        self.process.ready("answer to a query", STARTS, || {
            let done = self.psql_command("select 1").output().map_err(|e| e.to_string())?;
            let failed = String::from_utf8_lossy(&done.stderr).into_owned();
            if done.status.success() { Ok(()) } else { Err(failed) }
        });
    }

    /// A killed postmaster leaves a small System V segment behind; its number is in line 7 of its pid file.
    fn forget_shared_memory(&self) {
        let pid_file = std::fs::read_to_string(self.scratch.join("data/postmaster.pid")).unwrap_or_default();
        if let Some(segment) = pid_file.lines().nth(6).and_then(|line| line.split_whitespace().nth(1)) {
            let _ = command("ipcrm", self.user, "KILL").args(["-m", segment]).output();
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // An immediate shutdown frees the segment; whoever does not heed it is killed.
        self.process.thaw();
        self.process.signal(Signal::QUIT);
        let gone = super::eventually::within(STOPS, || self.process.exited());
        if gone.is_err() {
            self.kill();
        }
    }
}

fn initdb(bin: &Path, user: User, scratch: &Scratch, password: &str) {
    let pwfile = scratch.write("password", password, user);
    let mut initdb = command(bin.join("initdb"), user, "KILL");
    initdb
        .current_dir(scratch.path())
        .args(["-A", "scram-sha-256", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync", "--pwfile"])
        .arg(pwfile)
        .arg("-D")
        .arg(scratch.join("data"));
    output(initdb);
}

fn serve(bin: &Path, user: User, scratch: &Scratch, port: u16, settings: &[String]) -> Process {
    // SIGQUIT: postgres takes its children and its shared memory along.
    let mut postgres = command(bin.join("postgres"), user, "QUIT");
    postgres.current_dir(scratch.path()).arg("-D").arg(scratch.join("data"));
    let own = [
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        format!("unix_socket_directories={}", scratch.path().display()),
        "fsync=off".to_owned(),
        "shared_buffers=16MB".to_owned(),
        "dynamic_shared_memory_type=mmap".to_owned(),
    ];
    for setting in own.iter().chain(settings) {
        postgres.args(["-c", setting]);
    }
    Process::start("postgres", postgres, scratch.path())
}

/// Debian keeps one directory per major version.
fn newest_bin() -> PathBuf {
    std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let major: u32 = path.file_name()?.to_str()?.parse().ok()?;
            let bin = path.join("bin");
            ["initdb", "postgres", "psql"].iter().all(|b| bin.join(b).exists()).then_some((major, bin))
        })
        .max()
        .map(|(_, bin)| bin)
        .expect("postgresql is not installed: run tests/run, or apt-get install postgresql")
}

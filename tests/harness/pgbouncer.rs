//! A PgBouncer of its own, from Debian's package, before a [`Postgres`].

use std::{path::PathBuf, process::Command, time::Duration};

use super::{
    ports,
    postgres::Postgres,
    process::{Process, command, installed, output},
    scratch::Scratch,
    user::User,
};

const STARTS: Duration = Duration::from_secs(60);

/// A running pooler that knows the database `postgres` and the role `vitalsign`.
#[derive(Debug)]
pub(crate) struct PgBouncer {
    process: Process, // ends before its directory does
    user: User,
    scratch: Scratch,
    psql: PathBuf,
    port: u16,
    password: String,
}

impl PgBouncer {
    /// A pooler with Debian's configuration and further settings such as `pool_mode = transaction`.
    pub(crate) fn start(before: &Postgres, settings: &[&str]) -> Self {
        let user = User::unprivileged(&["postgres"]);
        let scratch = Scratch::new("pgbouncer", user);
        let port = ports::free();
        let users = format!("\"vitalsign\" \"{}\"\n", before.password());
        let users = scratch.write("userlist.txt", &users, user);
        let config = format!(
            "[databases]\npostgres = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = md5\nauth_file = {}\n{}\n",
            before.port(),
            users.display(),
            settings.join("\n")
        );
        let config = scratch.write("pgbouncer.ini", &config, user);
        let mut pgbouncer = command(installed("/usr/sbin/pgbouncer", "pgbouncer"), user, "KILL");
        pgbouncer.current_dir(scratch.path()).arg(config);
        let process = Process::start("pgbouncer", pgbouncer, scratch.path());
        let psql = before.psql_program();
        let pooler = Self { process, user, scratch, psql, port, password: before.password().to_owned() };
        pooler.wait_until_it_answers();
        pooler
    }

    /// Where the role `vitalsign` connects.
    pub(crate) fn url(&self) -> String {
        format!("postgres://vitalsign:{}@127.0.0.1:{}/postgres", self.password, self.port)
    }

    /// Runs SQL as an application that names nothing at start-up; rows as lines, columns parted by `|`.
    #[track_caller]
    pub(crate) fn psql(&self, sql: &str) -> String {
        output(self.psql_command(sql)).trim_end().to_owned()
    }

    fn psql_command(&self, sql: &str) -> Command {
        let mut psql = command(&self.psql, self.user, "KILL");
        psql.current_dir(self.scratch.path())
            .env("PGPASSWORD", &self.password)
            .env("PGAPPNAME", "")
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "vitalsign", "-d", "postgres"])
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-c", sql]);
        psql
    }

    #[track_caller]
    fn wait_until_it_answers(&self) {
        self.process.ready("answer to a query", STARTS, || {
            let done = self.psql_command("select 1").output().map_err(|e| e.to_string())?;
            let failed = String::from_utf8_lossy(&done.stderr).into_owned();
            if done.status.success() { Ok(()) } else { Err(failed) }
        });
    }
}

//! A MariaDB server of its own, from Debian's package.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use super::{
    ports,
    process::{Process, command, installed, output},
    scratch::Scratch,
    user::User,
};

const STARTS: Duration = Duration::from_secs(120);

/// A running server, which root reaches by its socket and nobody else by anything.
#[derive(Debug)]
pub(crate) struct MariaDb {
    process: Process, // ends before its directory does
    user: User,
    scratch: Scratch,
    address: SocketAddr,
}

impl MariaDb {
    /// A server with settings such as `max_connect_errors=10`. It listens on an address of this machine that is not a
    /// loopback one: those it never locks out.
    pub(crate) fn start_with(settings: &[&str]) -> Self {
        let user = User::unprivileged(&["mysql"]);
        let scratch = Scratch::new("mariadb", user);
        let mut install = command(program("/usr/bin/mariadb-install-db"), user, "KILL");
        install
            .current_dir(scratch.path())
            .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
            .arg(format!("--datadir={}", scratch.join("data").display()));
        output(install);
        let address = SocketAddr::new(own_address(), ports::free());
        let mut mariadb = command(program("/usr/sbin/mariadbd"), user, "KILL");
        mariadb
            .current_dir(scratch.path())
            .args(["--no-defaults", "--skip-log-bin", "--innodb-buffer-pool-size=8M"])
            .args([format!("--bind-address={}", address.ip()), format!("--port={}", address.port())])
            .args(
                [("datadir", "data"), ("socket", "socket"), ("pid-file", "pid")]
                    .map(|(option, name)| format!("--{option}={}", scratch.join(name).display())),
            )
            .args(settings.iter().map(|setting| format!("--{setting}")));
        let process = Process::start("mariadb", mariadb, scratch.path());
        let server = Self { process, user, scratch, address };
        server.process.ready("answer to a query", STARTS, || {
            let done = server.client("select 1").output().map_err(|e| e.to_string())?;
            let failed = String::from_utf8_lossy(&done.stderr).into_owned();
            if done.status.success() { Ok(()) } else { Err(failed) }
        });
        server
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs SQL as root through the Unix socket; rows as lines, columns parted by tabs.
    #[track_caller]
    pub(crate) fn sql(&self, sql: &str) -> String {
        output(self.client(sql)).trim_end().to_owned()
    }

    fn client(&self, sql: &str) -> Command {
        let mut client = command(program("/usr/bin/mariadb"), self.user, "KILL");
        client
            .current_dir(self.scratch.path())
            .args(["--no-defaults", "--user=root", "--skip-column-names", "--batch", "--execute", sql])
            .arg(format!("--socket={}", self.scratch.join("socket").display()));
        client
    }
}

/// The address that this machine sends from, which nothing is sent for to find out.
fn own_address() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    socket.connect("203.0.113.1:9").expect("a network beside the loopback one");
    socket.local_addr().expect("its address").ip()
}

fn program(path: &str) -> PathBuf {
    installed(Path::new(path), "mariadb-server")
}

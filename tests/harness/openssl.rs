//! OpenSSL's command line: certificates that no library of ours can make, and a server that shows them.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    ports,
    process::{Process, command, installed, output},
    scratch::Scratch,
    user::User,
};

const STARTS: Duration = Duration::from_secs(60);

/// A folder of keys and certificates; `name.key` and `name.pem` belong together.
#[derive(Debug)]
pub(crate) struct Certificates {
    scratch: Scratch,
}

impl Certificates {
    pub(crate) fn new() -> Self {
        Self { scratch: Scratch::new("openssl", User::oneself()) }
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.scratch.join(file)
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        self.scratch.write(file, text, User::oneself());
    }

    /// Runs `openssl` in the folder; the arguments stand between spaces.
    #[track_caller]
    pub(crate) fn run(&self, args: &str) {
        let mut openssl = command(program(), User::oneself(), "KILL");
        openssl.current_dir(self.scratch.path()).args(args.split_whitespace());
        output(openssl);
    }

    /// A certificate that signs itself, for 127.0.0.1, with a key of this type: `rsa:2048`, `ec -pkeyopt …`.
    #[track_caller]
    pub(crate) fn self_signed(&self, name: &str, key: &str, more: &str) {
        self.run(&format!(
            "req -x509 -nodes -newkey {key} -keyout {name}.key -out {name}.pem -days 30 -subj /CN=127.0.0.1 \
             -addext subjectAltName=IP:127.0.0.1 {more}"
        ));
    }

    /// A certificate for 127.0.0.1 that `issuer` signs.
    #[track_caller]
    pub(crate) fn signed(&self, name: &str, key: &str, issuer: &str, more: &str) {
        self.write("ext", "subjectAltName=IP:127.0.0.1\n");
        self.run(&format!("req -nodes -newkey {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        self.run(&format!(
            "x509 -req -in {name}.csr -CA {issuer}.pem -CAkey {issuer}.key -CAcreateserial -out {name}.pem -days 30 \
             -extfile ext {more}"
        ));
    }

    /// Serves a page with the certificate `name`; the arguments stand between spaces.
    #[track_caller]
    pub(crate) fn serve(&self, name: &str, more: &str) -> Server {
        let port = ports::free();
        let mut server = command(program(), User::oneself(), "KILL");
        server.current_dir(self.scratch.path()).args([
            "s_server",
            "-www",
            "-accept",
            &format!("127.0.0.1:{port}"),
        ]);
        server.args(["-cert", &format!("{name}.pem"), "-key", &format!("{name}.key")]);
        server.args(more.split_whitespace());
        let process = Process::start("s_server", server, self.scratch.path());
        process.ready("open port of s_server", STARTS, || std::net::TcpStream::connect(("127.0.0.1", port)));
        Server { port, _process: process }
    }
}

/// A server that runs; ended on drop.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) port: u16,
    _process: Process,
}

fn program() -> PathBuf {
    installed(Path::new("/usr/bin/openssl"), "openssl")
}

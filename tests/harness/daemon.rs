//! A program of Prometheus' family: one binary with one HTTP port and files in its working directory. What they have in
//! common is here; what each of them is asked stays with it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use super::{
    http, ports,
    process::{Process, command},
    scratch::Scratch,
    user::User,
};

const STARTS: Duration = Duration::from_secs(60);

/// One that runs; ended on drop.
#[derive(Debug)]
pub(crate) struct Daemon {
    pub(crate) addr: SocketAddr,
    pub(crate) process: Process, // ends before its directory does
    pub(crate) scratch: Scratch,
}

impl Daemon {
    /// Starts `program` among these files, with these arguments and a port of its own, and returns when it answers 200 at
    /// the path `ready`.
    #[track_caller]
    pub(crate) fn start(
        name: &str,
        program: &Path,
        files: &[(&str, &str)],
        args: &[&str],
        ready: &str,
    ) -> Self {
        let scratch = Scratch::new(name, User::oneself());
        for (file, text) in files {
            scratch.write(file, text, User::oneself());
        }
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
        let mut daemon = command(program, User::oneself(), "KILL");
        daemon.current_dir(scratch.path()).arg(format!("--web.listen-address={addr}")).args(args);
        let process = Process::start(name, daemon, scratch.path());
        let request = format!("GET {ready} HTTP/1.0\r\n\r\n");
        process.ready("answer", STARTS, || {
            let answer = http::send(addr, request.as_bytes()).map_err(|error| error.to_string())?;
            if answer.status == 200 { Ok(()) } else { Err(answer.text().to_owned()) }
        });
        Self { addr, process, scratch }
    }
}

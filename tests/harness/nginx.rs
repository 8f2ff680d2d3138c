//! An nginx of its own, from Debian's package.

use std::{path::Path, time::Duration};

use super::{
    ports,
    process::{Process, command, installed},
    scratch::Scratch,
    user::User,
};

const STARTS: Duration = Duration::from_secs(60);

/// A server that runs; ended on drop.
#[derive(Debug)]
pub(crate) struct Nginx {
    pub(crate) port: u16,
    _process: Process, // ends before its directory does
    _scratch: Scratch,
}

impl Nginx {
    /// Starts one with these files and these `server` blocks, in which `PORT` stands for its port.
    #[track_caller]
    pub(crate) fn start(files: &[(&str, &[u8])], servers: &str) -> Self {
        let user = User::unprivileged(&["www-data"]);
        let scratch = Scratch::new("nginx", user);
        for (name, content) in files {
            std::fs::write(scratch.join(name), content).unwrap();
        }
        let port = ports::free();
        let servers = servers.replace("PORT", &format!("127.0.0.1:{port}"));
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {name};\n"))
            .concat();
        let config = format!(
            "daemon off; worker_processes 1; pid nginx.pid; error_log stderr;\n\
             events {{}}\nhttp {{ access_log off; {temporary} {servers} }}\n"
        );
        scratch.write("nginx.conf", &config, user);
        let mut nginx = command(installed(Path::new("/usr/sbin/nginx"), "nginx-light"), user, "KILL");
        nginx.current_dir(scratch.path()).arg("-p").arg(scratch.path()).args([
            "-c",
            "nginx.conf",
            "-e",
            "stderr",
        ]);
        let process = Process::start("nginx", nginx, scratch.path());
        process.ready("open port of nginx", STARTS, || std::net::TcpStream::connect(("127.0.0.1", port)));
        Self { port, _process: process, _scratch: scratch }
    }
}

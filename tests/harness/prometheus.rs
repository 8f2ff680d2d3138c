//! Prometheus itself, from Debian's package, scraping one target: what it makes of our pages.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use serde_json::Value;

use super::{
    http, ports,
    process::{Process, command},
    scratch::Scratch,
    user::User,
};

const STARTS: Duration = Duration::from_secs(60);
const PROGRAM: &str = "/usr/bin/prometheus";

/// A running Prometheus.
#[derive(Debug)]
pub(crate) struct Prometheus {
    addr: SocketAddr,
    process: Process, // ends before its directory does
    scratch: Scratch,
}

impl Prometheus {
    /// Scrapes `target` every second, and keeps exemplars.
    #[track_caller]
    pub(crate) fn start(target: SocketAddr) -> Self {
        assert!(Path::new(PROGRAM).exists(), "not installed: run tests/run, or apt-get install prometheus");
        let scratch = Scratch::new("prometheus", User::oneself());
        let config = format!(
            "global: {{ scrape_interval: 1s, scrape_timeout: 1s }}\nscrape_configs:\n- job_name: vitalsign\n  \
             static_configs: [{{ targets: ['{target}'] }}]\n"
        );
        let config = scratch.write("prometheus.yml", &config, User::oneself());
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
        let mut prometheus = command(PROGRAM, User::oneself(), "KILL");
        prometheus
            .current_dir(scratch.path())
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--web.listen-address={addr}"))
            .arg(format!("--storage.tsdb.path={}", scratch.join("data").display()))
            .arg("--enable-feature=exemplar-storage");
        let process = Process::start("prometheus", prometheus, scratch.path());
        process.ready("ready", STARTS, || {
            let ready =
                http::send(addr, b"GET /-/ready HTTP/1.0\r\n\r\n").map_err(|error| error.to_string())?;
            if ready.status == 200 { Ok(()) } else { Err(ready.status.to_string()) }
        });
        Self { addr, process, scratch }
    }

    /// What its API answers at `path`.
    #[track_caller]
    pub(crate) fn ask(&self, path: &str) -> Value {
        let answer = http::get(self.addr, &format!("/api/v1/{path}")).json();
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].clone()
    }
}

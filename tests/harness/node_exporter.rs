//! Prometheus' own exporter for a machine, from Debian's package: what ours is compared with.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use super::{
    http, ports,
    process::{Process, command, installed},
    scrape::Scrape,
    scratch::Scratch,
    user::User,
};

const STARTS: Duration = Duration::from_secs(60);
const PROGRAM: &str = "/usr/bin/prometheus-node-exporter";

/// A running node_exporter.
#[derive(Debug)]
pub(crate) struct NodeExporter {
    addr: SocketAddr,
    process: Process, // ends before its directory does
    scratch: Scratch,
}

impl NodeExporter {
    /// With these of its collectors and no others.
    #[track_caller]
    pub(crate) fn start(collectors: &[&str]) -> Self {
        let program = installed(PROGRAM, "prometheus-node-exporter");
        let scratch = Scratch::new("node", User::oneself());
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
        let mut node = command(program, User::oneself(), "KILL");
        node.current_dir(scratch.path())
            .arg(format!("--web.listen-address={addr}"))
            .args(["--web.disable-exporter-metrics", "--collector.disable-defaults"])
            .args(collectors.iter().map(|name| format!("--collector.{name}")));
        let process = Process::start("node", node, scratch.path());
        process.ready("answer", STARTS, || http::send(addr, b"GET / HTTP/1.0\r\n\r\n").map(drop));
        Self { addr, process, scratch }
    }

    /// The page at /metrics.
    #[track_caller]
    pub(crate) fn scrape(&self) -> Scrape {
        let page = http::get(self.addr, "/metrics");
        assert_eq!(page.status, 200, "/metrics: {}", page.text());
        Scrape::parse(page.text())
    }
}

//! Prometheus' own exporter for a machine, from Debian's package: what ours is compared with.

use super::{daemon::Daemon, http, process::installed, scrape::Scrape};

const PROGRAM: &str = "/usr/bin/prometheus-node-exporter";

/// A running node_exporter.
#[derive(Debug)]
pub(crate) struct NodeExporter(Daemon);

impl NodeExporter {
    /// With these of its collectors and no others.
    #[track_caller]
    pub(crate) fn start(collectors: &[&str]) -> Self {
        let program = installed(PROGRAM, "prometheus-node-exporter");
        let chosen: Vec<String> = collectors.iter().map(|name| format!("--collector.{name}")).collect();
        let mut args = vec!["--web.disable-exporter-metrics", "--collector.disable-defaults"];
        args.extend(chosen.iter().map(String::as_str));
        Self(Daemon::start("node", &program, &[], &args, "/"))
    }

    /// The page at /metrics.
    #[track_caller]
    pub(crate) fn scrape(&self) -> Scrape {
        let page = http::get(self.0.addr, "/metrics");
        assert_eq!(page.status, 200, "/metrics: {}", page.text());
        Scrape::parse(page.text())
    }
}

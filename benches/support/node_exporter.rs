//! Prometheus' own exporter for a machine, as Debian packages it: what ours is compared with.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::client::Client;
use super::wait;

const PROGRAM: &str = "prometheus-node-exporter";

/// A running node_exporter; ends with this value.
pub struct NodeExporter {
    child: Child,
    pub address: String,
}

impl NodeExporter {
    /// Starts it with the collectors that it has by default, and waits for its first page.
    pub fn start() -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let mut command = Command::new(PROGRAM);
        command.arg(format!("--web.listen-address={address}")).arg("--log.level=error");
        let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.unwrap_or_else(|error| panic!("{PROGRAM}, from Debian's package: {error}"));
        let node = Self { child, address };
        let started = Instant::now();
        while Client::try_new(&node.address).is_none() {
            assert!(started.elapsed() < Duration::from_secs(20), "no answer from {PROGRAM}");
            wait(Duration::from_millis(10));
        }
        node
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for NodeExporter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

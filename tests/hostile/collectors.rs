//! Hostile collectors: what the agent pushes to is a peer too. Rules: as for checks; what cannot be delivered waits within
//! the bounds of the spool, and the end of the agent waits no longer than it is told.

use std::{any::Any, net::SocketAddr, time::Duration};

use crate::{
    harness::ports,
    matrix::{Attack, Hostile, attack},
    peers::{Peer, Peers, Step, http},
};

/// A collector, and how it is spoken to.
struct Collector {
    peer: Peer,
    at: SocketAddr,
    protocol: &'static str,
}

impl Attack for Collector {
    fn checks(&self) -> &[Hostile] {
        &[]
    }

    fn begin(&self) -> Box<dyn Any> {
        let peers = Peers::new();
        peers.start_at(&self.peer, self.at);
        Box::new(peers)
    }

    fn settings(&self) -> String {
        format!(
            "otlp:\n  endpoint: 'http://{}'\n  protocol: {}\n  timeout: 1s\n  metrics: {{ interval: 200ms }}\n  logs: {{ enabled: \
             true }}\n  spool: {{ size: 4Mi }}\n",
            self.at, self.protocol
        )
    }

    /// The last of the metrics are tried until the agent's own limit.
    fn stop(&self) -> Duration {
        Duration::from_secs(12)
    }
}

/// An agent for each, all at a time.
fn against(names: &[&str], all: &[Peer], protocol: &'static str) {
    std::thread::scope(|scope| {
        for name in names {
            let peer = all.iter().find(|peer| peer.name == *name).unwrap_or_else(|| panic!("no peer {name}"));
            let mut peer = peer.clone();
            // HTTP/2 begins at once here.
            peer.steps.retain(|step| !matches!(step, Step::Encrypt(_)));
            let row = format!("push by {}, {name}", protocol.split('/').next().unwrap_or_default());
            let at = ([127, 0, 0, 1], ports::free()).into();
            scope.spawn(move || attack(&row, &mut Collector { peer, at, protocol }));
        }
    });
}

#[test]
fn a_hostile_collector_of_http_holds_up_nothing() {
    let names = [
        "http_early_hints",
        "http_headers",
        "http_chunks",
        "http_length_8_eib",
        "http_bomb",
        "http_random_0",
    ];
    against(&names, &http::peers(), "http/protobuf");
}

#[test]
fn a_hostile_collector_of_grpc_holds_up_nothing() {
    let names = ["h2_pings", "h2_settings", "h2_headers", "h2_empty_data", "h2_data_16_mib", "h2_random_0"];
    against(&names, &http::second_peers(), "grpc");
}

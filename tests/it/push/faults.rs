//! Faults of TLS: each is told by its own words, over both protocols.

use std::time::{Duration, SystemTime};

use super::*;
use crate::harness::tls::{self, Authority};

#[test]
fn faults_of_tls_differ_in_the_log() {
    let (hour, now) = (Duration::from_hours(1), SystemTime::now());
    let authority = Authority::new();
    let files = Scratch::new("ca", User::oneself());
    let ca = files.write("ca.pem", authority.pem(), User::oneself());
    let (trusted, unknown) = (format!("  ca_file: {}\n", ca.display()), String::new());
    let expired = authority.certify("localhost", now - hour);
    let elsewhere = authority.certify("elsewhere.example", now + hour);
    let good = authority.certify("localhost", now + hour);
    for (protocol, alpn) in [(Protocol::Http, "http/1.1"), (Protocol::Grpc, "h2")] {
        let collector = Collector::start(protocol);
        let mut agents = Vec::new();
        for (certified, ca, words) in [
            (&expired, &trusted, "s certificate has expired"),
            (&elsewhere, &trusted, "s certificate is for another name"),
            (&good, &unknown, "no trusted authority vouches for the server"),
        ] {
            let mut settings = tls::showing(tls::server().with_no_client_auth(), certified);
            settings.alpn_protocols = vec![alpn.into()];
            let front = tls::Front::start(collector.addr, settings);
            let word = if protocol == Protocol::Http { "http/protobuf" } else { "grpc" };
            let more = format!("  protocol: {word}\n{ca}");
            let agent = pushing(&format!("https://localhost:{}", front.addr.port()), &more).start();
            agents.push((agent, front, words));
        }
        for (agent, _front, words) in &agents {
            eventually(words, ARRIVES, || said(agent, "metrics cannot be sent") > 0);
            assert!(said(agent, words) > 0, "{words}: {}", agent.log());
            assert!(own(agent, "export_failures_total", &[("error_type", "tls")]) > 0.0);
        }
        assert_eq!(collector.requests(), 0);
    }
}

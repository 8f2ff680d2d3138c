//! A real Alertmanager, Debian's: what it makes of alerts, told by a test or by a real Prometheus.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    http, ports,
    process::{Process, command, installed},
    scratch::Scratch,
    user::User,
};

const STARTS: Duration = Duration::from_secs(60);
const PROGRAM: &str = "/usr/bin/prometheus-alertmanager";

/// A running Alertmanager.
#[derive(Debug)]
pub(crate) struct Alertmanager {
    addr: SocketAddr,
    _process: Process, // ends before its directory does
    _scratch: Scratch,
}

impl Alertmanager {
    /// One with this configuration.
    #[track_caller]
    pub(crate) fn start(config: &str) -> Self {
        let scratch = Scratch::new("alertmanager", User::oneself());
        let config = scratch.write("alertmanager.yml", config, User::oneself());
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
        let mut manager = command(installed(PROGRAM, "prometheus-alertmanager"), User::oneself(), "KILL");
        manager
            .current_dir(scratch.path())
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--web.listen-address={addr}"))
            .args(["--cluster.listen-address=", "--storage.path=data"]);
        let process = Process::start("alertmanager", manager, scratch.path());
        process.ready("answer", STARTS, || match http::send(addr, b"GET /-/ready HTTP/1.0\r\n\r\n") {
            Ok(answer) if answer.status == 200 => Ok(()),
            other => Err(format!("{other:?}")),
        });
        Self { addr, _process: process, _scratch: scratch }
    }

    /// Where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Tells it of alerts with these labels, as Prometheus would.
    #[track_caller]
    pub(crate) fn fire(&self, alerts: &[Value]) {
        let alerts: Vec<Value> = alerts.iter().map(|labels| json!({ "labels": labels })).collect();
        let body = Value::Array(alerts).to_string();
        let request = format!(
            "POST /api/v2/alerts HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            self.addr,
            body.len()
        );
        let answer = http::request(self.addr, request.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// The alerts that it knows, each with its labels, its annotations and by which others it is held back.
    #[track_caller]
    pub(crate) fn alerts(&self) -> Vec<Value> {
        http::get(self.addr, "/api/v2/alerts").json().as_array().expect("a list").clone()
    }
}

/// Whether another alert holds this one back.
pub(crate) fn is_held(alert: &Value) -> bool {
    !alert["status"]["inhibitedBy"].as_array().expect("a list").is_empty()
}

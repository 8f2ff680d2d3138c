//! A real Alertmanager, Debian's: what it makes of alerts, told by a test or by a real Prometheus.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{daemon::Daemon, http, process::installed};

const PROGRAM: &str = "/usr/bin/prometheus-alertmanager";

/// A running Alertmanager.
#[derive(Debug)]
pub(crate) struct Alertmanager(Daemon);

impl Alertmanager {
    /// One with this configuration.
    #[track_caller]
    pub(crate) fn start(config: &str) -> Self {
        let program = installed(PROGRAM, "prometheus-alertmanager");
        let args = ["--config.file=alertmanager.yml", "--storage.path=data", "--cluster.listen-address="];
        let files = [("alertmanager.yml", config)];
        Self(Daemon::start("alertmanager", &program, &files, &args, "/-/ready"))
    }

    /// Where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.0.addr
    }

    /// Tells it of alerts with these labels, as Prometheus would.
    #[track_caller]
    pub(crate) fn fire(&self, alerts: &[Value]) {
        let alerts: Vec<Value> = alerts.iter().map(|labels| json!({ "labels": labels })).collect();
        let body = Value::Array(alerts).to_string();
        let request = format!(
            "POST /api/v2/alerts HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            self.0.addr,
            body.len()
        );
        let answer = http::request(self.0.addr, request.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// The alerts that it knows, each with its labels, its annotations and by which others it is held back.
    #[track_caller]
    pub(crate) fn alerts(&self) -> Vec<Value> {
        http::get(self.0.addr, "/api/v2/alerts").json().as_array().expect("a list").clone()
    }
}

/// Whether another alert holds this one back.
pub(crate) fn is_held(alert: &Value) -> bool {
    !alert["status"]["inhibitedBy"].as_array().expect("a list").is_empty()
}

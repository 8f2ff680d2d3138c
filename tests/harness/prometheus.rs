//! A real Prometheus from Debian's package that scrapes what a test points it to, once a second.

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
    /// One that scrapes these, each under the name of a job, and evaluates these rules.
    #[track_caller]
    pub(crate) fn start(jobs: &[(&str, SocketAddr)], rules: &str) -> Self {
        assert!(Path::new(PROGRAM).exists(), "not installed: run tests/run, or apt-get install prometheus");
        let scratch = Scratch::new("prometheus", User::oneself());
        let mut config =
            "global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }\n".to_owned();
        scratch.write("rules.yml", rules, User::oneself());
        config.push_str("rule_files: [rules.yml]\nscrape_configs:\n");
        for (job, target) in jobs {
            config.push_str(&format!(
                "- {{ job_name: {job}, static_configs: [{{ targets: ['{target}'] }}] }}\n"
            ));
        }
        let config = scratch.write("prometheus.yml", &config, User::oneself());
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
        let mut prometheus = command(PROGRAM, User::oneself(), "KILL");
        prometheus.current_dir(scratch.path()).args([
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", scratch.join("data").display()),
            format!("--web.listen-address={addr}"),
            "--storage.tsdb.retention.time=1d".to_owned(),
        ]);
        let process = Process::start("prometheus", prometheus, scratch.path());
        process.ready("answer", STARTS, || {
            let answer =
                http::send(addr, b"GET /-/ready HTTP/1.0\r\n\r\n").map_err(|error| error.to_string())?;
            if answer.status == 200 { Ok(()) } else { Err(answer.text().to_owned()) }
        });
        Self { addr, process, scratch }
    }

    /// Where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What `expression` is now: series with their labels and values.
    pub(crate) fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let query: String = url::form_urlencoded::byte_serialize(expression.as_bytes()).collect();
        let answer = http::get(self.addr, &format!("/api/v1/query?query={query}"));
        let answer = answer.json();
        match answer["data"]["result"].as_array() {
            Some(series) => Ok(series.clone()),
            None => Err(answer["error"].to_string()),
        }
    }
}

//! A real Prometheus: Debian's, or another that was built; what it makes of our pages, rules and pushes.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;

use super::{
    http, ports,
    process::{Process, command, installed},
    scratch::Scratch,
    user::User,
};

const STARTS: Duration = Duration::from_secs(60);
/// From Debian's package.
const PROGRAM: &str = "/usr/bin/prometheus";

/// A running Prometheus.
#[derive(Debug)]
pub(crate) struct Prometheus {
    addr: SocketAddr,
    process: Process, // ends before its directory does
    scratch: Scratch,
}

impl Prometheus {
    /// One that scrapes these once a second, each under the name of a job, evaluates these rules, and keeps exemplars.
    #[track_caller]
    pub(crate) fn start(jobs: &[(&str, SocketAddr)], rules: &str) -> Self {
        let mut config = "global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }\n\
                          rule_files: [rules.yml]\nscrape_configs:\n"
            .to_owned();
        for (job, target) in jobs {
            config.push_str(&format!(
                "- {{ job_name: {job}, static_configs: [{{ targets: ['{target}'] }}] }}\n"
            ));
        }
        let program = installed(PROGRAM, "prometheus");
        let more = ["--storage.tsdb.retention.time=1d", "--enable-feature=exemplar-storage"];
        Self::start_program(&program, &config, rules, &more)
    }

    /// Another program than Debian's, with this configuration beside these rules (`rules.yml`), and these arguments.
    #[track_caller]
    pub(crate) fn start_program(program: &Path, config: &str, rules: &str, more: &[&str]) -> Self {
        let scratch = Scratch::new("prometheus", User::oneself());
        scratch.write("rules.yml", rules, User::oneself());
        let config = scratch.write("prometheus.yml", config, User::oneself());
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
        let mut prometheus = command(program, User::oneself(), "KILL");
        prometheus
            .current_dir(scratch.path())
            .args([
                format!("--config.file={}", config.display()),
                format!("--storage.tsdb.path={}", scratch.join("data").display()),
                format!("--web.listen-address={addr}"),
            ])
            .args(more);
        let process = Process::start("prometheus", prometheus, scratch.path());
        process.ready("answer", STARTS, || {
            let answer =
                http::send(addr, b"GET /-/ready HTTP/1.0\r\n\r\n").map_err(|error| error.to_string())?;
            if answer.status == 200 { Ok(()) } else { Err(answer.text().to_owned()) }
        });
        Self { addr, process, scratch }
    }

    /// Gives it another configuration while it runs.
    pub(crate) fn reconfigure(&self, config: &str) {
        // Renamed into place: it may look at any moment.
        let new = self.scratch.write("new.yml", config, User::oneself());
        std::fs::rename(new, self.scratch.join("prometheus.yml")).expect("replace the configuration");
        self.process.signal(Signal::HUP);
    }

    /// Where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What its API answers at `path`.
    #[track_caller]
    pub(crate) fn ask(&self, path: &str) -> Value {
        let answer = http::get(self.addr, &format!("/api/v1/{path}")).json();
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].clone()
    }

    /// What `expression` is now: series with their labels and values.
    pub(crate) fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let query: String = url::form_urlencoded::byte_serialize(expression.as_bytes()).collect();
        let answer = http::get(self.addr, &format!("/api/v1/query?query={query}")).json();
        match answer["data"]["result"].as_array() {
            Some(series) => Ok(series.clone()),
            None => Err(answer["error"].to_string()),
        }
    }
}

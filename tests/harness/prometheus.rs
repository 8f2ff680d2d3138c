//! A real Prometheus: Debian's, or another that was built; what it makes of our pages, rules and pushes.

use std::{net::SocketAddr, path::Path};

use rustix::process::Signal;
use serde_json::Value;

use super::{daemon::Daemon, http, process::installed, user::User};

/// From Debian's package.
const PROGRAM: &str = "/usr/bin/prometheus";

/// A running Prometheus.
#[derive(Debug)]
pub(crate) struct Prometheus(Daemon);

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
        let more = ["--storage.tsdb.retention.time=1d", "--enable-feature=exemplar-storage"];
        Self::start_installed(&config, rules, &more)
    }

    /// Debian's, with this configuration beside these rules (`rules.yml`), and these arguments.
    #[track_caller]
    pub(crate) fn start_installed(config: &str, rules: &str, more: &[&str]) -> Self {
        Self::start_program(&installed(PROGRAM, "prometheus"), config, rules, more)
    }

    /// Another program than Debian's, in the same way.
    #[track_caller]
    pub(crate) fn start_program(program: &Path, config: &str, rules: &str, more: &[&str]) -> Self {
        let files = [("prometheus.yml", config), ("rules.yml", rules)];
        let args = [&["--config.file=prometheus.yml", "--storage.tsdb.path=data"], more].concat();
        Self(Daemon::start("prometheus", program, &files, &args, "/-/ready"))
    }

    /// Gives it another configuration while it runs.
    pub(crate) fn reconfigure(&self, config: &str) {
        // Renamed into place: it may look at any moment.
        let new = self.0.scratch.write("new.yml", config, User::oneself());
        std::fs::rename(new, self.0.scratch.join("prometheus.yml")).expect("replace the configuration");
        self.0.process.signal(Signal::HUP);
    }

    /// Where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.0.addr
    }

    /// What its API answers at `path`.
    #[track_caller]
    pub(crate) fn ask(&self, path: &str) -> Value {
        let answer = http::get(self.0.addr, &format!("/api/v1/{path}")).json();
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].clone()
    }

    /// What `expression` is now: series with their labels and values.
    pub(crate) fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let query: String = url::form_urlencoded::byte_serialize(expression.as_bytes()).collect();
        let answer = http::get(self.0.addr, &format!("/api/v1/query?query={query}")).json();
        match answer["data"]["result"].as_array() {
            Some(series) => Ok(series.clone()),
            None => Err(answer["error"].to_string()),
        }
    }
}

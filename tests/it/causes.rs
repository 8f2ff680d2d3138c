//! Why a check fails: reason, cause and phase in the answer, in the log, on the page, and in README's table.

use std::{collections::VecDeque, time::Duration};

use parking_lot::Mutex;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::Value;
use tokio::time::advance;
use tracing::Level;
use vitalsign::{
    Check, Outcome, Run, check,
    model::{Cause, Phase, Reason},
};

use crate::harness::{
    agent::{Agent, Launch},
    eventually::eventually,
    inside::{Log, Parts},
};

const SOON: Duration = Duration::from_secs(60);
const EVERY: Duration = Duration::from_secs(10);

/// Answers what it was told to, in turn; afterwards that all is well.
struct Told(Mutex<VecDeque<Option<(Phase, Outcome)>>>);

impl Check for Told {
    async fn run(&self, run: &Run) -> Outcome {
        let Some(Some((phase, outcome))) = self.0.lock().pop_front() else { return Outcome::pass() };
        run.phase(phase, async { outcome }).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_by_reason_cause_and_phase() {
    let expired = || Some((Phase::Tls, Outcome::caused_by(Cause::CertificateExpired)));
    let status =
        || Some((Phase::Request, Outcome::failed(Reason::UnexpectedStatus).cause(Cause::HttpStatus(503))));
    let told = [None, expired(), expired(), status(), status(), None, status(), None, None, status()];
    let (log, _guard) = Log::listen(Level::INFO);
    let pay = check("pay", Told(Mutex::new(told.into()))).every(EVERY).fail_after(4).recover_after(2);
    let parts = Parts::start([pay]);
    let entry = || parts.json("/health/checks/pay");
    let runs =
        || parts.scrape().value("healthcheck_runs_total", &[("healthcheck_name", "pay")]).unwrap_or(0.0);
    let mut seen = Vec::new();
    for number in 1..=10_u8 {
        while runs() < f64::from(number) {
            advance(Duration::from_millis(100)).await;
        }
        let shown = entry().await;
        let word = |key: &str| shown.get(key).and_then(Value::as_str).unwrap_or("-").to_owned();
        let page = parts.scrape();
        let series = page.values("healthcheck_last_failure_info");
        assert!(series.len() <= 1, "{series:?}");
        let last =
            series.first().map_or("-", |series| series.labels["healthcheck_cause"].as_str()).to_owned();
        seen.push(
            [word("status"), word("reason"), word("cause"), word("phase"), word("error"), last].join(" "),
        );
    }
    let by_expiry = "tls certificate_expired tls the server's certificate has expired";
    let by_status = "unexpected_status http_503 request unexpected status";
    assert_eq!(
        seen,
        [
            "healthy - - - - -".to_owned(),
            format!("healthy {by_expiry} certificate_expired"),
            format!("healthy {by_expiry} certificate_expired"),
            format!("healthy {by_status} http_503"),
            format!("unhealthy {by_status} http_503"),
            format!("unhealthy {by_status} http_503"),
            format!("unhealthy {by_status} http_503"),
            format!("unhealthy {by_status} http_503"),
            "healthy - - - - http_503".to_owned(),
            format!("healthy {by_status} http_503"),
        ]
    );
    let page = parts.scrape();
    let all = [
        ("healthcheck_name", "pay"),
        ("error_type", "unexpected_status"),
        ("healthcheck_cause", "http_503"),
        ("healthcheck_phase", "request"),
    ];
    page.expect("healthcheck_last_failure_info", &all, 1.0);
    // One line for each change of cause, and the changes of state; the same cause again is no news.
    let lines = log.text();
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let lines = lines.filter(|line| line["check"] == "pay").map(|line| {
        let word = |key: &str| line.get(key).and_then(Value::as_str).unwrap_or("-").to_owned();
        [word("level"), word("message"), word("cause"), word("phase")].join(" ")
    });
    assert_eq!(
        lines.collect::<Vec<_>>(),
        [
            "WARN check failed certificate_expired tls",
            "WARN check failed http_503 request",
            "WARN check state changed http_503 request",
            "INFO check state changed - -",
            "WARN check failed http_503 request",
        ]
    );
}

/// The line in which an agent with JSON lines says that a check failed for `cause`.
#[track_caller]
fn failed_for(agent: &Agent, cause: &str) -> Value {
    eventually("the cause in the log", SOON, || {
        let log = agent.log();
        let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.into_iter().find(|line| line["cause"] == cause).ok_or_else(|| log.clone())
    })
}

#[test]
fn a_process_without_a_free_file_descriptor_blames_nobody_else() {
    let agent = Agent::start(
        "log: { format: json }\nchecks: { web: { kind: tcp, address: '127.0.0.1:9', interval: 300ms, timeout: 250ms } }",
    );
    eventually("a first answer", SOON, || agent.health()["checks"]["web"]["reason"] == "connection_refused");
    let (pid, most) = (Pid::from_raw(agent.pid()), getrlimit(Resource::Nofile));
    prlimit(pid, Resource::Nofile, Rlimit { current: Some(3), ..most }).unwrap();
    let line = failed_for(&agent, "no_file_descriptor");
    assert_eq!((&line["reason"], &line["phase"]), (&"_OTHER".into(), &"connect".into()), "{line}");
    prlimit(pid, Resource::Nofile, most).unwrap();
    eventually("the cause of before", SOON, || {
        agent.health()["checks"]["web"]["reason"] == "connection_refused"
    });
}

#[test]
fn a_machine_without_a_free_local_port_blames_nobody_else() {
    // The agent itself takes the one port that connections may have.
    let agent = Launch::new(
        "log: { format: json }\nchecks: { web: { kind: tcp, address: '127.0.0.1:40000', interval: 300ms, timeout: 250ms } }",
    )
    .stand_in(&format!(
        "exec unshare -n -- bash -c 'ip link set lo up && echo 40000 40000 >/proc/sys/net/ipv4/ip_local_port_range && \
         exec {} \"$@\"' bash \"$@\"",
        env!("CARGO_BIN_EXE_vitalsign")
    ))
    .start();
    let line = failed_for(&agent, "no_local_port");
    assert_eq!((&line["reason"], &line["phase"]), (&"unreachable".into(), &"connect".into()), "{line}");
}

/// README's table of causes, from the table in the code.
fn table() -> String {
    let rows = Cause::ALL.iter().map(|cause| {
        let sentence = cause.sentence().expect("a cause without a code has a sentence");
        format!("| `{}` | `{cause}` | {sentence} |\n", cause.reason())
    });
    let coded = [
        ("unexpected_status", "http_NNN", "the HTTP status of the answer"),
        ("any", "amqp_NNN", "the reply code of the broker"),
        ("any", "sqlstate_NN", "the class of the SQLSTATE, its first two characters"),
    ];
    let coded = coded.map(|(reason, word, sentence)| format!("| {reason} | `{word}` | {sentence} |\n"));
    format!("| reason | cause | meaning |\n|---|---|---|\n{}{}", rows.collect::<String>(), coded.concat())
}

#[test]
fn readme_has_the_table_of_causes() {
    const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    const BEGIN: &str = "<!-- causes: from src/model/cause.rs, by UPDATE_GOLDEN=1 cargo test readme -->\n";
    let readme = std::fs::read_to_string(README).unwrap();
    let begin = readme.find(BEGIN).expect("where the table begins") + BEGIN.len();
    let end = begin + readme[begin..].find("<!-- end -->").expect("where it ends");
    #[expect(clippy::disallowed_methods, reason = "how to ask for a new table")]
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let new = format!("{}{}{}", &readme[..begin], table(), &readme[end..]);
        std::fs::write(README, new).unwrap();
        return;
    }
    assert_eq!(&readme[begin..end], table(), "run this test with UPDATE_GOLDEN=1");
}

//! What happens when a dependency stops answering, is killed and comes back: runs end at their time limit, the state
//! moves when it should, the breaker spares the dependency, and at no moment is there more than one connection of ours.
//! The servers are real, every process of them is stopped by SIGSTOP: they accept connections and say nothing.

use std::{collections::BTreeSet, time::Duration};

use crate::harness::{
    agent::Agent,
    eventually::{eventually, same, within},
    postgres::Postgres,
    rabbitmq::RabbitMq,
    redis::Redis,
};

#[path = "frozen/server.rs"]
mod server;

use server::Server;

const SOON: Duration = Duration::from_secs(60);

#[test]
fn a_frozen_postgres_is_survived() {
    freeze_and_thaw(&Postgres::start(), "");
}

#[test]
fn a_frozen_postgres_behind_a_kept_connection_is_survived() {
    freeze_and_thaw_kept(&Postgres::start());
}

#[test]
fn a_frozen_redis_is_survived() {
    freeze_and_thaw(&Redis::start(), "");
}

#[test]
fn a_frozen_redis_behind_a_kept_connection_is_survived() {
    freeze_and_thaw_kept(&Redis::start());
}

#[test]
fn a_frozen_rabbitmq_is_survived() {
    freeze_and_thaw(&RabbitMq::start(), "");
}

#[test]
fn a_killed_postgres_is_refused_until_it_is_back() {
    kill_and_restart(Postgres::start(), "");
    kill_and_restart(Postgres::start(), ", reuse: true");
}

#[test]
fn a_killed_redis_is_refused_until_it_is_back() {
    kill_and_restart(Redis::start(), "");
    kill_and_restart(Redis::start(), ", reuse: true");
}

#[test]
fn a_killed_rabbitmq_is_refused_until_it_is_back() {
    kill_and_restart(RabbitMq::start(), "");
}

const DB: (&str, &str) = ("healthcheck_name", "db");
/// The next run cannot have ended within it; a page cannot be older than it.
const LESS_THAN_A_RUN: Duration = Duration::from_millis(1200);
const BYSTANDER: (&str, &str) = ("healthcheck_name", "bystander");

fn start(server: &impl Server, options: &str) -> Agent {
    let agent = Agent::start(&format!(
        "checks:\n  db: {{ {}, interval: 1500ms, timeout: 1200ms, fail_after: 3, recover_after: 2{options} }}\n  \
         bystander: {{ kind: memory, interval: 400ms, timeout: 350ms, thresholds: {{ usage_ratio: {{ warn: 100%, lasting: 1h }} }} }}\n",
        server.settings()
    ));
    eventually("a good beginning", SOON, || {
        let look = Look::at(&agent);
        if look.state == "healthy" && !look.suspect { Ok(()) } else { Err(format!("{look:?}")) }
    });
    agent
}

fn freeze_and_thaw(server: &impl Server, options: &str) -> Agent {
    let agent = start(server, options);
    let timeouts = [DB, ("error_type", "timeout")];
    let opened = [DB, ("healthcheck_circuit_breaker_state", "open")];
    let (runs_before, timeouts_before) = (
        count(&agent, "healthcheck_runs_total", &[DB]),
        count(&agent, "healthcheck_failures_total", &timeouts),
    );
    let bystander_before = count(&agent, "healthcheck_runs_total", &[BYSTANDER]);

    server.freeze();
    let mut sockets = BTreeSet::new();
    let mut seen = BTreeSet::new();
    eventually("the fifth failed run", SOON, || {
        sockets.insert(agent.sockets_to(server.port()));
        // In this order: what is counted here was counted before the verdict that is looked at next.
        let opened = count(&agent, "healthcheck_circuit_breaker_transitions_total", &opened);
        let look = Look::at(&agent);
        assert!(opened == 0.0 || look.failures >= 5, "the breaker opened after {} failures", look.failures);
        let (state, suspect) =
            if look.failures < 3 { ("healthy", look.failures > 0) } else { ("unhealthy", false) };
        assert_eq!((look.state.as_str(), look.suspect), (state, suspect), "{look:?}");
        assert_eq!(Look::of(&agent, "bystander").state, "healthy", "another check suffers");
        seen.insert(look.failures);
        if look.failures >= 5 { Ok(()) } else { Err(format!("{look:?}")) }
    });
    // Not every single one: a slow machine looks seldom.
    let looked = seen.range(1..3).next().is_some() && seen.range(3..5).next().is_some();
    assert!(looked, "looked too seldom: {seen:?}");
    assert_eq!(sockets.last(), Some(&1), "connections at a time: {sockets:?}");

    eventually("every run since to have ended at its time limit", SOON, || {
        let timeouts = count(&agent, "healthcheck_failures_total", &timeouts) - timeouts_before;
        let runs = count(&agent, "healthcheck_runs_total", &[DB]) - runs_before;
        // A run that was under way when the server froze may have been a good one.
        if timeouts >= 5.0 && (runs - timeouts == 0.0 || runs - timeouts == 1.0) {
            Ok(())
        } else {
            Err(format!("{timeouts} timeouts in {runs} runs"))
        }
    });
    let bystander = count(&agent, "healthcheck_runs_total", &[BYSTANDER]) - bystander_before;
    assert!(bystander > 10.0, "only {bystander} runs of another check meanwhile");
    eventually("an open breaker that spares runs", SOON, || {
        assert!(agent.sockets_to(server.port()) <= 1);
        assert!(count(&agent, "healthcheck_circuit_breaker_transitions_total", &opened) >= 1.0);
        count(&agent, "healthcheck_circuit_breaker_rejections_total", &[DB]) >= 1.0
    });
    let look = Look::at(&agent);
    assert_eq!((look.state.as_str(), look.suspect), ("unhealthy", false), "an open breaker softens nothing");

    let good_before = good_runs(&agent);
    server.thaw();
    let mut half_way = false;
    eventually("recovery", SOON, || {
        at_most_one(server, &agent);
        let look = Look::at(&agent);
        half_way |= look.failures == 0 && look.state == "unhealthy";
        if look.state == "healthy" { Ok(()) } else { Err(format!("{look:?}")) }
    });
    // A slow machine may have looked at neither moment between the two runs, but then they have been by now.
    let two = || half_way || good_runs(&agent) >= good_before + 2.0;
    assert!(within(LESS_THAN_A_RUN, two).is_ok(), "one good run was enough to recover");
    let runs = count(&agent, "healthcheck_runs_total", &[DB]);
    eventually("three more good runs", SOON, || {
        at_most_one(server, &agent);
        let look = Look::at(&agent);
        assert_eq!((look.failures, look.state.as_str()), (0, "healthy"), "{look:?}");
        count(&agent, "healthcheck_runs_total", &[DB]) >= runs + 3.0
    });
    let sessions = server.sessions();
    assert!(sessions.len() <= 1, "left over: {sessions:?}");
    agent
}

fn freeze_and_thaw_kept(server: &impl Server) {
    let agent = freeze_and_thaw(server, ", reuse: true");
    let kept = eventually("the kept session", SOON, || one(&server.sessions()));
    let runs = count(&agent, "healthcheck_runs_total", &[DB]);
    eventually("three more runs", SOON, || count(&agent, "healthcheck_runs_total", &[DB]) >= runs + 3.0);
    assert_eq!(server.sessions(), [kept], "the connection was not kept");
}

fn kill_and_restart(mut server: impl Server, options: &str) {
    let agent = start(&server, options);
    server.kill();
    eventually("a verdict", SOON, || same(Look::at(&agent).state.as_str(), &"unhealthy").map(drop));
    let refused = count(&agent, "healthcheck_failures_total", &[DB, ("error_type", "connection_refused")]);
    assert!(refused >= 2.0, "{refused} runs were refused:\n{}", agent.log());
    assert_eq!(agent.sockets_to(server.port()), 0);
    server.restart();
    eventually("recovery", SOON, || {
        at_most_one(&server, &agent);
        same(Look::at(&agent).state.as_str(), &"healthy").map(drop)
    });
}

#[track_caller]
fn at_most_one(server: &impl Server, agent: &Agent) {
    let sockets = agent.sockets_to(server.port());
    assert!(sockets <= 1, "{sockets} connections at once");
    let sessions = server.sessions_at_a_glance();
    assert!(sessions.len() <= 1, "the server has several sessions of ours: {sessions:?}");
}

fn one(sessions: &[String]) -> Result<String, String> {
    if let [session] = sessions { Ok(session.clone()) } else { Err(format!("{sessions:?}")) }
}

/// How many runs of the check did not fail.
fn good_runs(agent: &Agent) -> f64 {
    let page = agent.scrape();
    let failures = page.values("healthcheck_failures_total").into_iter().filter(|sample| sample.has(&[DB]));
    page.value("healthcheck_runs_total", &[DB]).unwrap_or_default()
        - failures.map(|sample| sample.value).sum::<f64>()
}

/// The value of one series; a series that is not there yet counts as none.
fn count(agent: &Agent, name: &str, labels: &[(&str, &str)]) -> f64 {
    agent.scrape().value(name, labels).unwrap_or_default()
}

/// A verdict as the agent shows it: all of it out of one moment.
#[derive(Debug)]
struct Look {
    failures: u64,
    state: String,
    suspect: bool,
}

impl Look {
    fn at(agent: &Agent) -> Self {
        Self::of(agent, "db")
    }

    fn of(agent: &Agent, check: &str) -> Self {
        let answer = agent.get(&format!("/health/checks/{check}")).json();
        Self {
            failures: answer["consecutive_failures"].as_u64().unwrap_or_default(),
            state: answer["status"].as_str().unwrap_or_default().to_owned(),
            suspect: answer["suspect"].as_bool().unwrap_or_default(),
        }
    }
}

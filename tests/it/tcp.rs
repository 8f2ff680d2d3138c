//! Kind `tcp` with a real MariaDB, which counts connections that do not log in and locks out hosts that make too many.

use std::time::Duration;

use serde_json::Value;

use crate::harness::{
    agent::{Agent, Launch, check_once},
    eventually::{eventually, same},
    mariadb::MariaDb,
};

const SOON: Duration = Duration::from_secs(60);

fn check(server: &MariaDb) -> Value {
    check_once(&format!("kind: tcp, address: '{}'", server.address()))
}

#[test]
fn mariadb_that_counts_the_check_as_an_error_is_told_of_once_and_shown() {
    let server = MariaDb::start_with(&["max_connect_errors=1000000"]);
    server.sql("create user probe@'%' identified by 'x'");
    let agent = Agent::start(&format!(
        "checks: {{ db: {{ kind: tcp, address: '{}', interval: 200ms, timeout: 190ms }} }}",
        server.address()
    ));
    let counted = "counts as a connection error at this server";
    eventually("the advice", SOON, || {
        let db = agent.get("/health/checks/db").json();
        let advice = db["details"]["advice"].as_str().unwrap_or_default();
        if advice.contains(counted) && db["status"] == "healthy" { Ok(()) } else { Err(db.to_string()) }
    });
    let runs =
        || agent.scrape().value("healthcheck_runs_total", &[("healthcheck_name", "db")]).unwrap_or(0.0);
    let before = runs();
    eventually("more runs", SOON, || runs() > before + 3.0);
    let log = agent.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(counted)).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("check=db") && lines[0].contains("level=warn"), "{log}");
    let aborted = server.sql("select variable_value > 0 from information_schema.global_status where variable_name = 'aborted_connects'");
    assert_eq!(aborted, "1", "it does count");
}

#[test]
fn mariadb_that_has_locked_this_host_out_is_unhealthy() {
    let server = MariaDb::start_with(&["max_connect_errors=2"]);
    let told = |wanted: [&str; 3]| {
        eventually(wanted[2], SOON, || {
            let it = check(&server);
            let told = [&it["status"], &it["reason"], &it["error"]];
            same(told.map(|text| text.as_str().unwrap_or_default()), &wanted).map(drop)
        });
    };
    told(["unhealthy", "denied", "the server has no account for this host"]);
    server.sql("create user probe@'%' identified by 'x'");
    told(["unhealthy", "denied", "the server has locked this host out after too many connection errors"]);
    assert_eq!(check(&server)["cause"], "host_blocked");
}

#[test]
fn config_check_warns_of_the_port_of_mysql() {
    let config = "checks:\n  db: { kind: tcp, address: 'db:3306' }\n";
    let done = Launch::new(config).arg("config").arg("check").run();
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert_eq!(done.stdout, "the configuration is good: 1 check\n");
    let warning = "vitalsign.yaml:2:29: checks.db.address: each run counts as a connection error";
    assert!(done.stderr.starts_with("warning: ") && done.stderr.contains(warning), "{}", done.stderr);
    let fine =
        Launch::new("checks: { db: { kind: tcp, address: 'db:25' } }").arg("config").arg("check").run();
    assert_eq!(fine.stderr, "");
}

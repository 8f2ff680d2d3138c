//! A configuration without checks, such as an empty ConfigMap. The rule of every case: what watches nothing never looks
//! healthy without a word.

use serde_json::Value;

use crate::harness::agent::{Agent, Launch};
use crate::harness::eventually::eventually;

const SOON: std::time::Duration = std::time::Duration::from_secs(60);

/// What an empty ConfigMap, a template without values and a forgotten section look like.
const EMPTY: [&str; 5] = ["", "---\n", "# checks:\n", "checks: {}\n", "service: orders\n"];

/// Whoever looks at a configuration before it is used is told.
#[test]
fn a_look_at_an_empty_configuration_warns() {
    for config in EMPTY {
        for command in [&["config", "check"][..], &["config", "show"], &["check"], &["assets", "rules"]] {
            let launch = command.iter().fold(Launch::new(config), |launch, arg| launch.arg(*arg));
            let finished = launch.run();
            assert!(finished.status.success(), "{config:?} {command:?}: {finished:?}");
            let said = &finished.stderr;
            assert!(
                said.starts_with("warning: ") && said.contains("no checks are configured"),
                "{command:?}: {said}"
            );
        }
    }
    let good = Launch::new("checks: { a: { kind: cpu } }").arg("config").arg("check").run();
    assert_eq!(good.stderr, "");
    let meant = Launch::new("ready_without_checks: true").arg("config").arg("check").run();
    assert_eq!((meant.stdout.as_str(), &*meant.stderr), ("the configuration is good: 0 checks\n", ""));
    // Without a file there are the checks of this machine.
    let none = Launch::without_config().arg("config").arg("check").run();
    assert_eq!(none.stderr, "");
}

/// Traffic must not come to what nobody watches; a restart would not mend it.
#[test]
fn an_agent_without_checks_is_not_ready_and_says_so_everywhere() {
    let agent = Agent::start("");
    let said = |path: &str| {
        let answer = agent.get(path);
        (answer.status, answer.text().to_owned())
    };
    let (status, text) = said("/health/ready?verbose");
    assert_eq!((status, text.as_str()), (503, "[-] ready unhealthy: no checks are configured\n"));
    assert_eq!(agent.get("/health/ready").json()["message"], "no checks are configured");
    let (status, text) = said("/health?verbose");
    assert_eq!((status, text.as_str()), (200, "[~] health degraded: no checks are configured\n"));
    let health = agent.health();
    assert_eq!([&health["status"], &health["message"]], ["degraded", "no checks are configured"]);
    for path in ["/health/live", "/health/startup"] {
        assert_eq!(said(path).0, 200, "{path}");
    }
    let page = agent.scrape();
    assert_eq!(page.value("healthcheck_checks", &[]), Some(0.0));
    assert_eq!(page.value("healthcheck_group_up", &[("healthcheck_group", "ready")]), Some(0.0));
    let logged = "group=ready from=starting to=unhealthy error=\"no checks are configured\"";
    eventually("a warning in the log", SOON, || agent.log().contains(logged).then_some(()));
}

/// Whoever wants metrics only says so, and is believed; the page still says what is not there.
#[test]
fn an_agent_that_is_to_have_no_checks_is_ready() {
    let agent = Agent::start("ready_without_checks: true\n");
    let ready = agent.get("/health/ready");
    assert_eq!(ready.status, 200);
    let ready: Value = ready.json();
    assert_eq!([&ready["status"], &ready["message"]], ["healthy", "no checks are configured"]);
    let page = agent.scrape();
    assert_eq!(page.value("healthcheck_checks", &[]), Some(0.0));
    eventually("a line in the log", SOON, || agent.log().contains("group=ready").then_some(()));
    let warned = agent.log().lines().any(|line| line.contains("level=warn") && line.contains("group="));
    assert!(!warned, "{}", agent.log());
}

/// The number of checks is that of the configuration.
#[test]
fn the_number_of_checks_is_a_metric() {
    let agent = Agent::start("checks: { a: { kind: cpu }, b: { kind: memory } }");
    assert_eq!(agent.scrape().value("healthcheck_checks", &[]), Some(2.0));
    eventually("it is ready", SOON, || (agent.get("/health/ready").status == 200).then_some(()));
}

/// A program that embeds the agent may have no checks yet: that is not its fault, and what it adds later has to pass
/// before it counts as started.
#[test]
fn a_board_without_checks_yet_is_ready_and_not_started_for_good() {
    use vitalsign::health::{Board, Component, Registration};
    use vitalsign::metrics::Store;
    use vitalsign::model::{Criticality, Name, Policy, State};

    let board = Board::new(Store::new());
    let stands = |group: &str| {
        let view = board.group(group, tokio::time::Instant::now()).unwrap();
        (view.state, view.message)
    };
    let none = Some("no checks are configured".to_owned());
    assert_eq!(stands("ready"), (State::Healthy, none.clone()));
    assert_eq!(stands("health"), (State::Healthy, none.clone()));
    assert_eq!(stands("startup"), (State::Healthy, None));
    board.require_checks();
    assert_eq!(stands("ready"), (State::Unhealthy, none.clone()));
    assert_eq!(stands("health"), (State::Degraded, none));
    let registration = Registration {
        name: Name::new("db").unwrap(),
        kind: "function",
        component: Component::Component,
        policy: Policy { criticality: Criticality::Critical, ..Policy::default() },
        target: Default::default(),
    };
    let _trackers = board.add(vec![registration]).unwrap();
    let waits = Some("no check has answered yet".to_owned());
    assert_eq!(stands("ready"), (State::Unhealthy, waits.clone()));
    assert_eq!(stands("startup"), (State::Unhealthy, waits));
}

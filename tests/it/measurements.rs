//! What kinds declare that they measure: that checks measure it and nothing else, and that README says so.

use vitalsign::{
    checks::KINDS,
    model::{Measures, When},
};

use crate::harness::{agent::Agent, eventually::eventually};

const SOON: std::time::Duration = std::time::Duration::from_secs(60);

/// The table of kinds in README: for the words in its first column, the text in its last.
fn table() -> Vec<(String, String)> {
    let readme = include_str!("../../README.md");
    let (_, section) = readme.split_once("\n### Kinds\n").expect("a section on kinds");
    let rows = section.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    rows.flat_map(|row| {
        let cells: Vec<String> = cells(row);
        let (kinds, measures) = (cells[0].clone(), cells[2].clone());
        kinds.split(' ').map(|kind| (kind.trim_matches('`').to_owned(), measures.clone())).collect::<Vec<_>>()
    })
    .collect()
}

#[test]
fn readme_says_what_each_kind_measures() {
    let table = table();
    for kind in KINDS {
        let row = table.iter().find(|(name, _)| name == kind.name());
        let (_, measures) = row.unwrap_or_else(|| panic!("README has no row for {}", kind.name()));
        assert_eq!(*measures, kind.measures().to_string(), "the row of {} in README", kind.name());
    }
}

/// The measurements of a kind that are made where `set` is.
fn declared(measures: &Measures, set: &[&str]) -> Vec<&'static str> {
    let made = |when: When| match when {
        When::Always | When::On(_) => true,
        When::Set(setting) => set.contains(&setting),
        When::Is(setting, word) => set.contains(&format!("{setting}: {word}").as_str()),
    };
    measures.known.iter().filter(|known| made(known.when)).map(|known| known.name).collect()
}

/// With real checks of everything that needs no server; those of servers are in the tests of their kinds.
#[test]
fn a_check_measures_what_its_kind_declares() {
    let agent = Agent::start(
        "checks:\n  cpu: { kind: cpu }\n  memory: { kind: memory }\n  disk: { kind: disk }\n  threads: { kind: tasks, of: \
         threads, thresholds: { tasks: { warn: 1M } } }\n  process: { kind: process, pattern: '.', thresholds: { count: { warn: \
         1M } } }\n",
    );
    let kinds = [
        ("cpu", "cpu"),
        ("memory", "memory"),
        ("disk", "disk"),
        ("threads", "tasks"),
        ("process", "process"),
    ];
    for (check, kind) in kinds {
        eventually("a verdict", SOON, || agent.health()["checks"][check]["status"] != "unknown");
        let document = agent.health();
        let details = document["checks"][check]["details"].as_object().expect("details").clone();
        let kind = KINDS.iter().find(|known| known.name() == kind).expect("a kind");
        for name in declared(&kind.measures(), &[]) {
            assert!(
                details.get(name).is_some_and(serde_json::Value::is_number),
                "{check} {name}: {document}"
            );
        }
        let page = agent.scrape();
        let series = page.values("healthcheck_measurement");
        let measured = series.iter().filter(|sample| sample.has(&[("healthcheck_name", check)])).count();
        assert_eq!(
            measured,
            declared(&kind.measures(), &[]).len(),
            "{check} measures more than its kind declares"
        );
    }
}

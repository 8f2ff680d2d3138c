//! What kinds declare: that their checks measure it and nothing else, that README says so, and that they fail for no
//! other reason.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use vitalsign::{
    checks::KINDS,
    model::{Cause, Reason, When},
};

use crate::harness::{agent::Agent, eventually::eventually, scrape::Scrape};

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

/// The measurements that a check of `kind` makes whose settings have `set`.
pub(crate) fn declared(kind: &str, set: &[&str]) -> BTreeSet<&'static str> {
    let made = |when: When| match when {
        When::Always | When::On(_) => true,
        When::Set(setting) => set.contains(&setting),
        When::Is(setting, word) => set.contains(&format!("{setting}: {word}").as_str()),
    };
    let kind = vitalsign::checks::kind(kind).expect("a kind");
    kind.measures().known.iter().filter(|known| made(known.when)).map(|known| known.name).collect()
}

/// What `check` measured, by the page.
pub(crate) fn measured(page: &Scrape, check: &str) -> BTreeSet<String> {
    let series = page.values("healthcheck_measurement");
    let own = series.iter().filter(|sample| sample.has(&[("healthcheck_name", check)]));
    own.map(|sample| sample.labels["healthcheck_measurement"].clone()).collect()
}

/// With real checks of everything that needs no server; those of servers are in the tests of their kinds.
#[test]
fn a_check_measures_what_its_kind_declares() {
    let agent = Agent::start(
        "checks:\n  cpu: { kind: cpu }\n  memory: { kind: memory }\n  disk: { kind: disk }\n  threads: { kind: tasks, of: \
         threads, thresholds: { tasks: { warn: 1M } } }\n  process: { kind: process, pattern: '.', thresholds: { count: { warn: \
         1M } } }\n",
    );
    for (check, kind) in
        [("cpu", "cpu"), ("memory", "memory"), ("disk", "disk"), ("threads", "tasks"), ("process", "process")]
    {
        let declared: BTreeSet<String> = declared(kind, &[]).into_iter().map(str::to_owned).collect();
        eventually("what it measures", SOON, || {
            let measured = measured(&agent.scrape(), check);
            if measured == declared {
                Ok(())
            } else {
                Err(format!("{check} measures {measured:?}, not {declared:?}"))
            }
        });
    }
}

/// The counters of all reasons exist from the start: so a kind says which there are, and uses no other.
#[test]
fn a_kind_fails_only_for_reasons_that_it_declares() {
    // Those of every kind, or of none: a warning is counted as no failure.
    let common = [Reason::Timeout, Reason::Panic, Reason::Threshold];
    for kind in KINDS {
        let declared = |reason: &Reason| kind.reasons().contains(reason) || common.contains(reason);
        for (path, text) in sources(kind.name()) {
            let used = |word: String| text.contains(&word);
            let ends = |name: &str| [" ", ")", ",", ";", "\n", "}", "]"].map(|end| format!("{name}{end}"));
            let reasons = Reason::ALL.into_iter();
            let named = reasons.filter(|reason| ends(&format!("Reason::{reason:?}")).into_iter().any(used));
            let causes =
                Cause::ALL.iter().filter(|cause| ends(&format!("Cause::{cause:?}")).into_iter().any(used));
            let undeclared: Vec<Reason> =
                named.chain(causes.map(|cause| cause.reason())).filter(|reason| !declared(reason)).collect();
            assert!(undeclared.is_empty(), "{path} uses {undeclared:?}, which the kind does not declare");
        }
    }
}

/// The files of a kind without their tests.
fn sources(kind: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/checks");
    let mut files = vec![root.join(format!("{kind}.rs"))];
    let folder = std::fs::read_dir(root.join(kind)).into_iter().flatten();
    files.extend(folder.map(|entry| entry.expect("an entry").path()));
    files.retain(|path| path.is_file() && !path.ends_with("tests.rs"));
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a source file");
        let code = text.split_once("#[cfg(test)]").map_or(text.as_str(), |(code, _)| code).to_owned();
        (path.display().to_string(), code)
    };
    files.into_iter().map(read).collect()
}

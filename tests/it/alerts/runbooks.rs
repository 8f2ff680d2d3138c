//! The runbooks: one page for each alert, with the same four parts, whose commands and paths exist.

use std::{collections::BTreeSet, process::Command};

use regex::Regex;

use super::rules;
use crate::harness::agent::Agent;

const PARTS: [&str; 4] = ["## Meaning", "## Impact", "## Diagnosis", "## Mitigation"];

fn pages() -> Vec<(String, String)> {
    let folder = rules::folder().join("runbooks");
    let entries = std::fs::read_dir(&folder).expect("the folder of runbooks");
    let mut pages: Vec<(String, String)> = entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_stem().and_then(|name| name.to_str()).expect("a plain name").to_owned();
            (name, std::fs::read_to_string(&path).expect("a page"))
        })
        .collect();
    pages.sort();
    pages
}

#[test]
fn every_alert_has_a_page_and_every_page_an_alert() {
    let alerts: BTreeSet<String> = rules::alerts().into_iter().map(|rule| rule.name).collect();
    let pages: BTreeSet<String> = pages().into_iter().map(|(name, _)| name).collect();
    assert_eq!(alerts.symmetric_difference(&pages).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn every_page_has_its_four_parts() {
    let alerts: BTreeSet<String> = rules::alerts().into_iter().map(|rule| rule.name).collect();
    let mentioned = Regex::new(r"\bVitalsign[A-Z]\w+").unwrap();
    for (name, page) in pages() {
        assert!(page.starts_with(&format!("# {name}\n")), "{name}: begins with its name");
        let parts: Vec<&str> = page.lines().filter(|line| line.starts_with("## ")).collect();
        assert_eq!(parts, PARTS, "{name}");
        for part in page.split("\n## ").skip(1) {
            let (title, text) = part.split_once('\n').expect("a part with a text");
            assert!(text.trim().len() > 60, "{name}: {title} says too little");
        }
        for other in mentioned.find_iter(&page) {
            assert!(alerts.contains(other.as_str()), "{name}: there is no alert {}", other.as_str());
        }
    }
}

#[test]
fn their_commands_and_paths_exist() {
    let agent = Agent::start("checks: { name: { kind: memory } }");
    let command = Regex::new(r"(?m)(?:^|[`$] ?)vitalsign((?: [a-z]+)+)").unwrap();
    let path = Regex::new(r"localhost:10464(/[^\s'`]*)").unwrap();
    let (mut commands, mut paths) = (BTreeSet::new(), BTreeSet::new());
    for (name, page) in pages() {
        let found = |set: &mut BTreeSet<String>, pattern: &Regex| {
            let all: Vec<String> =
                pattern.captures_iter(&page).map(|found| found[1].trim().to_owned()).collect();
            let any = !all.is_empty();
            set.extend(all);
            any
        };
        let names_one = found(&mut commands, &command) | found(&mut paths, &path);
        assert!(names_one, "{name}: names neither a command nor a path of ours");
    }
    for command in commands {
        let words = command.split(' ').chain(["--help"]);
        let done =
            Command::new(env!("CARGO_BIN_EXE_vitalsign")).args(words).output().expect("run the binary");
        assert!(done.status.success(), "vitalsign {command}: {}", String::from_utf8_lossy(&done.stderr));
    }
    for path in paths {
        let status = agent.get(&path.replace("NAME", "name")).status;
        assert!(matches!(status, 200 | 503), "{path}: {status}");
    }
}

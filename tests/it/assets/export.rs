//! `assets export` and `assets rules`: what they write is what is committed, put right for the place, and rules that
//! promtool takes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use vitalsign::{
    assets::{GRAFANA_URL, RUNBOOK_URL},
    metrics::{prometheus_label, prometheus_name},
    model::Instrument,
};

use crate::harness::{
    agent::{Finished, Launch},
    scratch::Scratch,
    user::User,
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What stands in `alerts/` and is not rules, or not rules for everybody.
const NO_RULES: [&str; 2] = ["alertmanager.example.yml", "compatibility.yml"];

/// What `assets export` writes with these arguments, by path.
#[track_caller]
fn export(args: &[&str]) -> BTreeMap<PathBuf, String> {
    let folder = Scratch::new("assets", User::oneself());
    let dir = folder.join("bundle");
    let done = run(&[&["export", "--dir", &dir.display().to_string()], args].concat());
    assert!(done.status.success(), "{}", done.stderr);
    let mut files = BTreeMap::new();
    collect(&dir, &dir, &mut files);
    assert_eq!(done.stdout, format!("{} files written to {}\n", files.len(), dir.display()));
    files
}

fn collect(dir: &Path, root: &Path, files: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, root, files);
        } else {
            let text = fs::read_to_string(&path).expect("text");
            files.insert(path.strip_prefix(root).expect("below").to_owned(), text);
        }
    }
}

#[track_caller]
fn run(args: &[&str]) -> Finished {
    args.iter().fold(Launch::new("checks: {}").arg("assets"), |launch, arg| launch.arg(*arg)).run()
}

/// Whether promtool takes `rules`, its warnings counted.
#[track_caller]
fn promtool_takes(rules: &str) {
    let folder = Scratch::new("rules", User::oneself());
    let file = folder.write("rules.yml", rules, User::oneself());
    let done = Command::new("promtool")
        .args(["check", "rules", "--lint=all", "--lint-fatal"])
        .arg(file)
        .output()
        .expect("promtool is not installed: run tests/run, or apt-get install prometheus");
    assert!(done.status.success(), "{}{rules}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn the_bundle_is_what_is_committed() {
    let files = export(&[]);
    let committed = |path: &str| fs::read_to_string(Path::new(ROOT).join(path)).expect("a committed file");
    let mut rules = BTreeSet::new();
    for (path, text) in &files {
        let path = path.to_str().expect("a path in UTF-8");
        if path.starts_with("dashboards/") || path.starts_with("alerts/") {
            assert!(*text == committed(path), "{path} is not what is committed");
        }
        rules.extend(path.strip_prefix("alerts/").map(str::to_owned));
    }
    let there = fs::read_dir(Path::new(ROOT).join("alerts"))
        .expect("the rules")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name in UTF-8"));
    let there: BTreeSet<String> = there
        .filter(|name| {
            name.ends_with(".yml") && !name.ends_with("_test.yml") && !NO_RULES.contains(&name.as_str())
        })
        .collect();
    assert_eq!(rules, there, "src/assets/bundle.rs: RULES");

    // The operator's form has the same text, two spaces further in.
    let resources = &files[Path::new("kubernetes/prometheusrule.yml")];
    for name in &rules {
        let plain = committed(&format!("alerts/{name}"));
        let inner: String = plain
            .split_inclusive('\n')
            .map(|line| if line.trim().is_empty() { line.to_owned() } else { format!("  {line}") })
            .collect();
        let resource = format!("name: vitalsign-{}\n", name.trim_end_matches(".yml"));
        assert!(resources.contains(&resource) && resources.contains(&format!("spec:\n{inner}")), "{name}");
    }
    assert_eq!(resources.matches("\nkind: PrometheusRule\n").count(), rules.len());
    let source = &files[Path::new("grafana/provisioning/datasources/vitalsign.yml")];
    assert!(source.contains("timeInterval: "), "{source}");
}

#[test]
fn addresses_and_the_job_are_those_that_were_asked_for() {
    let grafana = "https://grafana.example/team";
    let files = export(&[
        "--grafana-url",
        &format!("{grafana}/"),
        "--runbook-url",
        "https://wiki.example/r",
        "--job",
        "prod/orders",
    ]);
    for (path, text) in &files {
        let path = path.to_str().unwrap();
        for default in [GRAFANA_URL, RUNBOOK_URL] {
            assert!(!text.contains(default), "{path} has {default}");
        }
        if let Some(name) = path.strip_prefix("alerts/") {
            assert!(
                text.contains("https://wiki.example/r/Vitalsign") && text.contains(&format!("{grafana}/d/"))
            );
            promtool_takes(text);
            let all = series(text, |_| true);
            assert!(
                !all.is_empty() && all.iter().all(|after| after.starts_with(r#"{job="prod/orders""#)),
                "{name}"
            );
        } else if path.starts_with("dashboards/") {
            let dashboard: Value = serde_json::from_str(text).expect("JSON");
            let job = dashboard["templating"]["list"].as_array().unwrap().iter().find(|v| v["name"] == "job");
            let values = r#"label_values(vitalsign_build_info{job="prod/orders"}, job)"#;
            assert_eq!(job.unwrap()["definition"], values, "{path}");
        }
    }
}

#[test]
fn rules_are_for_exactly_the_configured_checks() {
    let config = "checks:\n  orders.db: { kind: tcp, address: 'db:5432', criticality: critical, objective: 99.9% }\n  \
                  cache: { kind: tcp, address: 'cache:6379' }\n";
    let folder = Scratch::new("rules", User::oneself());
    let file = folder.write("other.yaml", config, User::oneself());
    let done = run(&["rules", "--config", &file.display().to_string()]);
    assert!(done.status.success(), "{}", done.stderr);
    promtool_takes(&done.stdout);
    let of_checks = |labels: &[String]| labels.contains(&"healthcheck_name".to_owned());
    let all = series(&done.stdout, of_checks);
    assert!(all.len() > 20, "{}", done.stdout);
    for after in all {
        assert!(after.starts_with(r#"{healthcheck_name=~"orders\\.db|cache""#), "{after}");
    }
    for (name, criticality, ratio, minutes) in
        [("orders.db", "critical", "0.999", 43), ("cache", "degrading", "0.99", 432)]
    {
        let objective = format!(
            "      # May be down for {minutes} minutes in 30 days.\n      - record: \
             check:healthcheck_objective:ratio\n        expr: vector({ratio})\n        labels:\n          \
             healthcheck_name: \"{name}\"\n          healthcheck_criticality: {criticality}\n"
        );
        assert!(done.stdout.contains(&objective), "no {objective} in\n{}", done.stdout);
    }
    // The file that all commands read is the default, and no checks are no trouble.
    let none = run(&["rules"]);
    promtool_takes(&none.stdout);
    assert!(none.stdout.contains("  - name: vitalsign-objectives\n    rules: []\n"), "{}", none.stdout);
}

#[test]
fn what_cannot_stand_in_the_files_is_refused() {
    for (args, says) in [
        (&["--grafana-url", "grafana"][..], "write an address such as"),
        (&["--grafana-url", "ftp://grafana"], "write an address such as"),
        (&["--runbook-url", "https://wiki/?page="], "without ? and #"),
        (&["--job", "a\"b"], "write the name of a job"),
        (&["--job", ""], "write the name of a job"),
    ] {
        let done = run(&[&["export", "--dir", "bundle"], args].concat());
        assert!(done.status.code() == Some(64) && done.stderr.contains(says), "{args:?}: {done:?}");
    }
    let done = run(&["export", "--dir", "/dev/null/bundle"]);
    assert!(!done.status.success() && done.stderr.contains("/dev/null/bundle"), "{done:?}");
}

/// What stands behind each name of a series of ours in the expressions of `rules`, of those whose labels fit.
fn series(rules: &str, fits: impl Fn(&[String]) -> bool) -> Vec<&str> {
    let mut found = Vec::new();
    let expressions = expressions(rules);
    for definition in vitalsign::agent::definitions() {
        let labels: Vec<String> = definition.attributes.iter().map(|name| prometheus_label(name)).collect();
        let name = prometheus_name(definition);
        let names = match definition.instrument {
            Instrument::Histogram(_) => {
                ["_bucket", "_sum", "_count"].map(|part| format!("{name}{part}")).to_vec()
            }
            _ => vec![name],
        };
        for name in names.iter().filter(|_| fits(&labels)) {
            for line in &expressions {
                for (at, _) in line.match_indices(name.as_str()) {
                    let (before, after) = (&line[..at], &line[at + name.len()..]);
                    let word = |c: char| c.is_ascii_alphanumeric() || "_:".contains(c);
                    // The name of a label looks alike.
                    let label = after.starts_with(['=', '!']) || after.trim_start().starts_with(',');
                    if !before.ends_with(word) && !after.starts_with(word) && !label {
                        found.push(after);
                    }
                }
            }
        }
    }
    found
}

/// The lines of a rule file that are PromQL.
fn expressions(rules: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut inside = false;
    for line in rules.lines() {
        let key = line.trim_start().trim_start_matches("- ").split_once(':').map(|(key, _)| key);
        match key {
            Some("expr") => inside = true,
            Some("for" | "labels" | "annotations" | "record" | "alert" | "keep_firing_for" | "# ") => {
                inside = false;
            }
            _ => {}
        }
        if inside {
            found.push(line);
        }
    }
    found
}

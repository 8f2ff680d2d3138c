//! The rules of the source tree that neither the compiler nor clippy can keep: who may import whom, where each foreign
//! crate is at home, who may spawn, how files look, and that every kind declares the settings that it reads.
//!
//! The tables below are the picture in `src/lib.rs` in another form: change them only together with it.

use std::{collections::BTreeSet, process::Command};

use vitalsign::{
    checks::KINDS,
    config::{Document, Fields, Measurable, Record, Recorded, describe, read_policy},
};

use crate::harness::agent::Launch;

#[path = "sources/file.rs"]
mod file;

use file::{File, crate_paths, dependencies, files, foreign, identifiers, sentences};

/// What the files of each part may import of this crate, beside their own part.
const IMPORTS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("file", &[]),
    ("supervisor", &[]),
    ("trace", &["model"]),
    ("metrics", &["model", "supervisor"]),
    ("resource", &["file", "metrics"]),
    ("config", &["model", "file"]),
    ("tls", &["model", "config", "file"]),
    ("reasons", &["model", "tls"]),
    ("resolver", &["model", "metrics", "reasons"]),
    ("collect", &["model", "config", "metrics", "supervisor"]),
    ("checks", &["model", "config", "collect", "file", "reasons", "resolver", "supervisor", "tls", "trace"]),
    ("health", &["model", "metrics"]),
    ("runner", &["model", "checks", "health", "metrics", "supervisor", "trace"]),
    ("web", &["model", "health", "metrics", "supervisor", "trace"]),
    (
        "push",
        &["model", "config", "metrics", "reasons", "resolver", "resource", "supervisor", "tls", "trace"],
    ),
    ("telemetry", &["model", "metrics", "supervisor", "trace"]),
    (
        "agent",
        &[
            "model",
            "checks",
            "collect",
            "config",
            "health",
            "metrics",
            "push",
            "resolver",
            "resource",
            "runner",
            "supervisor",
            "telemetry",
            "web",
        ],
    ),
    ("assets", &["model", "metrics"]),
    (
        "cli",
        &[
            "model",
            "assets",
            "config",
            "file",
            "health",
            "metrics",
            "runner",
            "supervisor",
            "telemetry",
            "web",
            "agent",
        ],
    ),
    (
        "fuzzing",
        &[
            "model", "agent", "checks", "collect", "config", "metrics", "push", "resolver", "resource",
            "tls", "web",
        ],
    ),
    ("main", &["cli"]),
];

/// Dependencies that are there to have features of theirs on, which another crate then uses.
const FEATURES: [&str; 1] = ["zlib_rs"];

/// The paths below `src` at which each dependency is at home; `""` is all of them.
const HOMES: &[(&str, &[&str])] = &[
    ("arc_swap", &["health/", "metrics/", "web/"]),
    ("axum", &["web/", "web.rs"]),
    ("base64", &["checks/http/"]),
    ("bytes", &["checks/http.rs", "checks/http/", "checks/postgres/", "metrics/", "push/"]),
    ("clap", &["cli.rs", "cli/"]),
    ("crc32fast", &["push/spool.rs", "push/spool/"]),
    ("fallible_iterator", &["checks/postgres.rs", "checks/postgres/"]),
    ("fastrand", &["checks/net/", "push/", "resolver/", "runner/"]),
    ("flate2", &["checks/http/body.rs", "metrics/gzip.rs"]),
    ("http_body_util", &["checks/http/", "push/transport/"]),
    ("humantime", &["config/", "health/", "push/", "web/"]),
    ("hyper", &["web/connection.rs", "web/parts.rs", "checks/http.rs", "checks/http/", "trace.rs", "trace/"]),
    ("hyper_util", &["checks/http/", "web/connection.rs"]),
    ("itoa", &["metrics/"]),
    ("libc", &["collect/clock/adjtimex.rs"]),
    ("nix", &["collect/process.rs"]),
    ("opentelemetry", &["metrics/meter.rs", "push/", "trace/"]),
    ("opentelemetry_appender_tracing", &["push/logs.rs"]),
    ("opentelemetry_http", &["push/records/", "trace/"]),
    ("opentelemetry_otlp", &["push/logs.rs", "push/records/", "push/traces.rs"]),
    ("opentelemetry_proto", &["push/"]),
    ("opentelemetry_sdk", &["push/", "trace/"]),
    ("parking_lot", &[""]),
    (
        "percent_encoding",
        &["checks/amqp/", "checks/http/", "checks/postgres/", "checks/sqlite/", "resource/"],
    ),
    ("postgres_protocol", &["checks/postgres.rs", "checks/postgres/"]),
    ("prometheus", &["metrics/foreign.rs", "metrics/foreign/", "metrics/store.rs"]),
    ("prost", &["push/transport/"]),
    ("redis", &["checks/redis.rs", "checks/redis/"]),
    ("regex", &["checks/http/", "checks/process.rs"]),
    ("reqwest", &["push/"]),
    ("resolv_conf", &["resolver/"]),
    (
        "rustix",
        &[
            "checks/",
            "cli/descriptors.rs",
            "cli/signals.rs",
            "collect/",
            "file.rs",
            "push/spool/",
            "reasons.rs",
            "telemetry/queue.rs",
            "web/",
        ],
    ),
    ("rustls", &["checks/tls/", "push/transport/", "reasons.rs", "reasons/", "tls.rs", "tls/"]),
    ("rustls_native_certs", &["tls/"]),
    ("saphyr_parser", &["config/parse.rs", "config/parse/"]),
    ("serde", &["web/"]),
    (
        "serde_json",
        &["assets.rs", "assets/", "web/", "config/", "checks/http/", "agent/", "push/transport/http.rs"],
    ),
    ("serde_json_path", &["checks/http/"]),
    ("simple_dns", &["resolver/"]),
    (
        "sqlx",
        &[
            "agent/ready.rs",
            "checks/pool.rs",
            "checks/postgres.rs",
            "checks/postgres/",
            "checks/sql.rs",
            "checks/sqlite.rs",
            "checks/sqlite/",
            "collect/pool.rs",
            "collect/pool/",
        ],
    ),
    ("strsim", &["config/"]),
    ("sysinfo", &["collect/", "resource/"]),
    ("tokio", &[""]),
    ("tokio_rustls", &["checks/tls/"]),
    ("tokio_util", &["checks/pool.rs", "push/", "supervisor.rs", "runner.rs", "runner/", "web/"]),
    ("tonic", &["push/"]),
    ("tonic_types", &["push/transport/"]),
    ("tower", &["web/"]),
    ("tracing", &[""]),
    ("tracing_logfmt", &["telemetry.rs"]),
    ("tracing_opentelemetry", &["push/", "trace/"]),
    ("tracing_subscriber", &["push/logs.rs", "push/traces.rs", "telemetry.rs", "telemetry/"]),
    ("url", &["config/", "cli/", "checks/", "push/"]),
    ("webpki", &["reasons/", "tls/"]),
    ("x509_parser", &["tls/"]),
    ("zmij", &["metrics/"]),
    ("zstd", &["push/packing.rs"]),
];

#[test]
fn parts_import_only_what_stands_before_them() {
    refuse(|file, found| {
        if file.is_test() {
            return;
        }
        let Some((_, allowed)) = IMPORTS.iter().find(|(part, _)| *part == file.part) else {
            if file.part != "lib" {
                found(1, format!("the part {} stands in no table: add it to IMPORTS", file.part));
            }
            return;
        };
        for (line, part) in crate_paths(file) {
            if part != file.part && !allowed.contains(&part.as_str()) {
                found(line, format!("{} must not know {part}; it may import {allowed:?}", file.part));
            }
        }
    });
}

#[test]
fn each_foreign_crate_has_one_home() {
    let dependencies = dependencies();
    let unknown: Vec<_> = dependencies
        .iter()
        .filter(|name| !HOMES.iter().any(|(known, _)| known == name) && !FEATURES.contains(&name.as_str()))
        .collect();
    assert!(unknown.is_empty(), "Cargo.toml: say in HOMES where these are at home: {unknown:?}");
    let gone = HOMES.iter().map(|(name, _)| *name).find(|name| !dependencies.contains(*name));
    assert_eq!(gone, None, "HOMES: no longer in Cargo.toml");
    for (name, homes) in HOMES {
        let uses =
            |file: &File| !file.is_test() && foreign(file, name).iter().any(|line| !file.in_tests(*line));
        assert!(files().iter().any(uses), "Cargo.toml: {name} is used nowhere in {homes:?}: take it out");
    }
    refuse(|file, found| {
        for (name, homes) in HOMES {
            let at_home = homes.iter().any(|home| {
                if home.ends_with(".rs") { file.path == *home } else { file.path.starts_with(home) }
            });
            if at_home || file.is_test() {
                continue;
            }
            for line in foreign(file, name).into_iter().filter(|line| !file.in_tests(*line)) {
                found(line, format!("{name} is at home in {homes:?} only"));
            }
        }
    });
}

#[test]
fn one_file_has_unsafe_code() {
    const PLACE: &str = "collect/clock/adjtimex.rs";
    refuse(|file, found| {
        for (line, text) in file.text.lines().enumerate() {
            if file.path != PLACE && text.contains("unsafe_code") {
                found(line + 1, format!("unsafe code stands in {PLACE} alone"));
            }
        }
    });
}

#[test]
fn only_the_supervisor_spawns() {
    const STARTS: [&str; 3] = ["spawn", "spawn_blocking", "spawn_local"];
    refuse(|file, found| {
        if file.path == "supervisor.rs" || file.is_test() {
            return;
        }
        for (line, code) in file.code().filter(|(line, _)| !file.in_tests(*line)) {
            // What a group of tasks offers to the host is called like the host's own way.
            let offered = code.trim_start().starts_with("pub fn spawn");
            if !offered && identifiers(code).any(|word| STARTS.contains(&word)) {
                found(line, "only supervisor.rs starts tasks and threads: hand the work to it".to_owned());
            }
        }
    });
}

#[test]
fn files_begin_with_what_they_are_for_and_stay_short() {
    const LONGEST: usize = 450;
    refuse(|file, found| {
        if !file.text.starts_with("//! ") {
            found(1, "a file begins with `//!` and what it is for".to_owned());
        }
        if file.path.ends_with("mod.rs") {
            found(1, "no mod.rs: name the file after its module".to_owned());
        }
        let lines = file.text.lines().count();
        if lines > LONGEST {
            found(LONGEST, format!("{lines} lines: split files of more than {LONGEST}"));
        }
    });
}

#[test]
fn messages_begin_with_a_lower_case_letter() {
    refuse(|file, found| {
        for (line, text) in sentences(file) {
            let mut letters = text.chars();
            let (first, second) = (letters.next().unwrap_or('a'), letters.next().unwrap_or('a'));
            // An abbreviation (TLS, PEM) keeps its capitals.
            if first.is_uppercase() && !second.is_uppercase() {
                found(line, format!("{text:?} is a part of a sentence: begin it with a lower-case letter"));
            }
        }
    });
}

#[test]
fn every_kind_describes_the_settings_that_it_reads() {
    for kind in KINDS {
        let read = |fields: &mut Fields<'_>| {
            read_policy(fields, &kind.policy(), &Measurable::of_any_check(kind.measures()));
            kind.build(fields).is_some()
        };
        let described = names(describe(read).as_slice());
        let document = Document::parse("example", kind.example(), &|_| None);
        let (built, records) = document
            .read(read)
            .unwrap_or_else(|problems| panic!("the example of {} cannot be read:\n{problems}", kind.name()));
        assert!(built, "the example of {} makes no check", kind.name());
        let missing: Vec<_> = names(records.as_slice()).difference(&described).cloned().collect();
        assert!(
            missing.is_empty(),
            "src/checks/{}.rs: build() declares {missing:?} only when other settings are there: take all settings \
             before giving up on one",
            kind.name()
        );
        for record in describe(read).as_slice() {
            let doc = record.doc;
            let lower = doc.starts_with(|c: char| !c.is_uppercase())
                || doc.chars().nth(1).is_some_and(char::is_uppercase);
            assert!(
                !doc.is_empty() && lower && !doc.ends_with('.'),
                "src/checks/{}.rs: the setting {} is described as {doc:?}: begin with a lower-case letter, end without \
                 a full stop",
                kind.name(),
                record.name
            );
        }
    }
}

#[test]
fn the_example_is_a_good_configuration() {
    let binary = || Command::new(env!("CARGO_BIN_EXE_vitalsign"));
    let example = binary().args(["config", "example"]).output().expect("run the binary");
    let example = String::from_utf8(example.stdout).expect("an example in UTF-8");
    for kind in KINDS {
        assert!(example.contains(&format!("kind: {}\n", kind.name())), "no {} in\n{example}", kind.name());
    }
    let checked = Launch::new(&example).arg("config").arg("check").run();
    assert!(checked.status.success(), "{}", checked.stderr);
    assert_eq!(checked.stdout, format!("the configuration is good: {} checks\n", KINDS.len()));
}

/// Runs a rule over every file; fails with every place at which it is broken.
#[track_caller]
fn refuse(rule: impl Fn(&File, &mut dyn FnMut(usize, String))) {
    let mut all = Vec::new();
    for file in &files() {
        rule(file, &mut |line, why| all.push(format!("src/{}:{line}: {why}", file.path)));
    }
    assert!(all.is_empty(), "{} broken rules:\n{}", all.len(), all.join("\n"));
}

/// The settings as paths; the names in a mapping with any names count as one.
fn names(records: &[Record]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for record in records {
        all.insert(record.name.clone());
        let inner: BTreeSet<String> = match &record.content {
            Recorded::Value(_) => BTreeSet::new(),
            Recorded::Section { fields, .. } => names(fields),
            Recorded::Entries(entries) => entries.iter().flat_map(|entry| names(entry.inner())).collect(),
        };
        all.extend(inner.into_iter().map(|name| format!("{}.{name}", record.name)));
    }
    all
}

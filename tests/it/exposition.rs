//! What stands on the page: every definition under its name, nothing else, in a form that promtool, a strict reader and
//! another encoder agree on. The page is that of a real agent with a check of every kind.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use vitalsign::{
    checks::KINDS,
    metrics::{prometheus_label, prometheus_name, violations},
    model::{Definition, Instrument},
};

use crate::harness::{
    agent::Agent,
    eventually::{eventually, same},
    otlp::Taken,
    scrape::Scrape,
    scratch::Scratch,
    user::User,
};

use crate::otlp::{attributes, is_as_defined};

#[path = "exposition/oracle.rs"]
mod oracle;
#[path = "exposition/page.rs"]
mod page;

use page::{Shown, page, promtool, shown};

const SOON: Duration = Duration::from_secs(60);
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/metrics.txt");

/// Definitions that the page of this test cannot have, and why.
const ELSEWHERE: &[(&str, &str)] = &[(
    "healthcheck.tls.certificate.expiry.timestamp",
    "needs https: the tests of the kind http have a server",
)];

/// Beginnings of names that only a library has on its page: what a host program hands over.
const LIBRARY: [&str; 3] = ["taskgroup.", "db.client.connection.", "tokio.worker."];

/// Beginnings of names that a machine may lack: a container's limits, the kernel's pressure.
const MACHINE: [&str; 2] = ["cgroup.", "psi."];

/// What comes in as the client libraries of Prometheus name it, and is no definition of ours.
const FOREIGN: [&str; 7] = [
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_threads",
    "process_virtual_memory_bytes",
];

/// Attributes that may be empty, and so absent, on every series of the page.
const MAY_BE_EMPTY: &[(&str, &str, &str)] = &[
    ("system.cpu.time", "cpu.logical_number", "only with per_cpu has each processor its own series"),
    ("vitalsign.build_info", "revision", "a build outside a checkout has none"),
    ("vitalsign.build_info", "branch", "a build outside a checkout has none"),
];

#[test]
fn promtool_finds_nothing_but_the_registered_counts() {
    let shown = Scrape::parse(page());
    let families = shown.families();
    // Names of semantic conventions end in `count` where promtool would have none do so.
    let registered = vitalsign::agent::definitions().into_iter().filter(|definition| {
        !matches!(definition.instrument, Instrument::Histogram(_))
            && definition.name.ends_with(".count")
            && families.contains_key(&prometheus_name(definition))
    });
    let expected: BTreeSet<String> = registered
        .map(|definition| {
            let name = prometheus_name(definition);
            format!("{name} non-histogram and non-summary metrics should not have \"_count\" suffix")
        })
        .collect();
    let code = if expected.is_empty() { 0 } else { 3 };
    assert_eq!(promtool(page()), (expected, Some(code)));

    let wrong = "# HELP a_total a\n# TYPE a_total gauge\na_total 1\n";
    let complaint = "a_total non-counter metrics should not have \"_total\" suffix".to_owned();
    assert_eq!(promtool(wrong), (BTreeSet::from([complaint]), Some(3)));
}

#[test]
fn the_definitions_are_those_of_the_golden_file() {
    let mut definitions = vitalsign::agent::definitions();
    definitions.sort_by_key(|definition| definition.name);
    let list = definitions.into_iter().map(entry).collect::<Vec<_>>().join("\n");
    #[expect(clippy::disallowed_methods, reason = "how to ask for a new golden file")]
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(GOLDEN, &list).expect("write the golden file");
    }
    let golden = std::fs::read_to_string(GOLDEN).expect("read the golden file");
    let entries = |list: &str| list.split("\n\n").map(str::to_owned).collect::<BTreeSet<_>>();
    let (new, old) = (entries(&list), entries(&golden));
    assert!(
        list == golden,
        "dashboards and alerts of others use these names. Where the change is meant, run this test with \
         UPDATE_GOLDEN=1 and say it in the change log.\nnew:\n{:#?}\ngone:\n{:#?}",
        new.difference(&old).collect::<Vec<_>>(),
        old.difference(&new).collect::<Vec<_>>()
    );
}

#[test]
fn every_definition_keeps_the_rules_and_has_a_name_of_its_own() {
    let definitions = vitalsign::agent::definitions();
    let broken: Vec<String> = definitions.iter().flat_map(|definition| violations(definition)).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    let names: BTreeSet<String> = definitions.iter().map(|definition| prometheus_name(definition)).collect();
    assert_eq!(names.len(), definitions.len(), "two definitions have one name");
}

#[test]
fn the_page_has_every_definition_and_nothing_else() {
    let page = Scrape::parse(page());
    let definitions: BTreeMap<String, &Definition> = vitalsign::agent::definitions()
        .into_iter()
        .map(|definition| (prometheus_name(definition), definition))
        .collect();
    for name in page.families().keys() {
        let foreign = FOREIGN.contains(&name.as_str());
        assert!(foreign || definitions.contains_key(name), "{name} is on the page and not in definitions()");
    }
    for (name, definition) in definitions {
        let elsewhere = ELSEWHERE.iter().any(|(listed, _)| *listed == definition.name);
        let begins = |with: &[&str]| with.iter().any(|beginning| definition.name.starts_with(beginning));
        let Some(family) = page.families().get(&name) else {
            assert!(
                elsewhere || begins(&LIBRARY) || begins(&MACHINE),
                "{name} is not on the page of an agent with every kind"
            );
            continue;
        };
        assert!(
            !elsewhere && !begins(&LIBRARY),
            "{name} is on the page after all: take it off the list of exceptions"
        );
        assert_eq!(family.help, definition.help, "{name}");
        let (kind, suffixes) = match definition.instrument {
            Instrument::Counter => ("counter", &[""][..]),
            Instrument::Gauge | Instrument::UpDownCounter => ("gauge", &[""][..]),
            Instrument::Histogram(_) => ("histogram", &["_bucket", "_sum", "_count"][..]),
        };
        assert_eq!(family.kind, kind, "{name}");
        let wanted: BTreeSet<String> =
            definition.attributes.iter().map(|name| prometheus_label(name)).collect();
        let mut seen = BTreeSet::new();
        for suffix in suffixes {
            let series = page.values(&format!("{name}{suffix}"));
            assert!(!series.is_empty(), "{name}{suffix} has no series");
            seen.extend(series.iter().flat_map(|series| series.labels.keys().cloned()));
        }
        if matches!(definition.instrument, Instrument::Histogram(_)) {
            assert!(seen.remove("le"), "{name} has no bounds");
        }
        if definition.name == "target.info" {
            // Whatever the resource has.
            assert!(seen.contains("service_instance_id") && seen.contains("telemetry_sdk_name"), "{seen:?}");
            continue;
        }
        for (listed, attribute, _) in MAY_BE_EMPTY {
            if *listed == definition.name {
                seen.insert(prometheus_label(attribute));
            }
        }
        assert_eq!(seen, wanted, "the labels of {name}");
    }
}

#[test]
fn every_metric_of_the_page_is_pushed_as_it_is_defined_over_each_protocol() {
    for Shown { protocol, page, pushed } in shown() {
        let families = Scrape::parse(page);
        let metrics = || pushed.iter().flat_map(Taken::metrics);
        let sent: BTreeSet<&str> = metrics().map(|metric| metric.name.as_str()).collect();
        metrics().for_each(is_as_defined);
        for definition in vitalsign::agent::definitions() {
            let name = definition.name;
            // What the resource says is no metric there, and the age of the page is of no use beside the points' own times.
            if ["target.info", "vitalsign.page.age"].contains(&name)
                || !families.families().contains_key(&prometheus_name(definition))
            {
                continue;
            }
            assert!(sent.contains(name), "{name} is not pushed over {protocol:?}");
            let points = metrics().filter(|metric| metric.name == name).flat_map(attributes);
            let mut seen: BTreeSet<&str> = points.flatten().map(|attribute| attribute.key.as_str()).collect();
            let empty = MAY_BE_EMPTY.iter().filter(|(listed, ..)| *listed == name);
            seen.extend(empty.map(|(_, attribute, _)| *attribute));
            let wanted = definition.attributes.iter().copied().collect();
            assert_eq!(seen, wanted, "the attributes of {name} over {protocol:?}");
        }
    }
}

#[test]
fn the_series_of_a_family_stand_together_under_its_type() {
    let (mut current, mut done) = (String::new(), BTreeSet::new());
    for line in page().lines() {
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            kind.split(' ').next().unwrap().clone_into(&mut current);
            assert!(done.insert(current.clone()), "{current} comes twice");
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap();
            let suffix =
                name.strip_prefix(&current).unwrap_or_else(|| panic!("{line} stands under {current}"));
            assert!(["", "_bucket", "_sum", "_count"].contains(&suffix), "{line} stands under {current}");
        }
    }
}

#[test]
fn states_and_failures_add_up() {
    let page = Scrape::parse(page());
    let runs = page.values("healthcheck_runs_total");
    assert_eq!(runs.len(), KINDS.len() + 2);
    for run in runs {
        let name = [("healthcheck_name", run.labels["healthcheck_name"].as_str())];
        for (metric, states) in [
            ("healthcheck_status", &["degraded", "healthy", "unhealthy", "unknown"][..]),
            ("healthcheck_circuit_breaker_status", &["closed", "half_open", "open"][..]),
        ] {
            let series: Vec<_> = page.values(metric).into_iter().filter(|s| s.has(&name)).collect();
            let mut values: Vec<f64> = series.iter().map(|series| series.value).collect();
            values.sort_by(f64::total_cmp);
            let one: Vec<f64> =
                (1..=states.len()).map(|n| if n == states.len() { 1.0 } else { 0.0 }).collect();
            assert_eq!(values, one, "{metric} of {name:?}");
            let words: BTreeSet<&str> = series
                .iter()
                .flat_map(|s| s.labels.iter())
                .filter(|(k, _)| k.ends_with("state"))
                .map(|(_, v)| v.as_str())
                .collect();
            assert_eq!(words, states.iter().copied().collect(), "{metric} of {name:?}");
        }
        let failures = page.values("healthcheck_failures_total").into_iter().filter(|s| s.has(&name));
        let failures: f64 = failures.map(|series| series.value).sum();
        let broken = ["broken", "absent"].contains(&name[0].1);
        assert!(failures <= run.value && (failures > 0.0) == broken, "{name:?}: {failures} of {}", run.value);
        page.expect("healthcheck_duration_seconds_count", &name, run.value);
    }
}

#[test]
fn what_was_measured_is_gone_when_the_check_fails() {
    let folder = Scratch::new("measured", User::oneself());
    let (here, gone) = (folder.join("here"), folder.join("gone"));
    std::fs::create_dir(&here).unwrap();
    let agent = Agent::start(&format!(
        "checks: {{ data: {{ kind: disk, path: {}, interval: 300ms, timeout: 250ms }} }}",
        here.display()
    ));
    let series = || {
        let page = agent.scrape();
        let count = |name| page.values(name).len();
        (
            count("healthcheck_measurement"),
            count("healthcheck_threshold_ratio"),
            count("healthcheck_threshold_limit"),
        )
    };
    eventually("a measurement", SOON, || same(series(), &(1, 1, 1)));
    std::fs::rename(&here, &gone).unwrap();
    eventually("a failure because it is gone", SOON, || {
        let failures = agent.scrape().value("healthcheck_failures_total", &[("error_type", "not_found")]);
        failures.is_some_and(|failures| failures > 0.0)
    });
    assert_eq!(series(), (0, 0, 1), "only the limit stays");
    std::fs::rename(&gone, &here).unwrap();
    eventually("the measurement again", SOON, || same(series(), &(1, 1, 1)));
}

/// One definition, as the golden file has it.
fn entry(definition: &Definition) -> String {
    let Definition { name, instrument, unit, attributes, help } = definition;
    let instrument = match instrument {
        Instrument::Counter => "counter".to_owned(),
        Instrument::UpDownCounter => "updowncounter".to_owned(),
        Instrument::Gauge => "gauge".to_owned(),
        Instrument::Histogram(bounds) => format!("histogram over {bounds:?}"),
    };
    let unit = if unit.is_empty() { "none" } else { unit };
    let attributes = if attributes.is_empty() { "none".to_owned() } else { attributes.join(", ") };
    let prometheus = prometheus_name(definition);
    format!(
        "{name}\n  prometheus: {prometheus}\n  instrument: {instrument}\n  unit: {unit}\n  attributes: {attributes}\n  \
         help: {help}\n"
    )
}

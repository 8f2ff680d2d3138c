//! The collector over the files of machines of each kind, as they are and spoiled.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::metrics::{Store, render, violations};

pub(super) fn fixture(name: &str) -> Root {
    Root::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cgroup").join(name))
}

/// A copy of a fixture, to be changed.
pub(super) fn copy(name: &str) -> (TempDir, Root) {
    let folder = tempfile::tempdir().unwrap();
    for file in files(&fixture(name).join("")) {
        let target = folder.path().join(file.strip_prefix(fixture(name).join("")).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, target).unwrap();
    }
    let root = Root::new(folder.path());
    (folder, root)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

struct Reader {
    store: Store,
    sheet: Sheet,
    collector: CgroupCollector,
}

impl Reader {
    fn new(root: &Root) -> Self {
        let store = Store::new();
        let sheet = Sheet::new(&store, "cgroup", super::super::sheet::Counts::SinceBoot);
        Self { store, sheet, collector: CgroupCollector { own: Own::new(root), limited: true } }
    }

    /// Reads once; gives the series, sorted, without their common prefix, and the errors.
    fn read(&mut self) -> (Vec<String>, Vec<Reason>) {
        self.sheet.begin();
        self.collector.collect(&mut self.sheet);
        let errors = self.sheet.end().to_vec();
        let mut page = Vec::new();
        render(&self.store.snapshot(), &mut page);
        let page = String::from_utf8(page).unwrap();
        let mut series: Vec<_> =
            page.lines().filter_map(|line| line.strip_prefix("cgroup_")).map(str::to_owned).collect();
        series.sort();
        (series, errors)
    }
}

fn read(name: &str) -> Vec<String> {
    let (series, errors) = Reader::new(&fixture(name)).read();
    assert!(errors.is_empty(), "{name}: {errors:?}");
    series
}

const CPU_TIMES: [&str; 2] =
    ["cpu_time_seconds_total{cpu_mode=\"system\"} 30.25", "cpu_time_seconds_total{cpu_mode=\"user\"} 60.25"];
const CPU_LIMITED: [&str; 4] = [
    "cpu_limit 1.5",
    "cpu_periods_total 5000",
    "cpu_throttled_periods_total 250",
    "cpu_throttled_time_seconds_total 12.5",
];
const MEMORY: [&str; 5] = [
    "memory_limit_bytes 536870912",
    "memory_rss_bytes 104857600",
    "memory_swap_usage_bytes 1048576",
    "memory_usage_bytes 178257920",
    "memory_working_set_bytes 136314880",
];
const EVENTS: [&str; 5] = [
    "memory_events_total{cgroup_memory_event=\"high\"} 3",
    "memory_events_total{cgroup_memory_event=\"low\"} 0",
    "memory_events_total{cgroup_memory_event=\"max\"} 14",
    "memory_events_total{cgroup_memory_event=\"oom\"} 2",
    "memory_events_total{cgroup_memory_event=\"oom_kill\"} 1",
];
const PIDS: [&str; 2] = ["pids_limit 1000", "pids_usage 17"];
const STALLS: [&str; 6] = [
    "psi_stall_time_seconds_total{psi_resource=\"cpu\",psi_stall_type=\"full\"} 0.4",
    "psi_stall_time_seconds_total{psi_resource=\"cpu\",psi_stall_type=\"some\"} 4",
    "psi_stall_time_seconds_total{psi_resource=\"io\",psi_stall_type=\"full\"} 0.402",
    "psi_stall_time_seconds_total{psi_resource=\"io\",psi_stall_type=\"some\"} 6",
    "psi_stall_time_seconds_total{psi_resource=\"memory\",psi_stall_type=\"full\"} 0.401",
    "psi_stall_time_seconds_total{psi_resource=\"memory\",psi_stall_type=\"some\"} 5",
];

fn all(parts: &[&[&str]]) -> Vec<String> {
    let mut all: Vec<_> = parts.concat().into_iter().map(str::to_owned).collect();
    all.sort();
    all
}

#[test]
fn version_two_with_limits_of_the_groups_above() {
    assert_eq!(read("v2"), all(&[&CPU_TIMES, &CPU_LIMITED, &MEMORY, &EVENTS, &PIDS, &STALLS]));
}

#[test]
fn version_one_has_the_same_numbers_in_other_units() {
    assert_eq!(read("v1"), all(&[&CPU_TIMES, &CPU_LIMITED, &MEMORY, &PIDS]));
}

#[test]
fn a_machine_with_both_versions_reads_each_where_it_is() {
    assert_eq!(read("hybrid"), all(&[&CPU_TIMES, &CPU_LIMITED, &MEMORY, &PIDS, &STALLS]));
}

#[test]
fn what_is_used_of_a_limit_is_counted_where_the_limit_is() {
    // The own group uses less than half of it; its limit is the larger one in `v2`, and there is none in `hybrid`.
    for (name, own) in [("v2", "apps.slice/apps-shop.slice/shop.service"), ("hybrid", "memory/jobs/a")] {
        let (_folder, root) = copy(name);
        let own = root.join("sys/fs/cgroup").join(own);
        let limit = if name == "v2" { "memory.max" } else { "memory.limit_in_bytes" };
        let of = |root: &Root, series: &str| {
            let (all, errors) = Reader::new(root).read();
            assert_eq!(errors, [], "{name}");
            let value = all.iter().find_map(|line| line.strip_prefix(series)).map(str::to_owned);
            value.unwrap_or_else(|| panic!("{name}: no {series} in {all:?}"))
        };
        assert_eq!(of(&root, "memory_usage_bytes "), "178257920", "{name}: of all that share it");
        // A limit of its own that is met first.
        fs::write(own.join(limit), "209715200\n").unwrap();
        if name == "hybrid" {
            let stat = fs::read_to_string(own.join("memory.stat")).unwrap();
            fs::write(own.join("memory.stat"), stat.replace("limit 536870912", "limit 209715200")).unwrap();
        }
        assert_eq!(of(&root, "memory_limit_bytes "), "209715200", "{name}");
        assert_eq!(of(&root, "memory_usage_bytes "), "104857600", "{name}");
        assert_eq!(of(&root, "memory_working_set_bytes "), "83886080", "{name}");
        assert_eq!(of(&root, "memory_rss_bytes "), "62914560", "{name}");
        assert_eq!(of(&root, "cpu_throttled_periods_total "), "250", "{name}: that limit is where it was");
    }
}

#[test]
fn a_limit_that_only_slows_down_counts_alone() {
    let (_folder, root) = copy("container");
    let file = |name: &str, text: &str| fs::write(root.join("sys/fs/cgroup").join(name), text).unwrap();
    file("memory.max", "max\n");
    assert_eq!(Reader::new(&root).read(), (vec![], vec![]));
    file("memory.high", "536870912\n");
    assert_eq!(
        Reader::new(&root).read(),
        (all(&[&CPU_TIMES, &MEMORY, &EVENTS, &["pids_usage 17"], &STALLS]), vec![])
    );
    file("memory.max", "1073741824\n");
    assert!(
        Reader::new(&root).read().0.contains(&"memory_limit_bytes 536870912".to_owned()),
        "the lower one"
    );
}

#[test]
fn a_container_with_a_limit_on_memory_shows_all_but_the_other_limits() {
    assert_eq!(read("container"), all(&[&CPU_TIMES, &MEMORY, &EVENTS, &["pids_usage 17"], &STALLS]));
}

#[test]
fn a_service_whose_tasks_alone_are_limited_shows_those() {
    assert_eq!(read("service"), all(&[&["pids_limit 4915", "pids_usage 17"]]));
}

#[test]
fn without_limits_nothing_is_shown() {
    assert!(read("top").is_empty());
    assert!(read("unlimited").is_empty());
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Reader::new(&Root::new(folder.path())).read(), (vec![], vec![]), "no groups at all");
}

#[test]
fn a_limit_on_memory_that_the_machine_does_not_have_is_none() {
    let (_folder, root) = copy("container");
    fs::write(root.join("proc/meminfo"), "MemTotal: 524288 kB\n").unwrap();
    assert_eq!(Reader::new(&root).read(), (vec![], vec![]));
    fs::write(root.join("proc/meminfo"), "MemTotal: 524289 kB\n").unwrap();
    assert!(!Reader::new(&root).read().0.is_empty());
}

#[test]
fn follows_the_process_into_another_group_and_out_of_one_that_is_gone() {
    let (_folder, root) = copy("v2");
    let mut reader = Reader::new(&root);
    assert!(!reader.read().0.is_empty());
    // What has the limits is there still; of the group itself only its pressure was told.
    fs::write(root.join("proc/self/cgroup"), "0::/apps.slice/apps-shop.slice/shop.service (deleted)\n")
        .unwrap();
    let (series, errors) = reader.read();
    let stalls: Vec<_> = STALLS.into_iter().filter(|line| !line.contains("\"io\"")).collect();
    assert_eq!(
        (series, errors),
        (all(&[&CPU_TIMES, &CPU_LIMITED, &MEMORY, &EVENTS, &PIDS, &stalls]), vec![])
    );
    fs::write(root.join("proc/self/cgroup"), "0::/\n").unwrap();
    assert_eq!(reader.read(), (vec![], vec![]));
}

#[test]
fn what_is_spoiled_is_an_error_and_costs_only_itself() {
    for name in ["v2", "v1", "hybrid"] {
        let complete = read(name);
        for file in files(&fixture(name).join("sys/fs")) {
            let (_folder, root) = copy(name);
            let path = root.join(file.strip_prefix(fixture(name).join("")).unwrap());
            let what = path.display().to_string();
            for content in [
                &b""[..],
                b"\n",
                b"some",
                b"-5\n",
                b"nr_periods x\n",
                b"\xff\xfe 1\n",
                b"99999999999999999999 1\n",
            ] {
                fs::write(&path, content).unwrap();
                let (series, errors) = Reader::new(&root).read();
                assert!(errors.iter().all(|error| *error == Reason::Protocol), "{what}: {errors:?}");
                assert!(
                    series.iter().all(|line| complete.contains(line) || line.contains("_limit")),
                    "{what}: {series:?}"
                );
                assert!(series.len() >= 2, "{what}: {series:?}");
                assert!(!errors.is_empty() || series == complete, "{what} {content:?}: {series:?}");
            }
            fs::remove_file(&path).unwrap();
            assert_eq!(Reader::new(&root).read().1, [], "{what}: not there is no error");
        }
    }
}

#[test]
fn a_group_that_cannot_be_told_is_an_error() {
    for content in [&b"garbage"[..], b"\xff", b"0::relative\n"] {
        let (_folder, root) = copy("v2");
        fs::write(root.join("proc/self/cgroup"), content).unwrap();
        let mut reader = Reader::new(&root);
        assert_eq!(reader.read(), (vec![], vec![Reason::Protocol]));
        fs::copy(fixture("v2").join("proc/self/cgroup"), root.join("proc/self/cgroup")).unwrap();
        assert_eq!(reader.read().1, [], "and is found as soon as it can be");
    }
}

#[test]
fn definitions_keep_the_rules() {
    let found: Vec<_> = DEFINITIONS.iter().flat_map(|definition| violations(definition)).collect();
    assert!(found.is_empty(), "{found:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn reads_this_machine_without_an_error() {
    assert_eq!(Reader::new(&Root::default()).read().1, []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn nothing_in_the_files_makes_it_panic(
        texts in proptest::collection::vec("([0-9]{1,20}|max|some|total=|nr_periods|[ \n:/-]|\\PC){0,8}", 6),
    ) {
        let (_folder, root) = copy("container");
        let own = "sys/fs/cgroup";
        for (file, text) in ["memory.max", "memory.stat", "cpu.max", "cpu.stat", "pids.max", "io.pressure"].into_iter().zip(texts) {
            fs::write(root.join(own).join(file), text).unwrap();
        }
        let (series, _) = Reader::new(&root).read();
        prop_assert!(series.iter().all(|line| !line.ends_with("NaN") && !line.ends_with("Inf")));
    }
}

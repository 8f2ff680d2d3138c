//! The numbers of this machine against those of node_exporter, read between two readings of ours: each of its counters
//! lies between our two, each amount of memory differs by at most 1 % from one of them.
//!
//! What the kernel takes back a little of (`idle` and `iowait`) and memory that others fill at that very moment may miss
//! once; so one round out of several has to agree in everything.

use std::time::{Duration, SystemTime};

use crate::harness::{
    agent::Agent,
    eventually::eventually,
    node_exporter::NodeExporter,
    scrape::{Sample, Scrape},
};

const ROUNDS: usize = 30;
const SOON: Duration = Duration::from_secs(60);

/// The collectors of node_exporter that know what ours know.
const THEIRS: &[&str] =
    &["cpu", "diskstats", "loadavg", "meminfo", "netdev", "pressure", "stat", "time", "vmstat"];

/// A number of ours, and what node_exporter says instead; `None` where it has no such thing.
struct Pair {
    name: String,
    ours: [f64; 2],
    theirs: Option<f64>,
    /// How far theirs may be from what it is compared with.
    slack: f64,
}

#[test]
fn node_exporter_counts_between_two_readings_of_ours() {
    let agent = Agent::start("checks: {}\n");
    let node = NodeExporter::start(THEIRS);
    agrees(&agent, &node, |before, node, after| {
        let mut pairs = Vec::new();
        let cpus = before.value("system_cpu_logical_count", &[]).expect("a number of processors");
        for ours in both(before, after, "system_cpu_time_seconds_total") {
            let mode = &ours.labels["cpu_mode"];
            let theirs = |mode| {
                node.values("node_cpu_seconds_total").into_iter().filter(move |s| s.has(&[("mode", mode)]))
            };
            let guests = |mode| {
                sum(node
                    .values("node_cpu_guest_seconds_total")
                    .into_iter()
                    .filter(move |s| s.has(&[("mode", mode)])))
            };
            let seconds = match mode.as_str() {
                "interrupt" => sum(theirs("irq").chain(theirs("softirq"))),
                mode @ ("user" | "nice") => sum(theirs(mode)) - guests(mode),
                mode => sum(theirs(mode)),
            };
            // It adds up processors, each rounded down to a tick of 10 ms; the kernel adds up, then rounds.
            pairs.push(ours.counter(Some(seconds), 0.011 * cpus * 2.0));
        }
        assert_eq!(pairs.len(), 7, "modes");
        pairs
    });
}

#[test]
fn node_exporter_agrees_on_each_processor() {
    let agent = Agent::start("collectors: { cpu: { per_cpu: true } }\n");
    let node = NodeExporter::start(THEIRS);
    agrees(&agent, &node, |before, node, after| {
        let exact = ["user", "nice", "system", "idle", "iowait", "steal"];
        let all = both(before, after, "system_cpu_time_seconds_total");
        let pairs: Vec<_> = all
            .iter()
            .filter(|ours| exact.contains(&ours.labels["cpu_mode"].as_str()))
            .map(|ours| {
                let (cpu, mode) = (&ours.labels["cpu_logical_number"], &ours.labels["cpu_mode"]);
                let guests = node.value("node_cpu_guest_seconds_total", &[("cpu", cpu), ("mode", mode)]);
                let theirs = node.value("node_cpu_seconds_total", &[("cpu", cpu), ("mode", mode)]);
                ours.counter(theirs.map(|seconds| seconds - guests.unwrap_or_default()), 0.0)
            })
            .collect();
        assert_eq!(pairs.len() * 7, all.len() * exact.len());
        pairs
    });
}

#[test]
fn node_exporter_agrees_on_disks_networks_paging_and_pressure() {
    let agent = Agent::start("checks: {}\n");
    let node = NodeExporter::start(THEIRS);
    agrees(&agent, &node, |before, node, after| {
        let mut pairs = Vec::new();
        for (ours, words, theirs) in [
            ("system_disk_io_bytes", ["read", "write"], ["disk_read_bytes", "disk_written_bytes"]),
            ("system_disk_operations", ["read", "write"], ["disk_reads_completed", "disk_writes_completed"]),
            (
                "system_disk_operation_time_seconds",
                ["read", "write"],
                ["disk_read_time_seconds", "disk_write_time_seconds"],
            ),
            (
                "system_network_io_bytes",
                ["receive", "transmit"],
                ["network_receive_bytes", "network_transmit_bytes"],
            ),
            (
                "system_network_errors",
                ["receive", "transmit"],
                ["network_receive_errs", "network_transmit_errs"],
            ),
            (
                "system_network_packet_dropped",
                ["receive", "transmit"],
                ["network_receive_drop", "network_transmit_drop"],
            ),
            ("system_paging_operations", ["in", "out"], ["vmstat_pswpin", "vmstat_pswpout"]),
        ] {
            for one in both(before, after, &format!("{ours}_total")) {
                let theirs = if one.says(words[0]) { theirs[0] } else { theirs[1] };
                pairs.push(one.counter(look_up(node, theirs, &one), 0.0));
            }
        }
        for one in both(before, after, "system_disk_io_time_seconds_total") {
            pairs.push(one.counter(look_up(node, "disk_io_time_seconds", &one), 0.0));
        }
        for one in both(before, after, "psi_stall_time_seconds_total") {
            let kind = if one.says("full") { "stalled" } else { "waiting" };
            let theirs = format!("node_pressure_{}_{kind}_seconds_total", one.labels["psi_resource"]);
            if one.labels["psi_resource"] != "irq" {
                pairs.push(one.counter(node.value(&theirs, &[]), 0.0));
            }
        }
        for one in both(before, after, "system_paging_faults_total") {
            let major = node.value("node_vmstat_pgmajfault", &[]);
            let all = node.value("node_vmstat_pgfault", &[]);
            let minor = all.zip(major).map(|(all, major)| all - major);
            pairs.push(if one.says("major") { one.counter(major, 0.0) } else { one.counter(minor, 2.0) });
        }
        for one in both(before, after, "system_process_created_total") {
            pairs.push(one.counter(node.value("node_forks_total", &[]), 0.0));
        }
        pairs
    });
}

#[test]
fn node_exporter_agrees_on_memory() {
    let agent = Agent::start("checks: {}\n");
    let node = NodeExporter::start(THEIRS);
    agrees(&agent, &node, |before, node, after| {
        let memory = |name: &str| node.value(&format!("node_memory_{name}_bytes"), &[]);
        let less = |all: Option<f64>, rest: Option<f64>| all.zip(rest).map(|(all, rest)| all - rest);
        let mut pairs = Vec::new();
        for one in both(before, after, "system_memory_usage_bytes") {
            let theirs = match one.labels["system_memory_state"].as_str() {
                "used" => less(memory("MemTotal"), memory("MemAvailable")),
                "free" => memory("MemFree"),
                "cached" => memory("Cached"),
                "buffers" => memory("Buffers"),
                other => panic!("a state {other}"),
            };
            pairs.push(one.gauge(theirs));
        }
        for one in both(before, after, "system_paging_usage_bytes") {
            let free = memory("SwapFree");
            pairs.push(one.gauge(if one.says("free") { free } else { less(memory("SwapTotal"), free) }));
        }
        for one in both(before, after, "system_memory_linux_slab_usage_bytes") {
            pairs.push(one.gauge(memory(if one.says("reclaimable") {
                "SReclaimable"
            } else {
                "SUnreclaim"
            })));
        }
        for (name, theirs) in [
            ("system_memory_limit_bytes", memory("MemTotal")),
            ("system_memory_linux_available_bytes", memory("MemAvailable")),
            ("system_cpu_load_average_15m", node.value("node_load15", &[])),
        ] {
            pairs.extend(both(before, after, name).iter().map(|one| one.gauge(theirs)));
        }
        assert_eq!(pairs.len(), 11);
        pairs
    });
}

/// Reads ours, theirs, ours, until one round has nothing to complain about.
#[track_caller]
fn agrees(agent: &Agent, node: &NodeExporter, pairs: impl Fn(&Scrape, &Scrape, &Scrape) -> Vec<Pair>) {
    let mut before = fresh(agent);
    let mut wrong = Vec::new();
    for _ in 0..ROUNDS {
        let theirs = node.scrape();
        let after = fresh(agent);
        let pairs = pairs(&before, &theirs, &after);
        assert!(pairs.len() > 1, "nothing to compare");
        wrong = pairs.iter().filter(|pair| !pair.agrees()).map(Pair::to_string).collect();
        if wrong.is_empty() {
            return;
        }
        before = after;
    }
    panic!("in none of {ROUNDS} rounds all agreed; in the last one:\n{}", wrong.join("\n"));
}

/// A page on which every number of this machine, but for the count of processes, was read after now.
#[track_caller]
fn fresh(agent: &Agent) -> Scrape {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time").as_secs_f64();
    eventually("fresh numbers", SOON, || {
        let page = agent.scrape();
        let read = page.values("vitalsign_collector_last_success_timestamp_seconds");
        let old: Vec<_> = read
            .iter()
            .filter(|sample| !sample.has(&[("collector_name", "processes")]) && sample.value < now)
            .map(|sample| sample.labels.clone())
            .collect();
        if read.len() > 8 && old.is_empty() { Ok(page) } else { Err(format!("old: {old:?}")) }
    })
}

/// A series of ours on two pages.
struct Ours {
    name: String,
    labels: std::collections::BTreeMap<String, String>,
    values: [f64; 2],
}

fn both(before: &Scrape, after: &Scrape, name: &str) -> Vec<Ours> {
    let earlier = before.values(name);
    assert!(!earlier.is_empty(), "no {name}");
    let later = after.values(name);
    let in_both = |one: &&Sample| {
        let other = later.iter().find(|other| other.labels == one.labels)?;
        Some(Ours { name: name.to_owned(), labels: one.labels.clone(), values: [one.value, other.value] })
    };
    earlier.iter().filter_map(in_both).collect()
}

impl Ours {
    fn says(&self, word: &str) -> bool {
        self.labels.values().any(|value| value == word)
    }

    fn counter(&self, theirs: Option<f64>, slack: f64) -> Pair {
        // Decimal fractions of a second that were parsed, summed and printed again.
        let slack = slack + self.values[1] * 1e-12;
        Pair { name: format!("{}{:?}", self.name, self.labels), ours: self.values, theirs, slack }
    }

    fn gauge(&self, theirs: Option<f64>) -> Pair {
        let mut ours = self.values;
        ours.sort_by(f64::total_cmp);
        Pair { slack: ours[1] * 0.01, ours, ..self.counter(theirs, 0.0) }
    }
}

impl Pair {
    fn agrees(&self) -> bool {
        let [least, most] = [self.ours[0] - self.slack, self.ours[1] + self.slack];
        self.theirs.is_some_and(|theirs| (least..=most).contains(&theirs))
    }
}

impl std::fmt::Display for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: ours {:?}, theirs {:?}", self.name, self.ours, self.theirs)
    }
}

/// Their counter for the device of ours.
fn look_up(node: &Scrape, name: &str, ours: &Ours) -> Option<f64> {
    let (total, plain) = (format!("node_{name}_total"), format!("node_{name}"));
    let device = ["system_device", "network_interface_name"].iter().find_map(|label| ours.labels.get(*label));
    match device {
        Some(device) => node.value(&total, &[("device", device)]),
        None => node.value(&plain, &[]),
    }
}

fn sum<'a>(samples: impl Iterator<Item = &'a Sample>) -> f64 {
    samples.map(|sample| sample.value).sum()
}

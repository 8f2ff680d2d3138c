//! Another machine's root in a folder, as a container has its host: collectors and checks look in one place, and nothing is
//! taken for what it is not.

use std::{fs, time::Duration};

use crate::harness::{
    agent::{Agent, Launch},
    eventually::eventually,
    http,
    machine::Machine,
};

const SOON: Duration = Duration::from_secs(60);
const OFTEN: &str = "interval: 1s, timeout: 900ms";

#[test]
fn a_disk_is_unresponsive_while_who_is_behind_it_is_gone() {
    let machine = Machine::new();
    let config = format!("collectors: {{ root_path: {} }}\nchecks: {{}}\n", machine.path().display());
    let agent = Launch::new(&config).stand_in(&machine.script()).start();
    let shows = |unresponsive: f64, limit: bool| {
        let at = [("system_filesystem_mountpoint", "/data")];
        let page = agent.scrape();
        let shown = page.value("vitalsign_filesystem_unresponsive", &at);
        let limited = page.value("system_filesystem_limit_bytes", &at).is_some();
        if shown == Some(unresponsive) && limited == limit {
            Ok(())
        } else {
            Err(format!("{shown:?} {limited}"))
        }
    };
    eventually("the disk", SOON, || shows(0.0, true));
    machine.lose_disk();
    eventually("the disk to be gone", SOON, || shows(1.0, false));
    machine.find_disk();
    eventually("the disk to be back", SOON, || shows(0.0, true));
}

#[test]
fn the_checks_look_at_the_machine_that_the_collectors_read() {
    let machine = Machine::new();
    let proc = machine.path().join("proc");
    fs::write(proc.join("meminfo"), "MemTotal: 4000000 kB\nMemFree: 100 kB\nMemAvailable: 1000000 kB\n")
        .unwrap();
    fs::create_dir_all(proc.join("42")).unwrap();
    fs::write(proc.join("42/stat"), "42 (shopkeeper) S 1 2 3").unwrap();
    fs::write(proc.join("42/cmdline"), "shopkeeper").unwrap();
    fs::write(proc.join("loadavg"), "0.00 0.00 0.00 1/4242 42\n").unwrap();
    let agent = Agent::start(&format!(
        "collectors: {{ root_path: {} }}\nchecks:\n\
         \x20 shopkeeper: {{ kind: process, name: shopkeeper, {OFTEN} }}\n\
         \x20 threads: {{ kind: tasks, of: threads, thresholds: {{ tasks: {{ warn: 100000 }} }}, {OFTEN} }}\n\
         \x20 own_tasks: {{ kind: tasks, of: cgroup, {OFTEN} }}\n\
         \x20 container_memory: {{ kind: memory, {OFTEN} }}\n\
         \x20 memory: {{ kind: memory, scope: host, {OFTEN} }}\n\
         \x20 data: {{ kind: disk, path: /data, {OFTEN} }}\n\
         \x20 root: {{ kind: disk, path: /, {OFTEN} }}\n",
        machine.path().display()
    ));
    let measured = |check: &str, measurement: &str| {
        let labels = [("healthcheck_name", check), ("healthcheck_measurement", measurement)];
        agent.scrape().value("healthcheck_measurement", &labels)
    };
    let is = |check: &str, measurement: &str, expected: f64| {
        eventually(check, SOON, || match measured(check, measurement) {
            Some(value) if value == expected => Ok(()),
            other => Err(format!("{other:?}")),
        });
    };
    is("shopkeeper", "count", 1.0);
    is("threads", "tasks", 4242.0);
    is("own_tasks", "limit", 512.0);
    is("container_memory", "usage_ratio", 0.625);
    is("memory", "usage_ratio", 0.75);
    eventually("the disk", SOON, || measured("data", "usage_ratio").map(drop).ok_or("nothing"));
    let root = eventually("a verdict on the root", SOON, || {
        let root = http::get(agent.addr(), "/health/checks/root").json();
        if root["reason"].is_string() { Ok(root) } else { Err(root.to_string()) }
    });
    // Its list of mounts knows no root, so whatever is found there is another.
    assert_eq!(
        (root["reason"].as_str(), root["cause"].as_str()),
        (Some("not_found"), Some("not_under_root")),
        "{root}"
    );
}

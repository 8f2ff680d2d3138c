//! `vitalsign-host`: is a machine short of something (use, saturation, errors).

mod details;

use serde_json::json;

use super::dashboard::{Dashboard, Row};
use super::panel::{Panel, thresholds};
use super::shared::{BY_MOUNT, cpu_used, filesystem_used, memory_used, of_filesystem, says};

const BY: &str = "job, instance";

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "vitalsign-host",
        title: "Vitalsign / Host",
        question: "Is this machine or container short of something: processors, memory, disks, network?",
        since: "now-6h",
        variables: &[],
        rows: vec![
            Row::open("Now", now()),
            Row::open("Processors", processors()),
            Row::open("Memory", memory()),
            Row::open("Disks", disks()),
            Row::open("Network and pressure", network()),
            Row::closed("Container", details::container()),
            Row::closed("Processes and kernel", details::processes()),
        ],
    }
}

/// The limits of the checks of this kind on the share in use.
fn limits(kind: &str) -> String {
    format!(
        r#"max by (healthcheck_level) (<healthcheck.threshold.limit{{healthcheck_measurement="usage_ratio"}}> and on (job, instance, healthcheck_name) <healthcheck.info{{healthcheck_kind="{kind}"}}>)"#
    )
}

/// How long until each file system is full if it goes on as in the last six hours; only those that are filling up, and
/// only after three hours: less says nothing.
fn seconds_to_full() -> String {
    let free = r#"<system.filesystem.usage{system_filesystem_state="free"}>"#;
    let before = r#"<system.filesystem.usage{system_filesystem_state="free"}> offset 3h"#;
    format!(
        "max by ({BY_MOUNT}) ({free}) / (max by ({BY_MOUNT}) (deriv({free}[6h])) < 0) * -1 and on ({BY_MOUNT}) max by \
         ({BY_MOUNT}) ({before})"
    )
}

fn now() -> Vec<Panel> {
    let stat = |title, description, template: String| {
        Panel::stat(title, description, 4).query(template, "{{instance}}")
    };
    vec![
        stat(
            "Up since",
            "How long ago the machine started. A short time explains gaps and empty caches.",
            format!("max by ({BY}) (<system.uptime>)"),
        )
        .decimals(0),
        stat(
            "Processors",
            "How many processors run threads, and how many a container may use where it has a limit.",
            format!("max by ({BY}) (<system.cpu.logical.count>)"),
        )
        .query(format!("max by ({BY}) (<cgroup.cpu.limit>)"), "container · {{instance}}"),
        stat("Memory", "How much memory the machine has.", format!("max by ({BY}) (<system.memory.limit>)")),
        stat(
            "Fullest disk",
            "The use of the fullest file system, of what everybody can use.",
            format!("max by ({BY}) ({})", filesystem_used()),
        )
        .unit("percentunit")
        .decimals(0),
        stat(
            "First disk full in",
            "When the first file system is full if it goes on as in the last six hours; told after three hours. A \
             sawtooth fools it: look at the line below.",
            format!("min by ({BY}) ({})", seconds_to_full()),
        )
        .unit("s")
        .when_empty("none fills up"),
        stat(
            "Worst pressure",
            "The largest share of time in which something waited for processors, memory or disks. Above a third, work \
             takes noticeably longer.",
            format!(r#"clamp_max(max by ({BY}) (rate(<psi.stall_time{{psi_stall_type="some"}}>[$__rate_interval])), 1)"#),
        )
        .unit("percentunit")
        .decimals(1)
        .when_empty("not told by this kernel"),
    ]
}

fn processors() -> Vec<Panel> {
    vec![
        Panel::series(
            "Use",
            "The share of processor time in use, with the limits of the checks of kind `cpu` as dashed lines. High use \
             alone is no trouble; with pressure it is.",
            8,
        )
        .query(cpu_used(BY), "{{instance}}")
        .query(limits("cpu"), "limit {{healthcheck_level}}")
        .limits("/^limit/")
        .unit("percentunit")
        .range(0, 1),
        Panel::series(
            "Use by mode",
            "What the processors did. Much `system` is the kernel, `iowait` waits for disks, `steal` is taken by other \
             virtual machines.",
            8,
        )
        .query(
            r#"sum by (cpu_mode) (rate(<system.cpu.time{cpu_mode!="idle"}>[$__rate_interval])) / on () group_left () sum(rate(<system.cpu.time>[$__rate_interval]))"#,
            "{{cpu_mode}}",
        )
        .unit("percentunit")
        .range(0, 1),
        Panel::series(
            "Load for each processor",
            "Threads that run or want to, over 1, 5 and 15 minutes, divided by the number of processors. Above 1 threads \
             wait for their turn; threads that wait for a disk count too.",
            8,
        )
        .query(load("1m"), "1 min · {{instance}}")
        .query(load("5m"), "5 min · {{instance}}")
        .query(load("15m"), "15 min · {{instance}}")
        .unit("none")
        .min(0),
    ]
}

fn load(window: &str) -> String {
    format!("max by ({BY}) (<system.cpu.load_average.{window}>) / max by ({BY}) (<system.cpu.logical.count>)")
}

fn memory() -> Vec<Panel> {
    vec![
        Panel::series(
            "Use",
            "The share of memory that programs cannot get any more, with the limits of the checks of kind `memory` as \
             dashed lines.",
            8,
        )
        .query(memory_used(), "{{instance}}")
        .query(limits("memory"), "limit {{healthcheck_level}}")
        .limits("/^limit/")
        .unit("percentunit")
        .range(0, 1),
        Panel::series(
            "By state",
            "What memory is used for. `used` is all that is not available; the states overlap, so they add up to more than \
             there is.",
            8,
        )
        .query("sum by (system_memory_state) (<system.memory.usage>)", "{{system_memory_state}}")
        .query("sum(<system.memory.limit>)", "limit")
        .query("sum by (system_memory_linux_slab_state) (<system.memory.linux.slab.usage>)", "slab {{system_memory_linux_slab_state}}")
        .limits("/^limit/")
        .min(0),
        Panel::series(
            "Swap",
            "Swap space in use and its size. Swap in use is no trouble; pages that go in and out all the time are (see \
             Paging).",
            8,
        )
        .query(r#"sum by (job, instance) (<system.paging.usage{system_paging_state="used"}>)"#, "used · {{instance}}")
        .query("sum by (job, instance) (<system.paging.usage>)", "size · {{instance}}")
        .limits("/^size/")
        .min(0)
        .when_empty("No swap space"),
    ]
}

fn disks() -> Vec<Panel> {
    let free = of_filesystem("system.filesystem.usage", "free");
    vec![
        Panel::table(
            "File systems",
            "Each file system, the fullest first: its size, use, free space, inodes, and when it is full if it goes on as \
             in the last six hours (empty: it does not fill up). Read-only may be meant, or the kernel's answer to errors.",
            24,
        )
        .height(8)
        .query(filesystem_used(), "used")
        .query(format!("max by ({BY_MOUNT}, system_filesystem_mode, system_filesystem_type) (<system.filesystem.limit>)"), "size")
        .query(free, "free")
        .query(seconds_to_full(), "full in")
        .query(
            format!(
                "{} / ({} > 0)",
                of_filesystem("system.filesystem.inodes.usage", "used"),
                of_filesystem("system.filesystem.inodes.usage", "used|free")
            ),
            "inodes",
        )
        .query(format!("max by ({BY_MOUNT}) (<vitalsign.filesystem.unresponsive>)"), "answers")
        .merged(&["job"])
        .column("instance", "Instance", 200, &[])
        .column("system_filesystem_mountpoint", "Mounted at", 220, &[])
        .column("system_filesystem_type", "Type", 80, &[])
        .column(
            "system_filesystem_mode",
            "Mode",
            120,
            &[(
                "mappings",
                json!([{"type": "value", "options": {
                    "ro": {"text": "read-only", "color": "orange", "index": 0},
                    "rw": {"text": "read and write", "index": 1}
                }}]),
            )],
        )
        .column(
            "Value #A",
            "Used",
            200,
            &[
                ("unit", json!("percentunit")),
                ("decimals", json!(0)),
                ("min", json!(0)),
                ("max", json!(1)),
                ("thresholds", thresholds(&[(None, "blue")])),
                ("custom.cellOptions", json!({"type": "gauge", "mode": "basic", "valueDisplayMode": "text"})),
            ],
        )
        .column("Value #B", "Size", 100, &[("unit", json!("bytes"))])
        .column("Value #C", "Free", 100, &[("unit", json!("bytes"))])
        .column("Value #D", "Full in", 110, &[("unit", json!("s"))])
        .column(
            "Value #E",
            "Inodes used",
            110,
            &[("unit", json!("percentunit")), ("decimals", json!(0))],
        )
        .column("Value #F", "Answers", 90, &says(&[(0, "yes", "green"), (1, "no", "red")]))
        .order(&[("Used", true)])
        .unit("short"),
        Panel::series(
            "Use over time",
            "The use of each file system, with the limits of the checks of kind `disk` as dashed lines. A slope has a time \
             of its own; a sawtooth is cleaning up.",
            8,
        )
        .query(filesystem_used(), "{{system_filesystem_mountpoint}} · {{instance}}")
        .query(limits("disk"), "limit {{healthcheck_level}}")
        .limits("/^limit/")
        .unit("percentunit")
        .range(0, 1),
        Panel::series(
            "Transfers",
            "Bytes read (up) and written (down) on each disk.",
            8,
        )
        .query(
            r#"sum by (instance, system_device) (rate(<system.disk.io{disk_io_direction="read"}>[$__rate_interval]))"#,
            "read {{system_device}} · {{instance}}",
        )
        .query(
            r#"sum by (instance, system_device) (rate(<system.disk.io{disk_io_direction="write"}>[$__rate_interval]))"#,
            "written {{system_device}} · {{instance}}",
        )
        .mirrored("/^written/"),
        Panel::series(
            "Busy",
            "The share of time in which each disk had something to do. Near 100 % a disk of the spinning kind is at its \
             end; one that does many things at once may not be.",
            8,
        )
        .query(
            "max by (instance, system_device) (rate(<system.disk.io_time>[$__rate_interval]))",
            "{{system_device}} · {{instance}}",
        )
        .range(0, 1),
        Panel::series(
            "Operations",
            "Reads (up) and writes (down) that each disk completed.",
            12,
        )
        .query(
            r#"sum by (instance, system_device) (rate(<system.disk.operations{disk_io_direction="read"}>[$__rate_interval]))"#,
            "reads {{system_device}} · {{instance}}",
        )
        .query(
            r#"sum by (instance, system_device) (rate(<system.disk.operations{disk_io_direction="write"}>[$__rate_interval]))"#,
            "writes {{system_device}} · {{instance}}",
        )
        .mirrored("/^writes/"),
        Panel::series(
            "Time of an operation",
            "How long a read or a write took on average, waiting included. This is what programs feel.",
            12,
        )
        .query(
            "sum by (instance, system_device, disk_io_direction) (rate(<system.disk.operation_time>[$__rate_interval])) / \
             (sum by (instance, system_device, disk_io_direction) (rate(<system.disk.operations>[$__rate_interval])) > 0)",
            "{{disk_io_direction}} {{system_device}} · {{instance}}",
        )
        .unit("s")
        .min(0)
        .when_empty("No disk did anything"),
    ]
}

fn network() -> Vec<Panel> {
    let both = |metric: &str, direction: &str| {
        format!(
            r#"sum by (instance, network_interface_name) (rate(<{metric}{{network_io_direction="{direction}"}}>[$__rate_interval]))"#
        )
    };
    vec![
        Panel::series("Network: transfers", "Bytes received (up) and transmitted (down) on each interface.", 8)
            .query(both("system.network.io", "receive"), "received {{network_interface_name}} · {{instance}}")
            .query(both("system.network.io", "transmit"), "transmitted {{network_interface_name}} · {{instance}}")
            .mirrored("/^transmitted/"),
        Panel::series(
            "Network: errors and drops",
            "Packets that could not be received or sent, and packets thrown away although nothing was wrong with them. \
             Good is 0: errors are cables and drivers, drops are full buffers.",
            8,
        )
        .query(
            "sum by (instance, network_interface_name, network_io_direction) (rate(<system.network.errors>[$__rate_interval])) > 0",
            "errors {{network_io_direction}} {{network_interface_name}} · {{instance}}",
        )
        .query(
            "sum by (instance, network_interface_name, network_io_direction) (rate(<system.network.packet.dropped>[$__rate_interval])) > 0",
            "drops {{network_io_direction}} {{network_interface_name}} · {{instance}}",
        )
        .unit("pps")
        .min(0)
        .when_empty("No errors, no drops"),
        Panel::series(
            "Pressure",
            "The share of time in which some work, or all of it (full), stood still for want of processors, memory or \
             disks. Good is near 0; `memory full` above a tenth is a machine that is busy moving pages.",
            8,
        )
        .query(
            "max by (instance, psi_resource, psi_stall_type) (rate(<psi.stall_time>[$__rate_interval]))",
            "{{psi_resource}} {{psi_stall_type}} · {{instance}}",
        )
        .min(0)
        .axis_to(0.1)
        .when_empty("This kernel does not tell"),
    ]
}

//! The closed rows of `vitalsign-host`: the container that the agent runs in, and what processes and the kernel do.

use crate::assets::panel::Panel;

pub(super) fn container() -> Vec<Panel> {
    let none = "Not in a container that has limits";
    vec![
        Panel::series(
            "Processors",
            "Processor time that the container used, in processors, and its limit as a dashed line.",
            8,
        )
        .query("sum by (instance) (rate(<cgroup.cpu.time>[$__rate_interval]))", "used · {{instance}}")
        .query("max by (instance) (<cgroup.cpu.limit>)", "limit · {{instance}}")
        .limits("/^limit/")
        .unit("short")
        .min(0)
        .when_empty(none),
        Panel::series(
            "Throttling",
            "The share of periods in which the container had to wait because it had used up its processors, and the time \
             that its threads waited, summed. Above a quarter, raise the limit.",
            8,
        )
        .query(
            "sum by (instance) (rate(<cgroup.cpu.throttled.periods>[$__rate_interval])) / (sum by (instance) \
             (rate(<cgroup.cpu.periods>[$__rate_interval])) > 0)",
            "periods · {{instance}}",
        )
        .query("sum by (instance) (rate(<cgroup.cpu.throttled.time>[$__rate_interval]))", "time · {{instance}}")
        .unit("percentunit")
        .min(0)
        .axis_to(0.25)
        .when_empty(none),
        Panel::series(
            "Stall time",
            "The share of time in which tasks of the container waited: some of them, or all at once (full).",
            8,
        )
        .query(
            "max by (instance, psi_resource, psi_stall_type) (rate(<cgroup.psi.stall_time>[$__rate_interval]))",
            "{{psi_resource}} {{psi_stall_type}} · {{instance}}",
        )
        .min(0)
        .axis_to(0.1)
        .when_empty(none),
        Panel::series(
            "Memory",
            "Memory of the container: all of it, without the cache that is given back first, without any cache, and \
             swapped out. The working set is what counts against the limit.",
            8,
        )
        .query("max by (instance) (<cgroup.memory.usage>)", "with cache · {{instance}}")
        .query("max by (instance) (<cgroup.memory.working_set>)", "working set · {{instance}}")
        .query("max by (instance) (<cgroup.memory.rss>)", "without files · {{instance}}")
        .query("max by (instance) (<cgroup.memory.swap.usage>)", "swapped out · {{instance}}")
        .query("max by (instance) (<cgroup.memory.limit>)", "limit · {{instance}}")
        .limits("/^limit/")
        .min(0)
        .when_empty(none),
        Panel::series(
            "Memory limits met",
            "How often the container met one of its limits, or the kernel ended a process for it (oom_kill). Good is 0.",
            8,
        )
        .query(
            "sum by (instance, cgroup_memory_event) (increase(<cgroup.memory.events>[$__rate_interval])) > 0",
            "{{cgroup_memory_event}} · {{instance}}",
        )
        .unit("short")
        .stacked_bars()
        .when_empty("No limit was met"),
        Panel::series("Tasks", "Tasks in the container and how many it may have.", 8)
            .query("max by (instance) (<cgroup.pids.usage>)", "tasks · {{instance}}")
            .query("max by (instance) (<cgroup.pids.limit>)", "limit · {{instance}}")
            .limits("/^limit/")
            .min(0)
            .when_empty(none),
    ]
}

pub(super) fn processes() -> Vec<Panel> {
    vec![
        Panel::series(
            "Processes by state",
            "Processes of the machine. Those that are blocked wait for a device and cannot be interrupted; many of them \
             mean a disk or a network file system that does not answer.",
            8,
        )
        .query("sum by (process_state) (<system.process.count>)", "{{process_state}}")
        .min(0),
        Panel::series("Made", "Processes and threads made each second.", 8)
            .query("sum by (instance) (rate(<system.process.created>[$__rate_interval]))", "{{instance}}")
            .min(0),
        Panel::series("Threads", "Threads of the machine, and how many it may have.", 8)
            .query("max by (instance) (<vitalsign.host.threads>)", "threads · {{instance}}")
            .query("max by (instance) (<system.process.limit>)", "limit · {{instance}}")
            .limits("/^limit/")
            .min(0),
        Panel::series(
            "Paging",
            "Pages read from swap space (in) and written to it (out). Steady traffic is memory that is missing.",
            8,
        )
        .query(
            "sum by (instance, system_paging_direction) (rate(<system.paging.operations>[$__rate_interval]))",
            "{{system_paging_direction}} · {{instance}}",
        )
        .min(0),
        Panel::series(
            "Faults",
            "Accesses to memory that was not mapped. Major ones had to be read from a disk.",
            8,
        )
        .query(
            "sum by (instance, system_paging_fault_type) (rate(<system.paging.faults>[$__rate_interval]))",
            "{{system_paging_fault_type}} · {{instance}}",
        )
        .min(0),
        Panel::series(
            "Open files",
            "Open files of the machine and their limit: only with the collector `file_descriptors`.",
            8,
        )
        .query("max by (instance) (<vitalsign.host.file_descriptors>)", "open · {{instance}}")
        .query("max by (instance) (<vitalsign.host.file_descriptors.limit>)", "limit · {{instance}}")
        .limits("/^limit/")
        .min(0)
        .when_empty("The collector file_descriptors is off"),
        Panel::series(
            "Clock",
            "What is still to be corrected, and how wrong the clock may be at most: only with the collector `clock`. \
             Without a program that keeps it right the latter grows to 16 s.",
            8,
        )
        .query("max by (instance) (<clock.max_error>)", "at most · {{instance}}")
        .query("max by (instance) (<clock.offset>)", "offset · {{instance}}")
        .unit("s")
        .when_empty("The collector clock is off"),
        Panel::states(
            "Clock synchronized",
            "Whether a program keeps the clock right: only with the collector `clock`. A clock that is not synchronized \
             makes timestamps, certificates and tokens wrong sooner or later.",
            8,
        )
        .query("min by (instance) (<clock.synchronized>)", "{{instance}}")
        .words(&[(1, "yes", "green"), (0, "no", "orange")])
        .when_empty("The collector clock is off"),
    ]
}

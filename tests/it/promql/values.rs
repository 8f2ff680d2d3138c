//! The values of the labels that have a closed set of them.

use std::collections::BTreeSet;

use vitalsign::{
    checks::KINDS,
    health::RESERVED_GROUPS,
    model::{Bound, Criticality, FUNCTION, Phase, Reason, State},
};

/// The sets that no list of the library names.
pub(super) const WORDS: &[(&str, &[&str])] = &[
    ("cgroup_memory_event", &["low", "high", "max", "oom", "oom_kill"]),
    ("cpu_mode", &["user", "nice", "system", "idle", "iowait", "interrupt", "steal"]),
    ("db_client_connection_state", &["idle", "used"]),
    ("disk_io_direction", &["read", "write"]),
    ("healthcheck_circuit_breaker_state", &["closed", "open", "half_open"]),
    ("healthcheck_level", &["warn", "fail"]),
    ("level", &["error", "warn", "info", "debug", "trace"]),
    ("network_io_direction", &["receive", "transmit"]),
    ("process_context_switch_type", &["voluntary", "involuntary"]),
    ("process_state", &["running", "sleeping", "stopped", "defunct", "blocked", "idle"]),
    ("psi_resource", &["cpu", "memory", "io", "irq"]),
    ("psi_stall_type", &["some", "full"]),
    ("system_filesystem_mode", &["rw", "ro"]),
    ("system_filesystem_state", &["used", "free", "reserved"]),
    ("system_memory_linux_slab_state", &["reclaimable", "unreclaimable"]),
    ("system_memory_state", &["used", "free", "cached", "buffers"]),
    ("system_paging_direction", &["in", "out"]),
    ("system_paging_fault_type", &["major", "minor"]),
    ("system_paging_state", &["used", "free"]),
    ("taskgroup_outcome", &["ok", "error", "cancelled", "panicked"]),
    ("url_scheme", &["http", "https"]),
    // Of Prometheus.
    ("alertstate", &["pending", "firing"]),
    ("severity", &["critical", "warning", "info", "none"]),
];

/// Why a series of a program's own or of a registry that joined is refused.
const SERIES_DROPPED: [&str; 5] = ["cardinality_limit", "invalid_name", "name_clash", "panic", "timeout"];

/// The values that `label` of the series `name` may have; `None` where the set is open.
pub(super) fn of(name: &str, label: &str) -> Option<BTreeSet<String>> {
    let words: Vec<&str> = match label {
        "healthcheck_state" => State::ALL.map(State::as_str).to_vec(),
        "healthcheck_criticality" => Criticality::ALL.map(Criticality::as_str).to_vec(),
        "healthcheck_phase" => Phase::ALL.map(Phase::as_str).to_vec(),
        "healthcheck_bound" => vec![Bound::Upper.as_str(), Bound::Lower.as_str()],
        "healthcheck_kind" => KINDS.iter().map(|kind| kind.name()).chain([FUNCTION]).collect(),
        // What a configuration adds is not for rules that everybody gets.
        "healthcheck_group" => RESERVED_GROUPS.to_vec(),
        // Of a request it is also a status code.
        "error_type" if !name.starts_with("http_") => Reason::ALL.map(Reason::as_str).to_vec(),
        "reason" if name.starts_with("vitalsign_series_dropped") => SERIES_DROPPED.to_vec(),
        "reason" if name.starts_with("vitalsign_otlp_") => {
            vec!["queue_full", "rejected", "corrupt", "missing", "expired"]
        }
        "outcome" if name.starts_with("vitalsign_otlp_") => vec!["sent", "rejected", "dropped"],
        "signal" => vec!["metrics", "traces"],
        _ => WORDS.iter().find(|(known, _)| *known == label)?.1.to_vec(),
    };
    Some(words.into_iter().map(str::to_owned).collect())
}

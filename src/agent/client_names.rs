//! The names that Prometheus' client libraries have for a process, which generic dashboards and alerts look for: second
//! names of what the collector `process` reads, so they go where it is switched off.
//!
//! The crate `prometheus` has a collector for them. It is not used: it would read everything a second time at each scrape,
//! counts processor time in whole seconds, and wants an older version of a crate that is here already.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::collect::process;
use crate::metrics::{Alias, Since, Store};
use crate::model::{Definition, Instrument};

static CPU: Definition = Definition {
    name: "process.cpu",
    instrument: Instrument::Counter,
    unit: "s",
    attributes: &[],
    help: "Total user and system CPU time spent in seconds.",
};
static OPEN_FDS: Definition = Definition {
    name: "process.open_fds",
    instrument: Instrument::Gauge,
    unit: "",
    attributes: &[],
    help: "Number of open file descriptors.",
};
static MAX_FDS: Definition = Definition {
    name: "process.max_fds",
    instrument: Instrument::Gauge,
    unit: "",
    attributes: &[],
    help: "Maximum number of open file descriptors.",
};
static VIRTUAL_MEMORY: Definition = Definition {
    name: "process.virtual_memory",
    instrument: Instrument::Gauge,
    unit: "By",
    attributes: &[],
    help: "Virtual memory size in bytes.",
};
static RESIDENT_MEMORY: Definition = Definition {
    name: "process.resident_memory",
    instrument: Instrument::Gauge,
    unit: "By",
    attributes: &[],
    help: "Resident memory size in bytes.",
};
static START_TIME: Definition = Definition {
    name: "process.start_time",
    instrument: Instrument::Gauge,
    unit: "s",
    attributes: &[],
    help: "Start time of the process since unix epoch in seconds.",
};
static THREADS: Definition = Definition {
    name: "process.threads",
    instrument: Instrument::Gauge,
    unit: "",
    attributes: &[],
    help: "Number of OS threads in the process.",
};

/// Shows this process on the page of `store` as client libraries do, from now on, which is about when it started.
pub(crate) fn show(store: &Store) {
    let read = |definition, values: &[&str]| store.observed_since(definition, values, Since::Process);
    let cpu = ["user", "system"].map(|mode| read(&process::CPU_TIME, &[mode]));
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    store.show_aliases(vec![
        Alias::of(&CPU, cpu.to_vec()),
        Alias::of(&MAX_FDS, vec![read(&process::OPEN_LIMIT, &[])]),
        Alias::of(&OPEN_FDS, vec![read(&process::OPEN, &[])]),
        Alias::of(&RESIDENT_MEMORY, vec![read(&process::MEMORY, &[])]),
        Alias::constant(&START_TIME, since_epoch.as_secs_f64()),
        Alias::of(&THREADS, vec![read(&process::THREADS, &[])]),
        Alias::of(&VIRTUAL_MEMORY, vec![read(&process::VIRTUAL, &[])]),
    ]);
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::metrics::{Format, Pages};

    #[test]
    fn what_was_read_has_a_second_name_on_the_page() {
        let store = Store::new();
        show(&store);
        let page = |format| {
            store.touch();
            let page = Pages::new(store.clone(), Vec::new()).page(Instant::now(), format, false);
            String::from_utf8(page.text().to_vec()).unwrap()
        };
        assert!(!page(Format::Text).contains("process_cpu_seconds_total"), "nothing was read yet");
        assert!(page(Format::Text).contains("\nprocess_start_time_seconds 1"));
        store.observed(&process::CPU_TIME, &["user"]).set(1.5);
        store.observed(&process::CPU_TIME, &["system"]).set(0.25);
        store.observed(&process::OPEN, &[]).set(12.0);
        let text = page(Format::Text);
        for line in [
            "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total 1.75\n",
            "# TYPE process_open_fds gauge\nprocess_open_fds 12\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
        let open = page(Format::OpenMetrics);
        for line in ["# TYPE process_cpu_seconds counter\n", "# UNIT process_cpu_seconds seconds\n"] {
            assert!(open.contains(line), "{open}");
        }
        assert!(open.contains("\nprocess_cpu_seconds_total 1.75\n"));
    }
}

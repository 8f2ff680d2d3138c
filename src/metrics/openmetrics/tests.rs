//! The page of every instrument, and what it has beside the text page.

use std::time::SystemTime;

use super::*;
use crate::metrics::{Since, Starts, Store};
use crate::model::SpanIds;

static RUNS: Definition = Definition {
    name: "check.runs",
    instrument: Instrument::Counter,
    unit: "{run}",
    attributes: &["check.name"],
    help: "Runs of \"all\" kinds",
};
static BUSY: Definition = Definition {
    name: "check.busy.time",
    instrument: Instrument::Counter,
    unit: "s",
    attributes: &[],
    help: "Time at work",
};
static SIZE: Definition = Definition {
    name: "check.size",
    instrument: Instrument::Gauge,
    unit: "By",
    attributes: &[],
    help: "How large it is",
};
static TOOK: Definition = Definition {
    name: "check.took",
    instrument: Instrument::Histogram(&[0.00005, 1.0]),
    unit: "s",
    attributes: &["check.name"],
    help: "How long it took",
};

fn page(store: &Store) -> String {
    let mut page = Vec::new();
    render_openmetrics(&store.snapshot(), &mut page);
    let text = String::from_utf8(page).unwrap();
    text.lines().filter(|line| !line.contains("vitalsign_series")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn renders_every_instrument_by_the_rules() {
    let store = Store::new();
    store.counter(&RUNS, &["a"]).add(3);
    store.observed(&BUSY, &[]).set(1.5);
    store.gauge(&SIZE, &[]).set(f64::INFINITY);
    store.histogram(&TOOK, &["a"]).observe(0.5);
    assert_eq!(
        page(&store),
        "# HELP check_busy_time_seconds Time at work\n\
         # TYPE check_busy_time_seconds counter\n\
         # UNIT check_busy_time_seconds seconds\n\
         check_busy_time_seconds_total 1.5\n\
         # HELP check_runs Runs of \\\"all\\\" kinds\n\
         # TYPE check_runs counter\n\
         check_runs_total{check_name=\"a\"} 3\n\
         # HELP check_size_bytes How large it is\n\
         # TYPE check_size_bytes gauge\n\
         # UNIT check_size_bytes bytes\n\
         check_size_bytes +Inf\n\
         # HELP check_took_seconds How long it took\n\
         # TYPE check_took_seconds histogram\n\
         # UNIT check_took_seconds seconds\n\
         check_took_seconds_bucket{check_name=\"a\",le=\"5e-05\"} 0\n\
         check_took_seconds_bucket{check_name=\"a\",le=\"1.0\"} 1\n\
         check_took_seconds_bucket{check_name=\"a\",le=\"+Inf\"} 1\n\
         check_took_seconds_sum{check_name=\"a\"} 0.5\n\
         check_took_seconds_count{check_name=\"a\"} 1\n\
         # EOF\n"
    );
}

#[test]
fn what_the_kernel_counts_was_created_when_the_machine_or_the_process_started() {
    static BYTES: Definition =
        Definition { name: "net.io", unit: "By", attributes: &["name", "kind"], ..BUSY };
    let store = Store::new();
    let at = |seconds| Some(UNIX_EPOCH + Duration::from_millis(seconds));
    store.observed_since(&BYTES, &["eth0", "in"], Since::Boot).set(7.0);
    store.observed_since(&BYTES, &["eth1", "in"], Since::Unknown).set(8.0);
    store.observed_since(&BUSY, &[], Since::Process).set(1.5);
    store.counter(&RUNS, &["a"]).add(3);
    assert!(!page(&store).contains("_created"), "nobody has said when that was");
    store.tell_starts(Starts { boot: at(1_700_000_000_000), process: at(1_700_000_100_250) });
    assert_eq!(
        page(&store),
        "# HELP check_busy_time_seconds Time at work\n\
         # TYPE check_busy_time_seconds counter\n\
         # UNIT check_busy_time_seconds seconds\n\
         check_busy_time_seconds_total 1.5\n\
         check_busy_time_seconds_created 1700000100.25\n\
         # HELP check_runs Runs of \\\"all\\\" kinds\n\
         # TYPE check_runs counter\n\
         check_runs_total{check_name=\"a\"} 3\n\
         # HELP net_io_bytes Time at work\n\
         # TYPE net_io_bytes counter\n\
         # UNIT net_io_bytes bytes\n\
         net_io_bytes_total{name=\"eth0\",kind=\"in\"} 7\n\
         net_io_bytes_created{name=\"eth0\",kind=\"in\"} 1700000000\n\
         net_io_bytes_total{name=\"eth1\",kind=\"in\"} 8\n\
         # EOF\n"
    );
    let mut text = Vec::new();
    crate::metrics::render(&store.snapshot(), &mut text);
    assert!(!String::from_utf8(text).unwrap().contains("_created"));
}

#[test]
fn a_bucket_shows_its_exemplar_here_and_not_in_the_text() {
    let store = Store::new();
    let took = store.histogram(&TOOK, &["a"]);
    let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    took.observe_in(0.25, Some(SpanIds { trace: [0xab; 16], span: [0x1; 8] }));
    let page = page(&store);
    let line = page.lines().find(|line| line.contains("le=\"1.0\"")).unwrap();
    let (count, exemplar) = line.split_once("} ").unwrap().1.split_once(" # ").unwrap();
    let at: f64 = exemplar.rsplit(' ').next().unwrap().parse().unwrap();
    assert_eq!(count, "1");
    let labels = format!("{{trace_id=\"{}\",span_id=\"{}\"}} 0.25 ", "ab".repeat(16), "01".repeat(8));
    assert!(exemplar.starts_with(&labels), "{line}");
    assert!((before - 0.001..before + 60.0).contains(&at), "{at}");
    assert_eq!(page.matches(" # ").count(), 1, "other buckets have none: {page}");
    let mut text = Vec::new();
    crate::metrics::render(&store.snapshot(), &mut text);
    assert!(!String::from_utf8(text).unwrap().contains("trace_id"));
}

#[test]
fn a_unit_that_the_name_does_not_end_in_is_left_out() {
    assert!(ends_in_unit("a_seconds", "seconds"));
    assert!(!ends_in_unit("a_seconds_spent", "seconds") && !ends_in_unit("milliseconds", "seconds"));
}

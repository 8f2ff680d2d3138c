//! Registries that clash, panic and hang, and the process metrics.

use std::sync::atomic::{AtomicBool, Ordering};

use prometheus::core::{Collector, Desc};
use prometheus::{Histogram, HistogramOpts, IntCounterVec, IntGauge, Opts};

use super::*;
use crate::metrics::Pages;
use crate::model::Definition;

static TOOK: Definition = Definition {
    name: "job.duration",
    instrument: Instrument::Histogram(&[1.0]),
    unit: "s",
    attributes: &[],
    help: "How long jobs took",
};

/// A store that waits however long a busy machine takes: what does not hang is always there.
fn patient() -> Store {
    let store = Store::new();
    store.foreign().0.lock().patience = Duration::from_secs(3600);
    store
}

fn page(store: &Store) -> String {
    let mut pages = Pages::new(store.clone(), Vec::new());
    String::from_utf8(pages.page(tokio::time::Instant::now(), Format::Text, false).text().to_vec()).unwrap()
}

/// How many series were dropped for `reason`, by a page made now.
fn dropped(store: &Store, reason: &str) -> u64 {
    let line = format!("vitalsign_series_dropped_total{{reason=\"{reason}\"}} ");
    let page = page(store);
    page.lines().find_map(|text| text.strip_prefix(&line)?.parse().ok()).unwrap_or_default()
}

fn gauge(name: &str) -> Box<IntGauge> {
    let gauge = IntGauge::new(name, "A number").unwrap();
    gauge.set(7);
    Box::new(gauge)
}

#[test]
fn a_registry_joins_behind_our_own_page() {
    let store = patient();
    store.histogram(&TOOK, &[]).observe(0.5);
    let registry = Registry::new();
    let placed = IntCounterVec::new(Opts::new("orders_placed_total", "Orders"), &["channel"]).unwrap();
    placed.with_label_values(&["we\"b"]).inc_by(3);
    let size = Histogram::with_opts(HistogramOpts::new("orders_size", "Sizes").buckets(vec![2.0])).unwrap();
    size.observe(1.0);
    registry.register(Box::new(placed)).unwrap();
    registry.register(Box::new(size)).unwrap();
    store.join(&registry).unwrap();
    let text = page(&store);
    let ours = text.find("job_duration_seconds_count 1\n").unwrap();
    let theirs = text.find("\n# TYPE orders_placed_total counter\n").unwrap();
    assert!(ours < theirs, "{text}");
    assert!(text.contains("\norders_placed_total{channel=\"we\\\"b\"} 3\n"), "{text}");
    assert!(text.contains("\norders_size_bucket{le=\"+Inf\"} 1\n"), "{text}");
}

#[test]
fn what_has_a_name_of_ours_is_left_out_and_counted_once() {
    let store = patient();
    store.histogram(&TOOK, &[]).observe(0.5);
    let (first, second) = (Registry::new(), Registry::new());
    first.register(gauge("job_duration_seconds_count")).unwrap();
    first.register(gauge("vitalsign_series")).unwrap();
    first.register(gauge("orders_open")).unwrap();
    second.register(gauge("orders_open")).unwrap();
    store.join(&first).unwrap();
    store.join(&second).unwrap();
    for _ in 0..3 {
        let text = page(&store);
        assert_eq!(text.matches("\njob_duration_seconds_count ").count(), 1, "{text}");
        assert_eq!(text.matches("\nvitalsign_series ").count(), 1, "{text}");
        assert_eq!(text.matches("\norders_open 7\n").count(), 1, "{text}");
    }
    assert_eq!(dropped(&store, "name_clash"), 3);
}

/// Hands out a family as it is, whatever its name; panics while told to.
struct Odd {
    family: MetricFamily,
    desc: Desc,
    panics: Arc<AtomicBool>,
}

impl Odd {
    fn join(name: &str, store: &Store) -> Arc<AtomicBool> {
        let inner = gauge("inner");
        let mut family = inner.collect().remove(0);
        family.set_name(name.to_owned());
        let panics = Arc::new(AtomicBool::new(false));
        let desc = Desc::new("odd".into(), "odd".into(), Vec::new(), Default::default()).unwrap();
        let registry = Registry::new();
        registry.register(Box::new(Self { family, desc, panics: Arc::clone(&panics) })).unwrap();
        store.join(&registry).unwrap();
        panics
    }
}

impl Collector for Odd {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        assert!(!self.panics.load(Ordering::Relaxed), "told to");
        vec![self.family.clone()]
    }
}

#[test]
fn what_is_no_name_is_left_out() {
    let store = patient();
    Odd::join("orders open\n", &store);
    assert!(!page(&store).contains("orders"));
    assert_eq!(dropped(&store, "invalid_name"), 1);
}

#[test]
fn a_collector_that_panics_costs_only_its_own_registry() {
    let store = patient();
    let panics = Odd::join("odd", &store);
    let registry = Registry::new();
    registry.register(gauge("orders_open")).unwrap();
    store.join(&registry).unwrap();
    let both = || {
        let text = page(&store);
        [text.contains("\nodd 7\n"), text.contains("\norders_open 7\n")]
    };
    assert_eq!(both(), [true, true]);
    panics.store(true, Ordering::Relaxed);
    assert_eq!(both(), [false, true]);
    panics.store(false, Ordering::Relaxed);
    assert_eq!(both(), [true, true]);
    assert_eq!(dropped(&store, "panic"), 1);
}

/// Answers only while the test lets it.
struct Held {
    gauge: Box<IntGauge>,
    gate: Arc<Mutex<()>>,
}

impl Collector for Held {
    fn desc(&self) -> Vec<&Desc> {
        self.gauge.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let _open = self.gate.lock();
        self.gauge.collect()
    }
}

#[test]
fn a_collector_that_hangs_is_left_out_until_it_is_back() {
    let store = Store::new();
    let gate = Arc::new(Mutex::new(()));
    let registry = Registry::new();
    registry.register(Box::new(Held { gauge: gauge("held"), gate: Arc::clone(&gate) })).unwrap();
    store.join(&registry).unwrap();
    let closed = gate.lock();
    for _ in 0..2 {
        let text = page(&store);
        assert!(text.contains("vitalsign_series ") && !text.contains("\nheld "), "{text}");
    }
    drop(closed);
    // The thread that gathers needs the time that it needs.
    assert!((0..1_000).any(|_| page(&store).contains("\nheld 7\n")), "it never came back");
}

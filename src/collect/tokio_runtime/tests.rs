//! A runtime that works, is late, and goes.

use std::sync::mpsc::channel;

use tokio::runtime::Builder;
use tokio::time::timeout;

use super::*;
use crate::metrics::{Format, Pages, violations};

fn page(store: &Store) -> String {
    let mut pages = Pages::new(store.clone(), Vec::new());
    String::from_utf8(pages.page(Instant::now(), Format::Text, false).text().to_vec()).unwrap()
}

fn value(store: &Store, series: &str) -> f64 {
    let text = page(store);
    let found = text.lines().find_map(|line| line.strip_prefix(series)?.trim_start().parse().ok());
    found.unwrap_or_else(|| panic!("{series} is not on {text}"))
}

#[test]
fn every_definition_keeps_the_rules() {
    assert_eq!(DEFINITIONS.iter().flat_map(|definition| violations(definition)).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn shows_a_runtime_until_it_is_dropped() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let store = Store::new();
    let (registered, other) = (
        RuntimeMetrics::register(&store, "main", runtime.handle()),
        RuntimeMetrics::register(&store, "other", runtime.handle()),
    );
    assert_eq!(value(&store, "tokio_workers{tokio_runtime_name=\"main\"}"), 2.0);
    assert!(value(&store, "tokio_alive_tasks{tokio_runtime_name=\"main\"}") >= 1.0, "the probes live");
    assert!(value(&store, "tokio_global_queue_depth{tokio_runtime_name=\"main\"}") >= 0.0);
    let worker = "{tokio_runtime_name=\"main\",tokio_worker_index=\"1\"}";
    assert!(value(&store, &format!("tokio_worker_busy_time_seconds_total{worker}")) >= 0.0);
    assert!(value(&store, &format!("tokio_worker_parks_total{worker}")) >= 0.0);
    drop(registered);
    let text = page(&store);
    assert!(!text.contains("\"main\"") && text.contains("\"other\""), "{text}");
    drop(other);
    runtime.block_on(async {
        let gone = async {
            while runtime.metrics().num_alive_tasks() > 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(20), gone).await.expect("the probes end with what was registered");
    });
}

#[test]
fn a_blocked_runtime_is_late() {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    let store = Store::new();
    let _registered = RuntimeMetrics::register(&store, "main", runtime.handle());
    let (_never, blocked) = channel::<()>();
    let work = supervisor::task_on(runtime.handle(), async move {
        // Blocks the only worker, as code does that should not be in a task.
        let _ = blocked.recv_timeout(Duration::from_millis(400));
        tokio::time::sleep(NAP * 2).await;
    });
    runtime.block_on(work).unwrap();
    let count = |le: &str| {
        value(&store, &format!("tokio_timer_delay_seconds_bucket{{tokio_runtime_name=\"main\",le=\"{le}\"}}"))
    };
    assert!(count("+Inf") - count("0.1") >= 1.0, "{}", page(&store));
}

#[tokio::test(start_paused = true)]
async fn an_idle_runtime_is_not() {
    let store = Store::new();
    let _registered = RuntimeMetrics::register(&store, "main", &Handle::current());
    tokio::time::sleep(NAP * 100).await;
    let count = |le: &str| {
        value(&store, &format!("tokio_timer_delay_seconds_bucket{{tokio_runtime_name=\"main\",le=\"{le}\"}}"))
    };
    assert!(count("+Inf") >= 99.0);
    assert_eq!(count("0.002"), count("+Inf"));
}

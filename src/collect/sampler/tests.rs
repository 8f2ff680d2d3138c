//! Collectors that hang, fail, panic and lose what they had.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;
use crate::metrics::render;
use crate::supervisor;

static VALUE: Definition = Definition {
    name: "test.value",
    instrument: Instrument::Counter,
    unit: "",
    attributes: &["collector.name", "part"],
    help: "A value",
};

/// Does what the next message says; answers nothing while it waits for one.
struct Told {
    name: &'static str,
    orders: Receiver<Order>,
    value: f64,
}

enum Order {
    Set(&'static [&'static str]),
    Fail,
    Panic,
}

impl Collector for Told {
    fn name(&self) -> &'static str {
        self.name
    }

    fn period(&self) -> Duration {
        Duration::ZERO
    }

    fn collect(&mut self, sheet: &mut Sheet) {
        self.value += 1.0;
        match self.orders.recv() {
            Ok(Order::Set(parts)) => {
                for part in parts {
                    sheet.set(&VALUE, &[self.name, part], self.value);
                }
            }
            Ok(Order::Fail) => sheet.fail(Reason::Denied, "not allowed"),
            Ok(Order::Panic) => panic!("told to"),
            Err(_) => {}
        }
    }
}

fn told(name: &'static str) -> (Sender<Order>, Box<dyn Collector>) {
    let (sender, orders) = channel();
    (sender, Box::new(Told { name, orders, value: 0.0 }))
}

/// For tests in which nothing hangs, however slow the machine is.
const PATIENT: Limits =
    Limits { patience: Duration::from_secs(3600), hangs_after: Duration::from_secs(3600) };

fn page(store: &Store) -> String {
    let mut page = Vec::new();
    render(&store.snapshot(), &mut page);
    String::from_utf8(page).unwrap()
}

#[test]
fn shows_what_was_read_and_drops_what_was_not() {
    let store = Store::new();
    let (orders, collector) = told("a");
    let sampler = Sampler::new(&store, vec![collector], PATIENT);
    orders.send(Order::Set(&["x", "y", "z"])).unwrap();
    sampler.sample();
    let text = page(&store);
    assert!(text.contains("test_value_total{collector_name=\"a\",part=\"y\"} 1\n"), "{text}");
    assert!(text.contains("vitalsign_collector_success{collector_name=\"a\"} 1\n"), "{text}");
    orders.send(Order::Set(&["z", "x"])).unwrap();
    sampler.sample();
    let text = page(&store);
    assert!(!text.contains("part=\"y\""), "{text}");
    assert!(text.contains("test_value_total{collector_name=\"a\",part=\"z\"} 2\n"), "{text}");
}

#[test]
fn errors_and_panics_are_counted_and_end_nothing() {
    let store = Store::new();
    let (orders, collector) = told("a");
    let sampler = Sampler::new(&store, vec![collector], PATIENT);
    for reason in ["denied", "not_found", "protocol", "_OTHER", "panic"] {
        let zero =
            format!("vitalsign_collector_errors_total{{collector_name=\"a\",error_type=\"{reason}\"}} 0\n");
        assert!(page(&store).contains(&zero), "{reason} is there before there was one");
    }
    for order in [Order::Fail, Order::Panic, Order::Fail] {
        orders.send(order).unwrap();
        sampler.sample();
        assert!(page(&store).contains("vitalsign_collector_success{collector_name=\"a\"} 0\n"));
    }
    let text = page(&store);
    let errors =
        |reason| format!("vitalsign_collector_errors_total{{collector_name=\"a\",error_type=\"{reason}\"}}");
    assert!(text.contains(&format!("{} 2\n", errors("denied"))), "{text}");
    assert!(text.contains(&format!("{} 1\n", errors("panic"))), "{text}");
}

#[test]
fn one_that_failed_and_works_again_says_so() {
    let store = Store::new();
    let (orders, collector) = told("a");
    let sampler = Sampler::new(&store, vec![collector], PATIENT);
    let series = "vitalsign_collector_last_success_timestamp_seconds{collector_name=\"a\"}";
    for order in [Order::Fail, Order::Panic] {
        orders.send(order).unwrap();
        sampler.sample();
        assert!(!page(&store).contains("test_value_total{"), "there is no number");
        orders.send(Order::Set(&["x"])).unwrap();
        sampler.sample();
        let text = page(&store);
        assert!(text.contains("vitalsign_collector_success{collector_name=\"a\"} 1\n"), "{text}");
        assert!(text.contains("test_value_total{collector_name=\"a\",part=\"x\"}"), "{text}");
        assert!(text.contains(series), "{text}");
    }
    let text = page(&store);
    let errors = |reason| {
        format!("vitalsign_collector_errors_total{{collector_name=\"a\",error_type=\"{reason}\"}} 1\n")
    };
    assert!(
        text.contains(&errors("denied")) && text.contains(&errors("panic")),
        "what was counted stays: {text}"
    );
}

#[test]
fn one_that_hangs_loses_its_numbers_and_delays_nobody() {
    let store = Store::new();
    let ((slow_orders, slow), (quick_orders, quick)) = (told("slow"), told("quick"));
    let limits = Limits { hangs_after: Duration::from_millis(300), ..PATIENT };
    let sampler = Arc::new(Sampler::new(&store, vec![slow, quick], limits));
    let both = |store: &Store| {
        let text = page(store);
        [text.contains("{collector_name=\"slow\",part"), text.contains("{collector_name=\"quick\",part")]
    };
    slow_orders.send(Order::Set(&["x"])).unwrap();
    quick_orders.send(Order::Set(&["x"])).unwrap();
    sampler.sample();
    assert_eq!(both(&store), [true, true]);

    let hangs = {
        let sampler = Arc::clone(&sampler);
        supervisor::thread("hangs", move || sampler.sample()).unwrap()
    };
    let runs = || sampler.pool.lock().running.as_ref().is_some_and(|running| running.name == "slow");
    while !runs() {
        std::thread::yield_now();
    }
    quick_orders.send(Order::Set(&["x"])).unwrap();
    sampler.sample();
    assert_eq!(both(&store), [false, true], "the slow one hangs");
    let text = page(&store);
    assert!(text.contains("vitalsign_collector_overruns_total{collector_name=\"slow\"} 1\n"), "{text}");
    assert!(text.contains("vitalsign_collector_success{collector_name=\"slow\"} 0\n"), "{text}");
    for _ in 0..3 {
        quick_orders.send(Order::Set(&["x"])).unwrap();
        sampler.sample();
    }
    assert!(page(&store).contains("test_value_total{collector_name=\"quick\",part=\"x\"} 5\n"));

    slow_orders.send(Order::Set(&["x"])).unwrap();
    hangs.join().unwrap();
    assert_eq!(both(&store), [false, true], "what it read while nobody waited is old");
    for orders in [&slow_orders, &quick_orders] {
        orders.send(Order::Set(&["x"])).unwrap();
    }
    sampler.sample();
    assert_eq!(both(&store), [true, true]);
}

#[test]
fn who_comes_meanwhile_waits_a_little_and_takes_what_there_is() {
    let store = Store::new();
    let (orders, collector) = told("a");
    let limits = Limits { patience: Duration::from_millis(50), ..PATIENT };
    let sampler = Arc::new(Sampler::new(&store, vec![collector], limits));
    orders.send(Order::Set(&["x"])).unwrap();
    sampler.sample();
    let slow = {
        let sampler = Arc::clone(&sampler);
        supervisor::thread("slow", move || sampler.sample()).unwrap()
    };
    while sampler.pool.lock().running.is_none() {
        std::thread::yield_now();
    }
    sampler.sample();
    let text = page(&store);
    assert!(text.contains("test_value_total{collector_name=\"a\",part=\"x\"} 1\n"), "{text}");
    orders.send(Order::Set(&["x"])).unwrap();
    slow.join().unwrap();
    let text = page(&store);
    assert!(text.contains("test_value_total{collector_name=\"a\",part=\"x\"} 2\n"), "it was in time: {text}");
    assert!(text.contains("vitalsign_collector_overruns_total{collector_name=\"a\"} 0\n"), "{text}");
}

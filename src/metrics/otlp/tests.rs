//! What a receiver reads in the batches.

mod attributes;
mod exemplars;
mod limits;
mod read;
mod temporality;

use std::time::{Duration, SystemTime};

use super::*;
use crate::metrics::{Store, prometheus_name};
use crate::model::{Definition, Instrument};

use read::{Point, Reading, read};

static UP: Definition = Definition {
    name: "healthcheck.up",
    instrument: Instrument::UpDownCounter,
    unit: "{check}",
    attributes: &["healthcheck.name", "healthcheck.kind"],
    help: "1 while the check stands",
};
static INTERVAL: Definition = Definition {
    name: "healthcheck.interval",
    instrument: Instrument::Gauge,
    unit: "s",
    attributes: &["healthcheck.name"],
    help: "Time between runs",
};
static RUNS: Definition = Definition {
    name: "healthcheck.runs",
    instrument: Instrument::Counter,
    unit: "{run}",
    attributes: &["healthcheck.name"],
    help: "Runs",
};
static CPU: Definition = Definition {
    name: "system.cpu.time",
    instrument: Instrument::Counter,
    unit: "s",
    attributes: &["cpu.mode"],
    help: "Time that processors spent",
};
static TOOK: Definition = Definition {
    name: "healthcheck.duration",
    instrument: Instrument::Histogram(&[0.5, 1.0]),
    unit: "s",
    attributes: &["healthcheck.name"],
    help: "How long runs took",
};

/// A moment well after any store of the tests began, so many seconds after the first.
fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000 + seconds)
}

/// The same as a point tells it.
fn nanos_at(seconds: u64) -> u64 {
    (4_000_000_000 + seconds) * 1_000_000_000
}

fn encode(encoder: &mut Encoder, store: &Store, seconds: u64) -> Reading {
    let mut batches = Vec::new();
    encoder.encode(&store.snapshot(), at(seconds), BATCH_LIMIT, &mut |batch| batches.push(batch.clone()));
    assert!(batches.len() <= 1, "{} batches", batches.len());
    read(&batches)
}

#[test]
fn every_instrument_arrives_as_what_it_is() {
    let store = Store::new();
    store.gauge(&UP, &["db", "postgres"]).set(1.0);
    store.gauge(&INTERVAL, &["db"]).set(0.1 + 0.2);
    store.counter(&RUNS, &["db"]).add(7);
    store.observed(&CPU, &["user"]).set(12.5);
    let took = store.histogram(&TOOK, &["db"]);
    for seconds in [0.5, 0.75, 3.0, 4.0] {
        took.observe(seconds);
    }
    let reading = encode(&mut Encoder::new(&[], Temporality::Cumulative), &store, 0);
    for definition in [&UP, &INTERVAL, &RUNS, &CPU, &TOOK] {
        let metric = reading.metric(definition.name);
        assert_eq!((&*metric.description, &*metric.unit), (definition.help, definition.unit));
    }
    assert_eq!(reading.metric("healthcheck.up").kind, "sum cumulative");
    assert_eq!(reading.metric("healthcheck.interval").kind, "gauge");
    assert_eq!(reading.metric("healthcheck.runs").kind, "sum cumulative monotonic");
    assert_eq!(reading.metric("system.cpu.time").kind, "sum cumulative monotonic");
    assert_eq!(reading.metric("healthcheck.duration").kind, "histogram cumulative");

    let up = reading.only("healthcheck.up");
    assert_eq!(up.attributes, ["healthcheck.name=db", "healthcheck.kind=postgres"]);
    assert_eq!((up.value.as_str(), up.time), ("1.0", nanos_at(0)));
    assert_eq!(reading.only("healthcheck.interval").value, "0.30000000000000004");
    assert_eq!(reading.only("healthcheck.interval").start, 0, "a gauge counts since nothing");
    assert_eq!(reading.only("healthcheck.runs").value, "7");
    assert_eq!(reading.only("system.cpu.time").value, "12.5");
    let took = reading.only("healthcheck.duration");
    assert_eq!(took.value, "4 summing to 8.25 in [1, 1, 2] over [0.5, 1.0]");
}

#[test]
fn the_request_says_who_sends() {
    let text = |name: &str, value: &str| Attribute {
        name: name.to_owned(),
        value: AttributeValue::Text(value.to_owned()),
    };
    let pid = Attribute { name: "process.pid".to_owned(), value: AttributeValue::Integer(4_194_304) };
    let attributes = [text("service.name", "orders"), pid, text("note", &"ü".repeat(10_000))];
    let store = Store::new();
    let mut encoder = Encoder::new(&resource(&attributes), Temporality::Cumulative);
    let reading = encode(&mut encoder, &store, 0);
    let expected: Vec<String> = attributes.iter().map(|a| format!("{}={}", a.name, a.value)).collect();
    assert_eq!(reading.resource, expected);
    assert_eq!(reading.scope, ("vitalsign".to_owned(), env!("CARGO_PKG_VERSION").to_owned()));
    assert_eq!(reading.schemas, (SCHEMA_URL.to_owned(), SCHEMA_URL.to_owned()));
}

#[test]
fn what_the_process_is_is_not_sent_as_a_metric() {
    let store = Store::new();
    let mut scope = store.scope();
    scope.describe(&[]);
    let names = encode(&mut Encoder::new(&[], Temporality::Cumulative), &store, 0).names();
    assert_eq!(names, ["vitalsign.series", "vitalsign.series.dropped"]);
}

#[test]
fn a_series_starts_when_it_was_made() {
    let before = nanos(SystemTime::now());
    let store = Store::new();
    store.counter(&RUNS, &["db"]).increment();
    let after = nanos(SystemTime::now());
    let mut encoder = Encoder::new(&[], Temporality::Cumulative);
    let start = encode(&mut encoder, &store, 0).only("healthcheck.runs").start;
    // Births are told in ticks.
    assert!(before - 100_000_000 < start && start <= after, "{before} {start} {after}");
    assert_eq!(encode(&mut encoder, &store, 60).only("healthcheck.runs").start, start);
}

#[test]
fn absent_means_absent_and_an_end_is_told_once() {
    let store = Store::new();
    let mut encoder = Encoder::new(&[], Temporality::Cumulative);
    let interval = store.gauge(&INTERVAL, &["db"]);
    let names = encode(&mut encoder, &store, 0).names();
    assert_eq!(names, ["vitalsign.series", "vitalsign.series.dropped"], "no value yet");
    interval.set(1.0);
    assert_eq!(encode(&mut encoder, &store, 1).only("healthcheck.interval").value, "1.0");
    interval.clear();
    let end = encode(&mut encoder, &store, 2).only("healthcheck.interval").clone();
    let attributes = vec!["healthcheck.name=db".to_owned()];
    assert_eq!(
        end,
        Point {
            attributes,
            start: 0,
            time: nanos_at(2),
            value: "no value".to_owned(),
            exemplars: Vec::new()
        }
    );
    assert!(!encode(&mut encoder, &store, 3).names().contains(&"healthcheck.interval".to_owned()));
    interval.set(2.0);
    assert_eq!(encode(&mut encoder, &store, 4).only("healthcheck.interval").value, "2.0");
}

#[test]
fn a_series_that_goes_is_ended_and_starts_anew_when_it_comes_back() {
    let store = Store::new();
    let mut encoder = Encoder::new(&[], Temporality::Cumulative);
    let _stays = store.counter(&RUNS, &["stays"]);
    let fill = |name: &str| {
        let mut scope = store.scope();
        scope.counter(&RUNS, &[name]).add(3);
        scope.histogram(&TOOK, &[name]).observe(1.0);
        scope
    };
    let (first, other) = (fill("a"), fill("b"));
    encode(&mut encoder, &store, 0);
    drop(first);
    let values = |reading: &Reading, name: &str| -> Vec<String> {
        reading.metric(name).points.iter().map(|p| format!("{} {}", p.attributes[0], p.value)).collect()
    };
    let reading = encode(&mut encoder, &store, 10);
    let with_end = ["healthcheck.name=b 3", "healthcheck.name=stays 0", "healthcheck.name=a no value"];
    assert_eq!(values(&reading, "healthcheck.runs"), with_end);
    assert_eq!(values(&reading, "healthcheck.duration")[1], "healthcheck.name=a no value");
    drop(other);
    let reading = encode(&mut encoder, &store, 20);
    assert_eq!(
        values(&reading, "healthcheck.duration"),
        ["healthcheck.name=b no value"],
        "the last of its family"
    );
    let names = encode(&mut encoder, &store, 30).names();
    assert!(!names.contains(&"healthcheck.duration".to_owned()), "an end is told once");
    let _again = fill("a");
    let reading = encode(&mut encoder, &store, 40);
    assert_eq!(values(&reading, "healthcheck.runs"), ["healthcheck.name=a 3", "healthcheck.name=stays 0"]);
    assert_eq!(
        reading.metric("healthcheck.runs").points[0].start,
        nanos_at(30),
        "not before what was told last"
    );
}

#[test]
fn a_series_made_anew_between_two_snapshots_has_no_end_unless_it_has_no_value() {
    let store = Store::new();
    let mut encoder = Encoder::new(&[], Temporality::Cumulative);
    let mut old = store.scope();
    old.gauge(&INTERVAL, &["db"]).set(1.0);
    old.counter(&RUNS, &["db"]).add(5);
    let first = encode(&mut encoder, &store, 0);
    drop(old);
    let mut new = store.scope();
    let interval = new.gauge(&INTERVAL, &["db"]);
    new.counter(&RUNS, &["db"]).add(2);
    let second = encode(&mut encoder, &store, 10);
    assert_eq!(second.only("healthcheck.interval").value, "no value");
    assert_eq!(second.only("healthcheck.runs").value, "2");
    assert!(first.only("healthcheck.runs").start < second.only("healthcheck.runs").start);
    interval.set(3.0);
    assert_eq!(encode(&mut encoder, &store, 20).only("healthcheck.interval").value, "3.0");
}

#[test]
fn a_clock_that_is_set_back_makes_no_start_after_its_point() {
    let store = Store::new();
    store.counter(&RUNS, &["db"]).add(1);
    let mut encoder = Encoder::new(&[], Temporality::Cumulative);
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(10);
    let mut batches = Vec::new();
    encoder.encode(&store.snapshot(), long_ago, BATCH_LIMIT, &mut |batch| batches.push(batch.clone()));
    let point = read(&batches).only("healthcheck.runs").clone();
    assert_eq!((point.start, point.time), (10_000_000_000, 10_000_000_000));
}

#[test]
fn the_name_translates_to_the_one_of_the_page() {
    let store = Store::new();
    store.counter(&RUNS, &["db"]).add(1);
    let reading = encode(&mut Encoder::new(&[], Temporality::Cumulative), &store, 0);
    let metric = reading.metric("healthcheck.runs");
    let name = metric.name.clone().leak();
    let read = Definition { name, unit: metric.unit.clone().leak(), ..RUNS };
    assert_eq!(prometheus_name(&read), "healthcheck_runs_total");
}

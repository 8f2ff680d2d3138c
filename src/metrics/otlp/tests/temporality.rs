//! Deltas: nothing counted twice, nothing left out.

use super::*;
use crate::metrics::{Since, Starts};

/// The value and the start of the one point of a metric.
fn shown(reading: &Reading, name: &str) -> (String, String, u64) {
    let point = reading.only(name);
    (reading.metric(name).kind.clone(), point.value.clone(), point.start)
}

#[test]
fn deltas_say_what_came_since_the_point_before() {
    let store = Store::new();
    let mut encoder = Encoder::new(&[], Temporality::Delta);
    let (runs, took) = (store.counter(&RUNS, &["db"]), store.histogram(&TOOK, &["db"]));
    store.gauge(&UP, &["db", "tcp"]).set(1.0);
    runs.add(5);
    took.observe(0.25);
    let first = encode(&mut encoder, &store, 0);
    assert_eq!(first.only("healthcheck.runs").value, "5");
    runs.add(2);
    took.observe(0.75);
    took.observe(8.0);
    let second = encode(&mut encoder, &store, 10);
    let (kind, value, start) = shown(&second, "healthcheck.runs");
    assert_eq!((&*kind, &*value, start), ("sum delta monotonic", "2", nanos_at(0)));
    let (kind, value, start) = shown(&second, "healthcheck.duration");
    assert_eq!(kind, "histogram delta");
    assert_eq!((&*value, start), ("2 summing to 8.75 in [0, 1, 1] over [0.5, 1.0]", nanos_at(0)));
    assert_eq!(second.metric("healthcheck.up").kind, "sum cumulative", "it may shrink");
    assert_eq!(first.only("healthcheck.up").start, second.only("healthcheck.up").start);
    let third = encode(&mut encoder, &store, 20);
    let (_, value, start) = shown(&third, "healthcheck.runs");
    assert_eq!((&*value, start), ("0", nanos_at(10)), "nothing came");
}

#[test]
fn deltas_follow_their_series_when_others_come_and_go() {
    let store = Store::new();
    let mut encoder = Encoder::new(&[], Temporality::Delta);
    let mut scope = store.scope();
    let (_first, stays) = (scope.counter(&RUNS, &["a"]), store.counter(&RUNS, &["b"]));
    let took = store.histogram(&TOOK, &["b"]);
    stays.add(5);
    took.observe(0.25);
    encode(&mut encoder, &store, 0);
    drop(scope);
    let _new = (store.counter(&RUNS, &["c"]), store.histogram(&TOOK, &["a"]));
    stays.add(1);
    took.observe(0.25);
    let reading = encode(&mut encoder, &store, 10);
    let of = |name: &str| {
        let b = ["healthcheck.name=b"];
        reading.metric(name).points.iter().find(|point| point.attributes == b).unwrap().value.clone()
    };
    assert_eq!(of("healthcheck.runs"), "1");
    assert_eq!(of("healthcheck.duration"), "1 summing to 0.25 in [1, 0, 0] over [0.5, 1.0]");
}

#[test]
fn what_others_count_starts_when_it_is_first_seen_and_when_it_falls() {
    for temporality in [Temporality::Cumulative, Temporality::LowMemory] {
        let store = Store::new();
        let mut encoder = Encoder::new(&[], temporality);
        let cpu = store.observed(&CPU, &["user"]);
        let mut expect = |seconds, count: f64, start| {
            cpu.set(count);
            let expected = ("sum cumulative monotonic".to_owned(), format!("{count:?}"), nanos_at(start));
            assert_eq!(shown(&encode(&mut encoder, &store, seconds), "system.cpu.time"), expected);
        };
        expect(0, 1000.0, 0);
        expect(10, 1001.0, 0);
        expect(20, 3.0, 10);
        expect(30, 4.0, 10);
    }
}

#[test]
fn what_the_kernel_counts_starts_with_the_machine() {
    let store = Store::new();
    store.tell_starts(Starts { boot: Some(at(0)), process: Some(at(1)) });
    let mut encoder = Encoder::new(&[], Temporality::Cumulative);
    let owned = store.owned(&CPU, &["user"], Since::Boot);
    let expect = |encoder: &mut Encoder, seconds, count: f64, start| {
        let expected = ("sum cumulative monotonic".to_owned(), format!("{count:?}"), nanos_at(start));
        assert_eq!(shown(&encode(encoder, &store, seconds), "system.cpu.time"), expected);
    };
    owned.set(1000.0);
    expect(&mut encoder, 100, 1000.0, 0);
    owned.clear();
    encode(&mut encoder, &store, 110);
    owned.set(1001.0);
    expect(&mut encoder, 120, 1001.0, 0);
    owned.set(3.0);
    expect(&mut encoder, 130, 3.0, 120);
    // Another that takes its place between two pushes does not begin before what was sent of the first.
    drop(owned);
    let again = store.owned(&CPU, &["user"], Since::Boot);
    again.set(5.0);
    expect(&mut encoder, 140, 5.0, 130);
    drop(again);
    let process = store.owned(&CPU, &["user"], Since::Process);
    process.set(9.0);
    expect(&mut Encoder::new(&[], Temporality::Cumulative), 150, 9.0, 1);
}

#[test]
fn deltas_of_what_others_count_begin_with_nothing() {
    let store = Store::new();
    let mut encoder = Encoder::new(&[], Temporality::Delta);
    let cpu = store.observed(&CPU, &["user"]);
    let mut expect = |seconds, count: f64, delta: f64, start| {
        cpu.set(count);
        let expected = ("sum delta monotonic".to_owned(), format!("{delta:?}"), nanos_at(start));
        assert_eq!(shown(&encode(&mut encoder, &store, seconds), "system.cpu.time"), expected);
    };
    expect(0, 1000.0, 0.0, 0);
    expect(10, 1001.5, 1.5, 0);
    expect(20, 3.0, 3.0, 10);
    expect(30, 3.0, 0.0, 20);
}

#[test]
fn low_memory_has_deltas_of_what_is_counted_here() {
    let store = Store::new();
    let mut encoder = Encoder::new(&[], Temporality::LowMemory);
    store.counter(&RUNS, &["db"]).add(1);
    store.histogram(&TOOK, &["db"]).observe(1.0);
    let reading = encode(&mut encoder, &store, 0);
    assert_eq!(reading.metric("healthcheck.runs").kind, "sum delta monotonic");
    assert_eq!(reading.metric("healthcheck.duration").kind, "histogram delta");
}

#[test]
fn the_last_delta_of_a_series_that_goes_is_told() {
    for temporality in [Temporality::Delta, Temporality::LowMemory] {
        let store = Store::new();
        let mut encoder = Encoder::new(&[], temporality);
        let mut scope = store.scope();
        let (runs, took, cpu) =
            (scope.counter(&RUNS, &["a"]), scope.histogram(&TOOK, &["a"]), scope.observed(&CPU, &["user"]));
        let _stays = store.counter(&RUNS, &["b"]);
        runs.add(5);
        took.observe(0.25);
        cpu.set(100.0);
        encode(&mut encoder, &store, 0);
        runs.add(2);
        took.observe(0.75);
        cpu.set(101.5);
        drop(scope);
        let last = encode(&mut encoder, &store, 10);
        let ended = &last.metric("healthcheck.runs").points[1];
        assert_eq!(
            (ended.attributes.as_slice(), &*ended.value),
            (&["healthcheck.name=a".to_owned()][..], "2")
        );
        assert_eq!((ended.start, ended.time), (nanos_at(0), nanos_at(10)));
        let (_, value, start) = shown(&last, "healthcheck.duration");
        assert_eq!((&*value, start), ("1 summing to 0.75 in [0, 1, 0] over [0.5, 1.0]", nanos_at(0)));
        let cpu = last.only("system.cpu.time").value.clone();
        assert_eq!(cpu, if temporality == Temporality::Delta { "1.5" } else { "no value" });
        let after = encode(&mut encoder, &store, 20);
        assert_eq!(after.names(), ["healthcheck.runs", "vitalsign.series", "vitalsign.series.dropped"]);
        assert_eq!(after.only("healthcheck.runs").value, "0", "of the one that stays");
    }
}

#[test]
fn one_in_the_place_of_another_tells_the_rest_of_that_too() {
    let store = Store::new();
    let mut encoder = Encoder::new(&[], Temporality::Delta);
    let mut scope = store.scope();
    let (runs, took) = (scope.counter(&RUNS, &["a"]), scope.histogram(&TOOK, &["a"]));
    runs.add(5);
    took.observe(0.25);
    encode(&mut encoder, &store, 0);
    runs.add(2);
    took.observe(0.25);
    drop(scope);
    let (runs, took) = (store.counter(&RUNS, &["a"]), store.histogram(&TOOK, &["a"]));
    runs.add(10);
    took.observe(3.0);
    let second = encode(&mut encoder, &store, 10);
    let (_, value, start) = shown(&second, "healthcheck.runs");
    assert_eq!((&*value, start), ("12", nanos_at(0)));
    let (_, value, start) = shown(&second, "healthcheck.duration");
    assert_eq!((&*value, start), ("2 summing to 3.25 in [1, 0, 1] over [0.5, 1.0]", nanos_at(0)));
    runs.add(1);
    let third = encode(&mut encoder, &store, 20);
    assert_eq!(third.only("healthcheck.runs").value, "1");
    assert_eq!(third.only("healthcheck.duration").value, "0 summing to 0.0 in [0, 0, 0] over [0.5, 1.0]");
}

#[test]
fn the_first_delta_starts_with_its_series_or_the_point_before() {
    let store = Store::new();
    let mut encoder = Encoder::new(&[], Temporality::Delta);
    let early = store.counter(&RUNS, &["a"]);
    early.add(1);
    let first = encode(&mut encoder, &store, 0);
    assert!((1..nanos_at(0)).contains(&first.only("healthcheck.runs").start), "when it was made");
    store.counter(&RUNS, &["b"]).add(7);
    let second = encode(&mut encoder, &store, 10);
    let [_, b] = &*second.metric("healthcheck.runs").points else { panic!("{second:?}") };
    assert_eq!((&*b.value, b.start), ("7", nanos_at(0)), "never before the points that were sent already");
}

//! What comes onto the page, what goes from it, and what never gets there.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::metrics::render;

static UP: Definition = Definition {
    name: "healthcheck.up",
    instrument: Instrument::UpDownCounter,
    unit: "{check}",
    attributes: &["healthcheck.name"],
    help: "1 while the check stands",
};
static TOOK: Definition = Definition {
    name: "healthcheck.duration",
    instrument: Instrument::Histogram(&[0.5, 1.0]),
    unit: "s",
    attributes: &["healthcheck.name"],
    help: "How long runs took",
};
static PLAIN: Definition = Definition {
    name: "plain.runs",
    instrument: Instrument::Counter,
    unit: "",
    attributes: &[],
    help: "Runs",
};

fn page(store: &Store) -> String {
    let mut page = Vec::new();
    render(&store.snapshot(), &mut page);
    let text = String::from_utf8(page).unwrap();
    text.lines().filter(|line| !line.contains("vitalsign_series")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn renders_every_instrument() {
    let store = Store::new();
    store.gauge(&UP, &["b"]).set(0.1 + 0.2);
    store.gauge(&UP, &["a"]).set_bool(true);
    store.counter(&PLAIN, &[]).add(3);
    let took = store.histogram(&TOOK, &["a"]);
    took.observe(0.5);
    took.observe(2.0);
    took.observe(f64::NAN);
    assert_eq!(
        page(&store),
        "# HELP healthcheck_duration_seconds How long runs took\n\
         # TYPE healthcheck_duration_seconds histogram\n\
         healthcheck_duration_seconds_bucket{healthcheck_name=\"a\",le=\"0.5\"} 1\n\
         healthcheck_duration_seconds_bucket{healthcheck_name=\"a\",le=\"1\"} 1\n\
         healthcheck_duration_seconds_bucket{healthcheck_name=\"a\",le=\"+Inf\"} 2\n\
         healthcheck_duration_seconds_sum{healthcheck_name=\"a\"} 2.5\n\
         healthcheck_duration_seconds_count{healthcheck_name=\"a\"} 2\n\
         # HELP healthcheck_up 1 while the check stands\n\
         # TYPE healthcheck_up gauge\n\
         healthcheck_up{healthcheck_name=\"a\"} 1\n\
         healthcheck_up{healthcheck_name=\"b\"} 0.30000000000000004\n\
         # HELP plain_runs_total Runs\n\
         # TYPE plain_runs_total counter\n\
         plain_runs_total 3\n"
    );
}

#[test]
fn numbers_below_zero_keep_their_sign() {
    let store = Store::new();
    let gauge = store.gauge(&UP, &["a"]);
    for (value, text) in [
        (-1.0, "-1"),
        (-42.0, "-42"),
        (-1_000.0, "-1000"),
        (-0.5, "-0.5"),
        (-9_007_199_254_740_991.0, "-9007199254740991"),
        (f64::NEG_INFINITY, "-Inf"),
    ] {
        gauge.set(value);
        let page = page(&store);
        assert!(page.ends_with(&format!("healthcheck_up{{healthcheck_name=\"a\"}} {text}\n")), "{page}");
    }
}

#[test]
fn absent_means_absent() {
    let store = Store::new();
    let up = store.gauge(&UP, &["a"]);
    assert_eq!(page(&store), "", "neither a value nor a header before the first value");
    up.set(f64::NEG_INFINITY);
    assert!(page(&store).ends_with("healthcheck_up{healthcheck_name=\"a\"} -Inf\n"));
    up.clear();
    assert_eq!(page(&store), "");
}

#[test]
fn a_scope_takes_its_series_along() {
    let store = Store::new();
    let mut scope = store.scope();
    let up = scope.gauge(&UP, &["a"]);
    up.set(1.0);
    assert!(page(&store).contains("healthcheck_up{"));
    drop(scope);
    up.set(2.0);
    assert_eq!(page(&store), "", "a handle that outlives its series records into nothing");
}

#[test]
fn a_series_of_two_scopes_stays_until_both_are_gone() {
    let store = Store::new();
    let (mut old, mut new) = (store.scope(), store.scope());
    old.gauge(&UP, &["a"]).set(1.0);
    let again = new.gauge(&UP, &["a"]);
    drop(old);
    again.set(2.0);
    assert!(page(&store).ends_with("healthcheck_up{healthcheck_name=\"a\"} 2\n"));
    drop(new);
    assert_eq!(page(&store), "");
}

#[test]
fn series_beyond_the_limit_are_refused_and_counted() {
    let store = Store::with_limit(4);
    store.gauge(&UP, &["a"]).set(1.0);
    store.gauge(&UP, &["b"]).set(1.0);
    store.gauge(&UP, &["a"]).set(3.0);
    let mut text = Vec::new();
    render(&store.snapshot(), &mut text);
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("healthcheck_up{healthcheck_name=\"a\"} 3\n"), "{text}");
    assert!(!text.contains("\"b\""), "{text}");
    assert!(text.contains("vitalsign_series_dropped_total{reason=\"cardinality_limit\"} 1\n"), "{text}");
}

#[test]
fn series_that_come_and_go_at_once_are_moved_a_few_times_each_however_many_they_are() {
    use crate::metrics::snapshot::MOVES;
    for many in [1_000, 10_000, 50_000] {
        let store = Store::new();
        let before = MOVES.with(std::cell::Cell::get);
        let owned: Vec<_> =
            (0..many).map(|name| store.owned(&UP, &[&name.to_string()], Since::Unknown)).collect();
        assert_eq!(store.snapshot().definitions().count(), 3);
        assert!(MOVES.with(std::cell::Cell::get) - before <= 12 * many, "{many} came");
        let before = MOVES.with(std::cell::Cell::get);
        drop(owned);
        drop(store.snapshot());
        assert!(MOVES.with(std::cell::Cell::get) - before <= 12 * many, "{many} went");
    }
}

proptest! {
    #[test]
    fn the_page_has_what_somebody_owns(steps in vec((0_u8..60, 0_u8..4), 0..400)) {
        let store = Store::new();
        let mut owned: Vec<(u8, Scope)> = Vec::new();
        for (index, step) in steps {
            match step {
                0 if !owned.is_empty() => drop(owned.swap_remove(usize::from(index) % owned.len())),
                1 => drop(store.snapshot()),
                _ => {
                    let mut scope = store.scope();
                    scope.gauge(&UP, &[&index.to_string()]).set(index.into());
                    owned.push((index, scope));
                }
            }
        }
        let mut lines: Vec<_> =
            owned.iter().map(|(index, _)| format!("healthcheck_up{{healthcheck_name=\"{index}\"}} {index}")).collect();
        lines.sort_by(|a, b| a.split('}').next().cmp(&b.split('}').next()));
        lines.dedup();
        let page = page(&store);
        prop_assert_eq!(page.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>(), lines);
    }
}

//! Batches stay below their limit, and what is split is all there.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A store with a series of each metric for each name.
fn store(names: &[String]) -> Store {
    let store = Store::new();
    for name in names {
        store.gauge(&INTERVAL, &[name]).set(1.5);
        store.counter(&RUNS, &[name]).add(3);
        store.histogram(&TOOK, &[name]).observe(0.75);
    }
    store
}

fn batches(store: &Store, limit: usize) -> Vec<Batch> {
    let attribute =
        Attribute { name: "service.name".to_owned(), value: AttributeValue::Text("orders".to_owned()) };
    let mut encoder = Encoder::new(&resource(&[attribute]), Temporality::Cumulative);
    let mut batches = Vec::new();
    encoder.encode(&store.snapshot(), at(0), limit, &mut |batch| batches.push(batch.clone()));
    batches
}

/// A batch in its single points.
fn single_points(batch: Batch) -> Vec<Batch> {
    match split(&batch.bytes) {
        Some((first, second)) => {
            assert_eq!(first.points + second.points, batch.points);
            assert!(first.bytes.len() < batch.bytes.len() && second.bytes.len() < batch.bytes.len());
            [single_points(first), single_points(second)].concat()
        }
        None => vec![batch],
    }
}

fn names() -> impl Strategy<Value = Vec<String>> {
    let long = (any::<char>(), 0_usize..2000).prop_map(|(c, length)| c.to_string().repeat(length));
    vec(prop_oneof!["[a-z]{1,20}", long], 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn batches_keep_the_limit_and_leave_nothing_out(names in names(), limit in 0_usize..6000) {
        let store = store(&names);
        let whole = batches(&store, BATCH_LIMIT);
        prop_assert_eq!(whole.len(), 1);
        let parts = batches(&store, limit);
        for part in &parts {
            prop_assert!(part.bytes.len() <= limit || part.points == 1, "{} bytes", part.bytes.len());
        }
        prop_assert_eq!(read(&parts), read(&whole));
    }

    #[test]
    fn halves_have_everything(names in names()) {
        let whole = batches(&store(&names), BATCH_LIMIT).pop().unwrap();
        let points = single_points(whole.clone());
        prop_assert!(points.iter().all(|batch| batch.points == 1));
        prop_assert_eq!(points.len(), whole.points);
        prop_assert_eq!(read(&points), read(&[whole]));
    }

    #[test]
    fn halves_are_about_equal(count in 2_usize..200) {
        let names: Vec<String> = (0..count).map(|index| format!("check-{index:03}")).collect();
        let whole = batches(&store(&names), BATCH_LIMIT).pop().unwrap();
        let (first, second) = split(&whole.bytes).unwrap();
        // A point here or there, and what both have to say.
        prop_assert!(first.bytes.len().abs_diff(second.bytes.len()) < 600, "{} {}", first.bytes.len(), second.bytes.len());
    }

    #[test]
    fn what_is_no_batch_is_not_split(bytes in vec(any::<u8>(), 0..300), at in any::<prop::sample::Index>()) {
        if let Some((first, second)) = split(&bytes) {
            prop_assert!(first.points > 0 && second.points > 0);
        }
        let whole = batches(&store(&["db".to_owned()]), BATCH_LIMIT).pop().unwrap().bytes;
        prop_assert_eq!(split(&whole[..at.index(whole.len())]), None, "cut off");
    }
}

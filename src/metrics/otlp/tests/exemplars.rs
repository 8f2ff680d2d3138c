//! From a distribution to the span that an observation was made in.

use super::*;
use crate::model::SpanIds;

const FIRST: SpanIds = SpanIds { trace: [1; 16], span: [2; 8] };
const SECOND: SpanIds = SpanIds { trace: [3; 16], span: [0xf4; 8] };

/// The ids and values, the smallest first.
fn shown(reading: &Reading) -> Vec<(Vec<u8>, Vec<u8>, f64)> {
    use opentelemetry_proto::tonic::metrics::v1::exemplar::Value;
    let exemplars = reading.only("healthcheck.duration").exemplars.iter();
    let mut shown: Vec<_> = exemplars
        .map(|each| {
            let Some(Value::AsDouble(value)) = each.value else { panic!("{each:?}") };
            (each.trace_id.clone(), each.span_id.clone(), value)
        })
        .collect();
    shown.sort_by(|one, other| one.2.total_cmp(&other.2));
    shown
}

fn exemplar(ids: SpanIds, value: f64) -> (Vec<u8>, Vec<u8>, f64) {
    (ids.trace.to_vec(), ids.span.to_vec(), value)
}

#[test]
fn each_bucket_leads_to_its_last_span() {
    let store = Store::new();
    let took = store.histogram(&TOOK, &["db"]);
    let before = nanos(SystemTime::now());
    took.observe_in(0.25, Some(FIRST));
    took.observe_in(0.5, Some(SECOND));
    took.observe(0.125);
    took.observe_in(8.0, Some(FIRST));
    let after = nanos(SystemTime::now());
    let mut encoder = Encoder::new(&[], Temporality::Cumulative);
    for seconds in [0, 10] {
        let reading = encode(&mut encoder, &store, seconds);
        assert_eq!(shown(&reading), [exemplar(SECOND, 0.5), exemplar(FIRST, 8.0)]);
        for each in &reading.only("healthcheck.duration").exemplars {
            assert!((before..=after).contains(&each.time_unix_nano), "{each:?}");
        }
    }
}

#[test]
fn a_delta_has_those_of_its_own_time() {
    let store = Store::new();
    let took = store.histogram(&TOOK, &["db"]);
    took.observe_in(0.25, Some(FIRST));
    let mut encoder = Encoder::new(&[], Temporality::Delta);
    assert_eq!(shown(&encode(&mut encoder, &store, 0)), [exemplar(FIRST, 0.25)]);
    took.observe(0.25);
    let second = encode(&mut encoder, &store, 10);
    assert_eq!(second.only("healthcheck.duration").value, "1 summing to 0.25 in [1, 0, 0] over [0.5, 1.0]");
    assert!(shown(&second).is_empty(), "{second:?}");
}

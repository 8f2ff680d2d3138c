//! Whatever labels say, attributes say the same.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message;

static NAMED: Definition = Definition {
    name: "named",
    instrument: Instrument::Gauge,
    unit: "",
    attributes: &["a", "a.b", "b", "a.b.c"],
    help: "Something with attributes",
};
static SPREAD: Definition = Definition {
    name: "spread",
    instrument: Instrument::Histogram(&[1.0]),
    unit: "",
    attributes: NAMED.attributes,
    help: "A distribution with attributes",
};

/// What a reader of labels may stumble over.
fn value() -> impl Strategy<Value = String> {
    let stumbling = prop::sample::select(vec![
        "\\",
        "\"",
        "\n",
        ",",
        "=",
        "} ",
        "a=\"",
        "\",a_b=\"",
        "\\n",
        "x",
        "ü",
        "🦀",
    ]);
    prop_oneof![
        vec(stumbling, 0..6).prop_map(|parts| parts.concat()),
        any::<String>(),
        // Around the lengths at which a length takes another byte.
        (100_usize..140, any::<char>()).prop_map(|(length, c)| c.to_string().repeat(length)),
    ]
}

proptest! {
    #[test]
    fn labels_are_read_back(values in vec(value(), 4)) {
        let store = Store::new();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        store.gauge(&NAMED, &values).set(1.0);
        store.histogram(&SPREAD, &values).observe(1.0);
        let reading = encode(&mut Encoder::new(&[], Temporality::Cumulative), &store, 0);
        let pairs = NAMED.attributes.iter().zip(&values).filter(|(_, value)| !value.is_empty());
        let expected: Vec<String> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
        prop_assert_eq!(&reading.only("named").attributes, &expected);
        prop_assert_eq!(&reading.only("spread").attributes, &expected);
    }
}

static TYPED: Definition = Definition {
    name: "typed",
    attributes: &["healthcheck.name", "http.response.status_code", "server.port"],
    ..NAMED
};

#[test]
fn what_is_a_whole_number_arrives_as_one() {
    // A value that needs more than a look at its length makes the others be read the slow way.
    for name in ["check", "a \"check\""] {
        for number in [0, 7, 200, 65_535, -7, i64::MAX, i64::MIN] {
            let text = number.to_string();
            assert_eq!(sent(&[name, &text, "5432"]), [Ok(name.to_owned()), Err(number), Err(5432)], "{name}");
        }
        for text in ["007", "+7", "-0", "-", "7 ", "7.5", "n/a", "9223372036854775808"] {
            assert_eq!(sent(&[name, text, ""]), [Ok(name.to_owned()), Ok(text.to_owned())], "{text}");
        }
    }
    assert_eq!(
        sent(&["5432", "", "1"]),
        [Ok("5432".to_owned()), Err(1)],
        "a name is a text whatever it says"
    );
}

/// The values of all attributes of one point, texts and numbers.
fn sent(values: &[&str]) -> Vec<Result<String, i64>> {
    let store = Store::new();
    store.gauge(&TYPED, values).set(1.0);
    let mut encoder = Encoder::new(&[], Temporality::Cumulative);
    let mut sent = Vec::new();
    encoder.encode(&store.snapshot(), at(0), BATCH_LIMIT, &mut |batch| {
        let request = ExportMetricsServiceRequest::decode(&*batch.bytes).unwrap();
        let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
        let typed = metrics.iter().find(|metric| metric.name == "typed").unwrap();
        let Some(Data::Gauge(gauge)) = &typed.data else { panic!("{typed:?}") };
        sent.extend(gauge.data_points[0].attributes.iter().map(|attribute| {
            match attribute.value.as_ref().and_then(|any| any.value.as_ref()) {
                Some(any_value::Value::StringValue(text)) => Ok(text.clone()),
                Some(any_value::Value::IntValue(number)) => Err(*number),
                other => panic!("{other:?}"),
            }
        }));
    });
    sent
}

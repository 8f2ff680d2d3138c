//! Whatever labels say, attributes say the same.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

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

//! Another encoder as the oracle: whatever is recorded, our page and the one of the `prometheus` crate say the same.

use std::collections::BTreeMap;

use prometheus::{
    Encoder, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, TextEncoder,
};
use proptest::{collection::vec, prelude::*, sample::select};
use vitalsign::{
    metrics::{Store, prometheus_label, prometheus_name, render},
    model::{Definition, Instrument},
};

/// A metric and what is recorded in it: by label values, one value or, in a histogram, several.
#[derive(Clone, Debug)]
struct Family {
    name: String,
    instrument: u8,
    unit: &'static str,
    attributes: Vec<String>,
    help: String,
    series: BTreeMap<Vec<String>, Vec<f64>>,
}

/// What text formats stumble over.
fn text() -> impl Strategy<Value = String> {
    let letter =
        select(vec!['a', 'Z', '0', '_', ' ', '\\', '"', '\n', '\t', '{', '}', '=', ',', '#', 'ü', '€', '🦀']);
    vec(letter, 1..12).prop_map(|letters| letters.into_iter().collect())
}

fn word() -> impl Strategy<Value = String> {
    vec(select(('a'..='f').collect::<Vec<char>>()), 1..5).prop_map(|letters| letters.into_iter().collect())
}

fn name() -> impl Strategy<Value = String> {
    (word(), vec((select(vec!['.', '_']), word()), 0..3)).prop_map(|(first, rest)| {
        rest.into_iter().fold(first, |name, (joint, word)| format!("{name}{joint}{word}"))
    })
}

fn value() -> impl Strategy<Value = f64> {
    let special = vec![
        0.0,
        -0.0,
        1.0,
        0.1 + 0.2,
        1e-7,
        1e21,
        -1e16,
        9_007_199_254_740_993.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        f64::MIN_POSITIVE,
        f64::from_bits(1),
        1_700_000_000.123,
    ];
    prop_oneof![any::<f64>(), select(special), (-1000_i32..1000).prop_map(f64::from)]
}

fn family() -> impl Strategy<Value = Family> {
    let attributes = vec(name(), 0..4).prop_map(|mut names| {
        // The other encoder sorts labels by name and refuses two that become one; `le` belongs to histograms.
        names.sort_by_key(|name| prometheus_label(name));
        names.dedup_by_key(|name| prometheus_label(name));
        names
    });
    let head = (name(), 0_u8..3, select(vec!["", "s", "By", "{thing}"]), attributes, text());
    head.prop_flat_map(|(name, instrument, unit, attributes, help)| {
        let labels = vec(text(), attributes.len());
        proptest::collection::btree_map(labels, vec(value(), 1..6), 1..4).prop_map(move |series| Family {
            name: name.clone(),
            instrument,
            unit,
            attributes: attributes.clone(),
            help: help.clone(),
            series,
        })
    })
}

/// Records everything in both; gives both pages.
fn pages(families: &[Family]) -> (String, String) {
    let (store, registry) = (Store::new(), Registry::new());
    for (index, family) in families.iter().enumerate() {
        let definition = definition(index, family);
        let name = prometheus_name(definition);
        let labels: Vec<String> = family.attributes.iter().map(|name| prometheus_label(name)).collect();
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let opts = Opts::new(name, definition.help);
        match definition.instrument {
            Instrument::Counter => {
                let theirs = IntCounterVec::new(opts, &labels).unwrap();
                registry.register(Box::new(theirs.clone())).unwrap();
                for (values, recorded) in &family.series {
                    let values: Vec<&str> = values.iter().map(String::as_str).collect();
                    let (ours, theirs) =
                        (store.counter(definition, &values), theirs.with_label_values(&values));
                    for value in recorded {
                        let count = value.to_bits() >> 14; // a whole number that a float can hold, also summed up
                        ours.add(count);
                        theirs.inc_by(count);
                    }
                }
            }
            Instrument::Gauge | Instrument::UpDownCounter => {
                let theirs = GaugeVec::new(opts, &labels).unwrap();
                registry.register(Box::new(theirs.clone())).unwrap();
                for (values, recorded) in &family.series {
                    let values: Vec<&str> = values.iter().map(String::as_str).collect();
                    let (ours, theirs) =
                        (store.gauge(definition, &values), theirs.with_label_values(&values));
                    for value in recorded {
                        ours.set(*value);
                        theirs.set(*value);
                    }
                }
            }
            Instrument::Histogram(bounds) => {
                let theirs =
                    HistogramVec::new(HistogramOpts::from(opts).buckets(bounds.to_vec()), &labels).unwrap();
                registry.register(Box::new(theirs.clone())).unwrap();
                for (values, recorded) in &family.series {
                    let values: Vec<&str> = values.iter().map(String::as_str).collect();
                    let (ours, theirs) =
                        (store.histogram(definition, &values), theirs.with_label_values(&values));
                    // Ours leaves out what would spoil the sum for ever.
                    for value in recorded.iter().filter(|value| value.is_finite()) {
                        ours.observe(*value);
                        theirs.observe(*value);
                    }
                }
            }
        }
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    render(&store.snapshot(), &mut ours);
    TextEncoder::new().encode(&registry.gather(), &mut theirs).unwrap();
    (String::from_utf8(ours).unwrap(), String::from_utf8(theirs).unwrap())
}

/// Definitions live as long as the program; those of a test too.
fn definition(index: usize, family: &Family) -> &'static Definition {
    let attributes: Vec<&'static str> = family.attributes.iter().map(|name| &*name.clone().leak()).collect();
    Box::leak(Box::new(Definition {
        name: format!("f{index}.{}", family.name).leak(),
        instrument: match family.instrument {
            0 => Instrument::Counter,
            1 => Instrument::Gauge,
            _ => Instrument::Histogram(&[-1.5, 0.0, 0.005, 1.0, 1e16]),
        },
        unit: family.unit,
        attributes: attributes.leak(),
        help: family.help.clone().leak(),
    }))
}

/// The lines in an order that does not depend on the encoder, values as the numbers that a reader gets.
fn lines(page: &str) -> Vec<String> {
    let own = |line: &&str| !line.contains("vitalsign_");
    let mut lines: Vec<String> = page
        .split_terminator('\n')
        .filter(own)
        .map(|line| match line.rsplit_once(' ') {
            Some((series, value)) if !line.starts_with('#') => {
                let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line:?} has no value"));
                // Minus zero is zero.
                format!("{series} {:?}", value + 0.0)
            }
            _ => line.to_owned(),
        })
        .collect();
    lines.sort();
    lines
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn both_encoders_say_the_same(families in vec(family(), 1..6)) {
        let (ours, theirs) = pages(&families);
        prop_assert!(lines(&ours).len() > families.len());
        prop_assert_eq!(lines(&ours), lines(&theirs));
    }
}

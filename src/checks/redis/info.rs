//! The numbers in an answer to INFO.

use crate::model::{Measurement, Name, Outcome, Unit, When};

/// What is measured.
pub(super) static MEASUREMENTS: [Measurement; 3] = [
    Measurement::new("used_memory_bytes", Unit::Bytes).when(When::On("info")),
    Measurement::new("max_memory_bytes", Unit::Bytes).when(When::On("info")),
    Measurement::new("connected_clients", Unit::Count).when(When::On("info")),
];

/// The field of the answer for each of them.
const FIELDS: [&str; 3] = ["used_memory", "maxmemory", "connected_clients"];

/// Adds the numbers in `text`, lines of `field:value`. A limit of 0 means that there is none, so it is left out.
pub(super) fn measure(text: &str, outcome: Outcome) -> Outcome {
    FIELDS.iter().zip(&MEASUREMENTS).fold(outcome, |outcome, (field, Measurement { name, .. })| {
        let found = text.lines().find_map(|line| line.trim().strip_prefix(field)?.strip_prefix(':'));
        let value = found.and_then(|value| value.parse::<f64>().ok()).filter(|value| value.is_finite());
        match (Name::new(name), value) {
            (Ok(_), Some(0.0)) if *field == "maxmemory" => outcome,
            (Ok(name), Some(value)) => outcome.measure(name, value),
            _ => outcome,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};

    fn measured(text: &str) -> Vec<(String, f64)> {
        let outcome = measure(text, Outcome::pass());
        outcome.measurements.iter().map(|(name, value)| (name.to_string(), *value)).collect()
    }

    #[test]
    fn reads_what_is_there() {
        let text = "# Memory\r\nused_memory:1024\r\nused_memory_rss:9\r\nmaxmemory:0\r\n# Clients\r\nconnected_clients:3\r\n";
        let expected = [("used_memory_bytes".to_owned(), 1024.0), ("connected_clients".to_owned(), 3.0)];
        assert_eq!(measured(text), expected);
        assert_eq!(measured("maxmemory:2048\r\n"), [("max_memory_bytes".to_owned(), 2048.0)]);
        assert!(measured("used_memory:many\r\nmaxmemory\r\n").is_empty());
    }

    proptest! {
        #[test]
        fn garbage_measures_numbers_or_nothing(text in any::<String>()) {
            assert!(measured(&text).iter().all(|(_, value)| value.is_finite()));
        }
    }
}

//! Durations and quantities with their units.

use std::time::Duration;

use super::node::Node;
use super::setting::{Reading, Schema, Setting};
use crate::model::LONGEST;

impl Setting for Duration {
    const SHAPE: &'static str = "duration";

    fn read(node: &Node, reading: &mut Reading<'_>) -> Option<Self> {
        let expected = "a duration such as 250ms, 15s or 2h";
        let text = reading.text(node, expected)?.trim();
        match humantime::parse_duration(text) {
            Ok(duration) if duration.is_zero() => {
                reading.wrong(node, "must be longer than zero");
                None
            }
            Ok(duration) if duration > LONGEST => {
                reading.wrong(node, "must be at most 100 years");
                None
            }
            Ok(duration) => Some(duration),
            Err(_) => {
                let unit =
                    node.written().filter(|text| text.trim().parse::<u32>().is_ok_and(|number| number > 0));
                let help = unit.map(|number| format!("add the unit: `{}s`", number.trim()));
                reading.wrong_with_help(node, format!("expected {expected}, found {}", node.found()), help);
                None
            }
        }
    }

    fn show(&self) -> String {
        humantime::format_duration(*self).to_string()
    }

    fn schema() -> Schema {
        Schema::Duration
    }
}

/// A number that may be written with a unit: `80%` is 0.8, `512Mi` is 536870912, `1.5k` is 1500.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Quantity(pub f64);

/// What may stand behind the number, longer ones first: the power of ten that it means, and the factor beside it.
const UNITS: [(&str, i32, f64); 13] = [
    ("%", -2, 1.0),
    ("ki", 0, 1024.0),
    ("Ki", 0, 1024.0),
    ("Mi", 0, 1_048_576.0),
    ("Gi", 0, 1_073_741_824.0),
    ("Ti", 0, 1_099_511_627_776.0),
    ("Pi", 0, 1_125_899_906_842_624.0),
    ("k", 3, 1.0),
    ("K", 3, 1.0),
    ("M", 6, 1.0),
    ("G", 9, 1.0),
    ("T", 12, 1.0),
    ("P", 15, 1.0),
];

impl Quantity {
    /// The number that `text` stands for.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let unit =
            UNITS.iter().find_map(|(unit, power, factor)| Some((text.strip_suffix(unit)?, *power, *factor)));
        let (number, power, factor) = unit.unwrap_or((text, 0, 1.0));
        let number = number.trim_end();
        // `inf` and `nan` are numbers to the standard library.
        let digits =
            number.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'));
        let (number, written) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        // Moving the point keeps 99.9 % the double that is nearest to 0.999; dividing by 100 would not.
        let power = power.checked_add(written.parse().ok()?)?;
        let number: f64 = digits.then(|| format!("{number}e{power}").parse().ok()).flatten()?;
        let value = number * factor;
        value.is_finite().then_some(Self(value))
    }
}

impl Setting for Quantity {
    const SHAPE: &'static str = "number";

    fn read(node: &Node, reading: &mut Reading<'_>) -> Option<Self> {
        reading.parsed(node, "a number such as 500, 80% or 512Mi", Self::parse)
    }

    fn show(&self) -> String {
        self.0.to_string()
    }

    fn schema() -> Schema {
        Schema::Quantity
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_units() {
        let number = |text| Quantity::parse(text).map(|quantity| quantity.0);
        assert_eq!(number("80%"), Some(0.8));
        assert_eq!(number("99.9 %"), Some(0.999));
        assert_eq!(number("512Mi"), Some(536_870_912.0));
        assert_eq!(number("1.5k"), Some(1500.0));
        assert_eq!(number("2Gi"), Some(2_147_483_648.0));
        assert_eq!(number("4ki"), Some(4096.0));
        for (power, unit) in (1..).zip(["Ki", "Mi", "Gi", "Ti", "Pi"]) {
            let text = format!("3{unit}");
            assert_eq!(Quantity::parse(&text), Some(Quantity(3.0 * 1024_f64.powi(power))), "{unit}");
        }
        for (power, unit) in (1..).zip(["K", "M", "G", "T", "P"]) {
            let text = format!("3{unit}");
            assert_eq!(Quantity::parse(&text), Some(Quantity(3.0 * 1000_f64.powi(power))), "{unit}");
        }
        assert_eq!(number("-3e-2"), Some(-0.03));
        assert_eq!(number("9.99e1%"), Some(0.999));
        for wrong in ["", "%", "Mi", "inf", "nan", "1e999", "1MiB", "12 apples", "--1", "0x10"] {
            assert_eq!(number(wrong), None, "{wrong}");
        }
    }
}

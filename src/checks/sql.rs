//! What the checks of SQL databases share: the first row of an answer as measurements.
//!
//! Knows no database: each brings its own way to read a number out of a column.

use crate::model::{Name, Outcome};

/// The most measurements that one row may give; further columns are not looked at.
const MOST: usize = 32;

/// Adds the numbers of a row as measurements, each under the name of its column in lower case. A column without a
/// number, with a name that no measurement can have (such as `?column?`) or with a name that came before is left out.
pub(super) fn measure<'r>(
    outcome: Outcome,
    columns: impl Iterator<Item = (&'r str, Option<f64>)>,
) -> Outcome {
    let numbers = columns.filter_map(|(name, number)| {
        let number = number.filter(|number| number.is_finite())?;
        Some((Name::new(&name.to_ascii_lowercase()).ok()?, number))
    });
    numbers.take(MOST).fold(outcome, |outcome, (name, number)| {
        if outcome.measurements.iter().any(|(known, _)| *known == name) {
            outcome
        } else {
            outcome.measure(name, number)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_needs_a_name_of_its_own() {
        let columns = [
            ("Open_Orders", Some(3.0)),
            ("?column?", Some(1.0)),
            ("open_orders", Some(4.0)),
            ("count(*)", Some(5.0)),
            ("note", None),
            ("ratio", Some(f64::NAN)),
            ("lag", Some(0.5)),
        ];
        let outcome = measure(Outcome::pass(), columns.into_iter());
        let seen: Vec<_> =
            outcome.measurements.iter().map(|(name, number)| (name.as_str(), *number)).collect();
        assert_eq!(seen, [("open_orders", 3.0), ("lag", 0.5)]);
    }

    #[test]
    fn a_wide_row_is_cut() {
        let names: Vec<String> = (0..100).map(|n| format!("c{n}")).collect();
        let outcome = measure(Outcome::pass(), names.iter().map(|name| (name.as_str(), Some(1.0))));
        assert_eq!(outcome.measurements.len(), MOST);
    }
}

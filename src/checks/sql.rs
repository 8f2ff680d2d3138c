//! What the checks of SQL databases share: the text of a query, and the first row of an answer as measurements.
//!
//! Knows no database: each brings its own way to read a number out of a column.

#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;
pub(super) mod query;

use crate::model::{Name, Outcome};

/// The most measurements that one row may give; further columns are not looked at.
pub(super) const MOST: usize = 32;
const TOO_WIDE: &str = "only the first 32 columns of the query's answer are measured";
const NO_ROW: &str = "the query's answer has no row, so nothing is measured";
const NO_NUMBER: &str = "the query's answer has no number in its first row, so nothing is measured";

/// Takes the numbers of the first row as measurements, each under the name of its column, and says what is none.
pub(super) fn measure<'r>(row: Option<impl Iterator<Item = (&'r str, Option<f64>)>>) -> Outcome {
    let Some(columns) = row else { return Outcome::pass().advise(NO_ROW) };
    let (mut outcome, mut others): (Outcome, Vec<Name>) = (Outcome::pass(), Vec::new());
    for (at, (column, number)) in columns.enumerate() {
        if at == MOST {
            outcome = outcome.advise(TOO_WIDE);
            break;
        }
        let taken = |name: &Name| {
            others.iter().chain(outcome.measurements.iter().map(|(name, _)| name)).any(|t| t == name)
        };
        let Some(name) = name(column, at + 1, taken) else { continue };
        match number.filter(|number| number.is_finite()) {
            Some(number) => outcome = outcome.measure(name, number),
            None => others.push(name),
        }
    }
    if !others.is_empty() {
        let names: Vec<&str> = others.iter().map(Name::as_str).collect();
        outcome = outcome.detail("no_number_in", names.join(", "));
    }
    if outcome.measurements.is_empty() { outcome.advise(NO_NUMBER) } else { outcome }
}

/// The name of a measurement out of that of its column: in lower case, with `_` for whatever a name cannot hold, none at
/// its ends; `column_N` where nothing is left or the database has made it up; and a number behind one that was there
/// before.
fn name(column: &str, at: usize, taken: impl Fn(&Name) -> bool) -> Option<Name> {
    /// Leaves room for a number.
    const LONGEST: usize = Name::MAX_LENGTH - 4;
    let lower = column.to_ascii_lowercase();
    let word = match Name::new(&lower) {
        Ok(_) => lower,
        Err(_) => {
            let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
            let mut word = String::with_capacity(lower.len());
            for c in lower.chars().map(|c| if allowed(&c) { c } else { '_' }) {
                if c != '_' || !word.ends_with('_') {
                    word.push(c);
                }
            }
            word.trim_matches('_').chars().take(LONGEST).collect()
        }
    };
    let word = if word.is_empty() || column == "?column?" { format!("column_{at}") } else { word };
    let numbered = (2..=MOST).map(|n| format!("{word}_{n}"));
    std::iter::once(word.clone())
        .chain(numbered)
        .filter_map(|word| Name::new(&word).ok())
        .find(|name| !taken(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Detail;

    fn row(columns: &[(&'static str, Option<f64>)]) -> Outcome {
        measure(Some(columns.iter().copied()))
    }

    #[test]
    fn a_number_is_measured_under_the_name_of_its_column() {
        let outcome = row(&[
            ("Open_Orders", Some(3.0)),
            ("?column?", Some(1.0)),
            ("open_orders", Some(4.0)),
            ("count(*)", Some(5.0)),
            ("Open Orders", Some(6.0)),
            ("note", None),
            ("ratio", Some(f64::NAN)),
            ("_lag", Some(0.5)),
            ("数", Some(7.0)),
            ("Größe / kB", Some(8.0)),
        ]);
        let seen: Vec<_> =
            outcome.measurements.iter().map(|(name, number)| (name.as_str(), *number)).collect();
        let expected = [
            ("open_orders", 3.0),
            ("column_2", 1.0),
            ("open_orders_2", 4.0),
            ("count", 5.0),
            ("open_orders_3", 6.0),
            ("_lag", 0.5),
            ("column_9", 7.0),
            ("gr_e_kb", 8.0),
        ];
        assert_eq!(seen, expected);
        assert_eq!(outcome.details, [("no_number_in".into(), Detail::Text("note, ratio".to_owned()))]);
        assert_eq!(outcome.advice, None);
    }

    #[test]
    fn an_answer_without_a_number_says_so() {
        assert_eq!(row(&[("note", None)]).advice, Some(NO_NUMBER));
        let none: Option<std::iter::Empty<(&str, Option<f64>)>> = None;
        assert_eq!(measure(none).advice, Some(NO_ROW));
    }

    #[test]
    fn a_wide_row_is_cut_and_says_so() {
        let long = "x".repeat(100);
        let outcome = measure(Some((0..100).map(|_| (long.as_str(), Some(1.0)))));
        assert_eq!(outcome.measurements.len(), MOST);
        assert_eq!(outcome.advice, Some(TOO_WIDE));
    }
}

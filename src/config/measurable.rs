//! Which measurements one check makes, by what its kind declares and its settings say: what limits are checked against.
//!
//! Knows no kind; looks at settings as texts, before their own readers come to them.

use super::fields::Fields;
use super::problem::{listed, nearest};
use super::units::Quantity;
use crate::model::{Limit, Measures, Unit, When};

/// The measurements of one check.
#[derive(Clone, Debug)]
pub struct Measurable {
    measures: Measures,
    /// Of those with a name of their own, which are made.
    made: Vec<bool>,
    named: Vec<String>,
    /// Whether any name may be one of a check, because the check is not known.
    of_any_check: bool,
}

/// What is wrong with a limit, and what to do.
pub(super) type Wrong = (String, Option<String>);

impl Measurable {
    /// Those of the check whose settings are in `fields`.
    #[must_use]
    pub fn of(measures: Measures, fields: &Fields<'_>) -> Self {
        let made = |when: When| match when {
            When::Always => true,
            When::Set(setting) => fields.is_set(setting),
            When::Is(setting, word) => fields.text(setting) == Some(word),
            When::On(setting) => {
                !matches!(fields.text(setting), Some("false" | "False" | "FALSE" | "no" | "off"))
            }
        };
        let named = measures.named_by.map(|(setting, _)| fields.keys_of(setting)).unwrap_or_default();
        let made = measures.known.iter().map(|measurement| made(measurement.when)).collect();
        Self { measures, made, named, of_any_check: fields.describing() }
    }

    /// All that any check of a kind may make: for limits that stand for many checks.
    #[must_use]
    pub fn of_any_check(measures: Measures) -> Self {
        let made = vec![true; measures.known.len()];
        Self { measures, made, named: Vec::new(), of_any_check: true }
    }

    /// What the measurement called `name` counts; what is wrong where there is none.
    pub(super) fn unit(&self, name: &str) -> Result<Unit, Wrong> {
        let known = self.measures.known.iter().zip(&self.made).find(|(known, _)| known.name == name);
        if let Some((measurement, made)) = known {
            let without = |when: When| match when {
                When::On(setting) => format!("is not measured with `{setting}: false`"),
                when => format!("is measured only {when}"),
            };
            return if *made { Ok(measurement.unit) } else { Err((without(measurement.when), None)) };
        }
        if let Some((_, unit)) = self.measures.named_by
            && (self.of_any_check || self.named.iter().any(|named| named == name))
        {
            return Ok(unit);
        }
        if self.measures.open.is_some() {
            return Ok(Unit::Any);
        }
        Err(("there is no such measurement".to_owned(), Some(self.instead_of(name))))
    }

    fn instead_of(&self, name: &str) -> String {
        let made = self.measures.known.iter().zip(&self.made).filter(|(_, made)| **made);
        let names: Vec<&str> =
            made.map(|(known, _)| known.name).chain(self.named.iter().map(String::as_str)).collect();
        if let Some(near) = nearest(name, names.iter().copied()) {
            return format!("did you mean `{near}`?");
        }
        let further = self.measures.named_by.map(|(setting, _)| format!("add it to `{setting}`"));
        let known = (!names.is_empty()).then(|| format!("known here: {}", listed(names)));
        match (known, further) {
            (Some(known), Some(further)) => format!("{further}; {known}"),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => "this kind measures nothing".to_owned(),
        }
    }
}

/// Whether a number of this unit can come to the limit: `shown` is the limit as a message may repeat it.
pub(super) fn within(unit: Unit, limit: Limit, shown: Option<&str>) -> Result<(), Wrong> {
    let (least, most) = unit.range();
    let outside = |number: f64| number < least || number > most;
    if !outside(limit.enter) && !outside(limit.leave) {
        return Ok(());
    }
    let message = match unit {
        Unit::Ratio => "is out of reach: the measurement is a ratio from 0 to 1".to_owned(),
        _ => format!("is out of reach: the measurement is {}, never below {least}", unit.about()),
    };
    let percent = shown
        .filter(|_| unit == Unit::Ratio)
        .and_then(|text| Some((text, Quantity::parse(&format!("{}%", text.trim()))?.0)))
        .filter(|(_, ratio)| !outside(*ratio));
    let help = match (unit, percent) {
        (_, Some((text, ratio))) => Some(format!("write {ratio} or {text}%")),
        (Unit::Ratio, None) => Some("write a ratio such as 0.8 or 80%".to_owned()),
        _ => None,
    };
    Err((message, help))
}

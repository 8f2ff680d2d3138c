//! What a kind of check can measure, as data: names with their units, so that limits on them can be checked before the
//! first run, and documents can list them.
//!
//! Knows no kind; each declares its own beside its code.

use std::fmt;

/// What a kind measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measures {
    /// Measurements with a name of their own.
    pub known: &'static [Measurement],
    /// The setting whose keys name further measurements, and their unit.
    pub named_by: Option<(&'static str, Unit)>,
    /// What gives further measurements under any name, for people: `numeric columns of the first row`.
    pub open: Option<&'static str>,
}

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measurement {
    /// Its name.
    pub name: &'static str,
    /// What its number counts.
    pub unit: Unit,
    /// On which setting it depends.
    pub when: When,
}

/// What a number counts, and with that how small and how large it can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A part of a whole, from 0 to 1.
    Ratio,
    /// A number of things.
    Count,
    /// A number of bytes.
    Bytes,
    /// A number of days, which may be past.
    Days,
    /// Anything.
    Any,
}

/// On which setting it depends whether something is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// On none.
    Always,
    /// This one must be there.
    Set(&'static str),
    /// This one must be so.
    Is(&'static str, &'static str),
    /// This one must not be switched off.
    On(&'static str),
}

impl Measures {
    /// No measurement at all.
    pub const NONE: Self = Self::of(&[]);

    /// These measurements and no others.
    #[must_use]
    pub const fn of(known: &'static [Measurement]) -> Self {
        Self { known, named_by: None, open: None }
    }

    /// Whatever the answer has, such as `what`.
    #[must_use]
    pub const fn open(what: &'static str) -> Self {
        Self { known: &[], named_by: None, open: Some(what) }
    }

    /// Beside the others those that the keys of `setting` name.
    #[must_use]
    pub const fn and_named_by(self, setting: &'static str, unit: Unit) -> Self {
        Self { named_by: Some((setting, unit)), ..self }
    }
}

impl Measurement {
    /// A measurement that every check of the kind makes.
    #[must_use]
    pub const fn new(name: &'static str, unit: Unit) -> Self {
        Self { name, unit, when: When::Always }
    }

    /// One that depends on a setting.
    #[must_use]
    pub const fn when(self, when: When) -> Self {
        Self { when, ..self }
    }
}

impl Unit {
    /// The smallest and the largest number that there can be.
    #[must_use]
    pub const fn range(self) -> (f64, f64) {
        match self {
            Self::Ratio => (0.0, 1.0),
            Self::Count | Self::Bytes => (0.0, f64::INFINITY),
            Self::Days | Self::Any => (f64::NEG_INFINITY, f64::INFINITY),
        }
    }

    /// For sentences: `a ratio from 0 to 1`.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::Ratio => "a ratio from 0 to 1",
            Self::Count => "a count",
            Self::Bytes => "a number of bytes",
            Self::Days => "a number of days",
            Self::Any => "a number",
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => Ok(()),
            Self::Set(setting) => write!(f, "with `{setting}`"),
            Self::Is(setting, word) => write!(f, "with `{setting}: {word}`"),
            Self::On(setting) => write!(f, "unless `{setting}: false`"),
        }
    }
}

/// For documents: `` `tasks`; with `of: cgroup` `limit`, `usage_ratio` ``.
impl fmt::Display for Measures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<(When, String)> = Vec::new();
        for Measurement { name, when, .. } in self.known {
            let name = format!("`{name}`");
            match parts.last_mut().filter(|(same, _)| same == when) {
                Some((_, names)) => names.push_str(&format!(", {name}")),
                None => parts.push((*when, name)),
            }
        }
        let parts = parts.into_iter().map(|(when, names)| match when {
            When::Always => names,
            when => format!("{when} {names}"),
        });
        let named = self.named_by.map(|(setting, _)| format!("the names in `{setting}`"));
        let open = self.open.map(str::to_owned);
        let all: Vec<String> = parts.chain(named).chain(open).collect();
        f.write_str(&all.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_measured() {
        const CGROUP: When = When::Is("of", "cgroup");
        static KNOWN: [Measurement; 3] = [
            Measurement::new("tasks", Unit::Count),
            Measurement::new("limit", Unit::Count).when(CGROUP),
            Measurement::new("usage_ratio", Unit::Ratio).when(CGROUP),
        ];
        let measures = Measures::of(&KNOWN);
        assert_eq!(measures.to_string(), "`tasks`; with `of: cgroup` `limit`, `usage_ratio`");
        let named = Measures::NONE.and_named_by("lengths", Unit::Count);
        assert_eq!(named.to_string(), "the names in `lengths`");
        assert_eq!(Measures::open("columns").to_string(), "columns");
        assert_eq!(Measures::NONE.to_string(), "");
    }
}

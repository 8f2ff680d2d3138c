//! Sets of status codes: `200`, `2xx`, `200-299`.

use std::fmt;

use crate::config::{Node, OneOrMany, Reading, Setting};

/// Status codes in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Codes {
    first: u16,
    last: u16,
}

/// Status codes that are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statuses(pub(super) OneOrMany<Codes>);

impl Statuses {
    /// Whether `status` is among them.
    pub(super) fn contains(&self, status: u16) -> bool {
        self.0.0.iter().any(|codes| (codes.first..=codes.last).contains(&status))
    }
}

impl Default for Statuses {
    fn default() -> Self {
        Self(OneOrMany(vec![Codes { first: 200, last: 299 }]))
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, codes) in self.0.0.iter().enumerate() {
            write!(f, "{}{codes}", if i > 0 { " or " } else { "" })?;
        }
        Ok(())
    }
}

impl Codes {
    /// Reads a code, a class or a range.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let codes = if let Some(class) = text.strip_suffix("xx") {
            let first = class.parse::<u16>().ok()?.checked_mul(100)?;
            Self { first, last: first.checked_add(99)? }
        } else if let Some((first, last)) = text.split_once('-') {
            Self { first: first.trim().parse().ok()?, last: last.trim().parse().ok()? }
        } else {
            let code = text.parse().ok()?;
            Self { first: code, last: code }
        };
        (codes.first >= 100 && codes.first <= codes.last && codes.last <= 999).then_some(codes)
    }
}

impl fmt::Display for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last } = *self;
        if first == last {
            write!(f, "{first}")
        } else if first % 100 == 0 && last == first + 99 {
            write!(f, "{}xx", first / 100)
        } else {
            write!(f, "{first}-{last}")
        }
    }
}

impl Setting for Codes {
    const SHAPE: &'static str = "status code";

    fn read(node: &Node, reading: &mut Reading<'_>) -> Option<Self> {
        reading.parsed(node, "a status such as 200, 2xx or 200-299", Self::parse)
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_codes_classes_and_ranges() {
        let codes = ["2xx", "301", "400 - 403"].map(|text| Codes::parse(text).unwrap());
        let statuses = Statuses(OneOrMany(codes.to_vec()));
        for (status, accepted) in
            [(199, false), (200, true), (299, true), (300, false), (301, true), (403, true)]
        {
            assert_eq!(statuses.contains(status), accepted, "{status}");
        }
        assert_eq!(statuses.to_string(), "2xx or 301 or 400-403");
    }

    #[test]
    fn refuses_what_is_no_status() {
        for wrong in ["", "xx", "20", "0xx", "1000", "ok", "300-200", "2xx-3xx", "-"] {
            assert_eq!(Codes::parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_it_shows_it_reads(first in 100_u16..=999, more in 0_u16..100) {
            let codes = Codes { first, last: first.saturating_add(more).min(999) };
            prop_assert_eq!(Codes::parse(&codes.to_string()), Some(codes));
        }

        #[test]
        fn any_text_is_a_status_or_refused(text in "\\PC{0,12}") {
            let _ = Codes::parse(&text);
        }
    }
}

//! Names of checks, groups and measurements: short enough for a label, plain enough for a path.

use std::fmt;
use std::sync::Arc;

/// A name of a check, a group or a measurement: 1 to 63 characters out of `a-z 0-9 _ . -`.
///
/// Cheap to clone; orders and compares like the text it holds.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// Why a text cannot be a [`Name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidName {
    /// The text is empty.
    Empty,
    /// The text is longer than [`Name::MAX_LENGTH`] bytes.
    TooLong,
    /// The first character that is not allowed.
    Character(char),
}

impl Name {
    /// The longest name, in bytes: what a DNS label may hold, so names fit host and path segments too.
    pub const MAX_LENGTH: usize = 63;

    /// Takes `text` as a name.
    ///
    /// # Errors
    /// [`InvalidName`] where the text is empty, too long or has a character outside `a-z 0-9 _ . -`.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        if text.is_empty() {
            return Err(InvalidName::Empty);
        }
        if text.len() > Self::MAX_LENGTH {
            return Err(InvalidName::TooLong);
        }
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.' | '-');
        match text.chars().find(|&c| !allowed(c)) {
            Some(c) => Err(InvalidName::Character(c)),
            None => Ok(Self(Arc::from(text))),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a name cannot be empty"),
            Self::TooLong => write!(f, "a name has at most {} characters", Name::MAX_LENGTH),
            Self::Character(c) => write!(f, "a name cannot hold {c:?}: use a-z, 0-9, '_', '.' and '-'"),
        }
    }
}

impl std::error::Error for InvalidName {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn says_what_is_wrong() {
        assert_eq!(Name::new(""), Err(InvalidName::Empty));
        assert_eq!(Name::new(&"a".repeat(64)), Err(InvalidName::TooLong));
        assert_eq!(Name::new("Orders"), Err(InvalidName::Character('O')));
        assert_eq!(Name::new(&"a".repeat(63)).map(|n| n.as_str().len()), Ok(63));
    }

    proptest! {
        #[test]
        fn any_text_is_taken_whole_or_refused(text in any::<String>()) {
            if let Ok(name) = Name::new(&text) {
                prop_assert_eq!(name.as_str(), text.as_str());
                prop_assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.-".contains(&b)));
            }
        }

        #[test]
        fn every_allowed_text_is_a_name(text in "[a-z0-9_.-]{1,63}") {
            prop_assert!(Name::new(&text).is_ok());
        }
    }
}

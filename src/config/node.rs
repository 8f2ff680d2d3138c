//! The tree that a configuration text is read into: every value and every key knows where it stands.
//!
//! Knows neither YAML nor which settings exist. A value keeps its text as written, because only the one who reads it
//! knows whether `5` is a number, a name or a password; `Debug` never shows a text, for the same reason.

use std::fmt;

use super::problem::Place;

/// The longest single value, in bytes.
pub(super) const MAX_TEXT: usize = 1 << 20;

/// One value and its place.
#[derive(Clone, PartialEq, Eq)]
pub struct Node {
    pub(super) place: Place,
    pub(super) content: Content,
}

/// What a node holds.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// Nothing: an empty value, `~` or `null`, not in quotes.
    Null,
    /// One text, number, word.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the text, no key twice.
    Mapping(Vec<Entry>),
    /// Something that could not be had; a problem has been noted.
    Unresolved,
}

/// A single value.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Scalar {
    pub(super) text: String,
    /// In quotes or a block, so never a number, a truth value or nothing where that makes a difference.
    pub(super) quoted: bool,
    /// The references (`${NAME}`) that the text was made of; empty when it stands in the file as it is.
    pub(super) references: Vec<String>,
}

/// A key and its value.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) place: Place,
    pub(super) value: Node,
    /// Whether it stands elsewhere, for many, and only stands in here.
    pub(super) inherited: bool,
}

impl Node {
    /// Where the value begins.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }

    /// The text, where this is a single value.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// The items, where this is a list.
    #[must_use]
    pub fn items(&self) -> Option<&[Self]> {
        match &self.content {
            Content::List(items) => Some(items),
            _ => None,
        }
    }

    /// Keys and values in their order, where this is a mapping.
    #[must_use]
    pub fn entries(&self) -> Option<impl Iterator<Item = (&str, &Self)>> {
        match &self.content {
            Content::Mapping(entries) => Some(entries.iter().map(|entry| (entry.key.as_str(), &entry.value))),
            _ => None,
        }
    }

    /// The text, where it stands in the file as it is, so that a message may repeat it; a URL never is: it may hold a
    /// password.
    #[must_use]
    pub fn written(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(scalar) if scalar.references.is_empty() && !is_url(&scalar.text) => {
                Some(&scalar.text)
            }
            _ => None,
        }
    }

    /// The references (`${NAME}`, `${file:/path}`) that the value and everything in it was made of.
    #[must_use]
    pub fn references(&self) -> Vec<String> {
        match &self.content {
            Content::Scalar(scalar) => scalar.references.clone(),
            Content::List(items) => items.iter().flat_map(Self::references).collect(),
            Content::Mapping(entries) => entries.iter().flat_map(|entry| entry.value.references()).collect(),
            Content::Null | Content::Unresolved => Vec::new(),
        }
    }

    /// What is here, for a message; never a value that came out of the environment or a file, and never a URL.
    #[must_use]
    pub fn found(&self) -> String {
        match &self.content {
            Content::Null => "nothing".to_owned(),
            Content::List(_) => "a list".to_owned(),
            Content::Mapping(_) => "a mapping".to_owned(),
            Content::Unresolved => "something that is not known".to_owned(),
            Content::Scalar(scalar) if scalar.references.is_empty() && is_url(&scalar.text) => {
                "a url".to_owned()
            }
            Content::Scalar(scalar) if scalar.references.is_empty() => quoted(&scalar.text),
            Content::Scalar(scalar) => format!("something else in {}", scalar.references.join(" and ")),
        }
    }
}

impl Entry {
    /// Where a problem with the value is: at the key where there is no value.
    pub(super) fn at(&self) -> Place {
        if self.value.content == Content::Null { self.place } else { self.value.place }
    }
}

/// Whether `text` is a URL, or was meant to be one: wherever a URL stands by mistake, a password stands with it.
fn is_url(text: &str) -> bool {
    text.contains("://")
}

/// `text` in quotes, cut where it is long, on one line.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { line, column } = self.place;
        match &self.content {
            Content::Null => write!(f, "null@{line}:{column}"),
            Content::Scalar(_) => write!(f, "text@{line}:{column}"),
            Content::Unresolved => write!(f, "unresolved@{line}:{column}"),
            Content::List(items) => f.debug_list().entries(items).finish(),
            Content::Mapping(entries) => {
                f.debug_map().entries(entries.iter().map(|e| (&e.key, &e.value))).finish()
            }
        }
    }
}

/// The way from the top of the text to a value, as messages show it: `checks.orders_db.groups[1]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Path(String);

impl Path {
    /// The way to the value of `key` in the mapping here.
    pub(super) fn key(&self, key: &str) -> Self {
        let plain =
            !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        let key = if plain && key.len() <= 63 { key.to_owned() } else { quoted(key) };
        Self(if self.0.is_empty() { key } else { format!("{}.{key}", self.0) })
    }

    /// Whether this is the way to `other`, or to something in it.
    pub(super) fn is_in(&self, other: &Self) -> bool {
        let behind = self.0.strip_prefix(&other.0);
        behind.is_some_and(|behind| behind.is_empty() || behind.starts_with(['.', '[']))
    }

    /// The way to the item `index` of the list here.
    pub(super) fn item(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_tell_where() {
        let path = Path::default().key("checks").key("a.b").key("groups").item(1);
        assert_eq!(path.to_string(), "checks.\"a.b\".groups[1]");
        assert!(Path::default().key(&"k".repeat(10_000)).to_string().len() < 100);
    }

    #[test]
    fn what_was_resolved_is_not_repeated() {
        let scalar = |references: &[&str]| Node {
            place: Place::START,
            content: Content::Scalar(Scalar {
                text: "canary".to_owned(),
                quoted: false,
                references: references.iter().map(|&r| r.to_owned()).collect(),
            }),
        };
        assert_eq!(scalar(&[]).found(), "\"canary\"");
        assert_eq!(scalar(&["${A}", "${B}"]).found(), "something else in ${A} and ${B}");
        assert_eq!(format!("{:?}", scalar(&[])), "text@1:1");
    }
}

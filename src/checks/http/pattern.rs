//! What to look for in an answer, as it is written in the configuration.

use regex::bytes::{Regex, RegexBuilder};
use serde_json_path::JsonPath;

use crate::config::{Node, Reading, Setting};

/// The longest text or regular expression, in bytes: to compile one takes hundreds of times as much memory.
const LONGEST: usize = 16 << 10;

/// A text that must occur, or a regular expression, written between slashes, that must match.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) written: String,
    /// Whether it came out of the environment or a file, so that it may be a secret and is not shown.
    hidden: bool,
    regex: Regex,
}

impl Pattern {
    /// Reads a text or `/regular expression/`.
    pub(super) fn parse(written: &str) -> Result<Self, String> {
        let between = written.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
        let source = between.map_or_else(|| regex::escape(written), str::to_owned);
        if source.is_empty() {
            return Err("an empty text is everywhere".to_owned());
        }
        if written.len() > LONGEST {
            return Err(format!("is longer than {} KiB", LONGEST >> 10));
        }
        let regex =
            RegexBuilder::new(&source).size_limit(1 << 20).dfa_size_limit(256 << 10).build().map_err(
                |error| {
                    // The last line says what is wrong, those before it draw where.
                    let error = error.to_string();
                    let line = error.lines().last().unwrap_or_default();
                    format!("not a regular expression: {}", line.trim_start_matches("error: "))
                },
            )?;
        Ok(Self { written: written.to_owned(), hidden: false, regex })
    }

    /// What was looked for, as a message may say it.
    pub(super) fn shown(&self) -> String {
        if self.hidden {
            "a text from the environment or a file".to_owned()
        } else {
            format!("{:?}", self.written)
        }
    }

    /// Whether it occurs in `bytes`.
    pub(super) fn matches(&self, bytes: &[u8]) -> bool {
        self.regex.is_match(bytes)
    }
}

impl Setting for Pattern {
    const SHAPE: &'static str = "text or /regular expression/";

    fn read(node: &Node, reading: &mut Reading<'_>) -> Option<Self> {
        let text = reading.text(node, "a text or /regular expression/")?;
        let pattern = Self::parse(text).map_err(|problem| reading.wrong(node, problem)).ok()?;
        Some(Self { hidden: !node.references().is_empty(), ..pattern })
    }

    fn show(&self) -> String {
        self.written.show()
    }
}

/// A JSONPath (RFC 9535).
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) written: String,
    pub(super) path: JsonPath,
}

impl Place {
    /// Reads a path.
    pub(super) fn parse(written: &str) -> Result<Self, String> {
        super::extent::bounded(written)?;
        let path = JsonPath::parse(written).map_err(|error| format!("not a JSONPath: {error}"))?;
        Ok(Self { written: written.to_owned(), path })
    }
}

impl Setting for Place {
    const SHAPE: &'static str = "JSONPath";

    fn read(node: &Node, reading: &mut Reading<'_>) -> Option<Self> {
        let text = reading.text(node, "a JSONPath such as $.status")?;
        Self::parse(text).map_err(|problem| reading.wrong(node, problem)).ok()
    }

    fn show(&self) -> String {
        self.written.show()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_not_a_regular_expression() {
        assert!(Pattern::parse("a.c").unwrap().matches(b"xa.cx"));
        assert!(!Pattern::parse("a.c").unwrap().matches(b"abc"));
        assert!(Pattern::parse("/a.c/").unwrap().matches(b"abc"));
        assert!(Pattern::parse("").is_err());
        assert!(Pattern::parse("//").is_err());
        assert_eq!(Pattern::parse("/(/").unwrap_err(), "not a regular expression: unclosed group");
    }

    #[test]
    fn a_path_that_is_none_is_refused() {
        assert!(Place::parse("$.status").is_ok());
        let problem = Place::parse("status").unwrap_err();
        assert!(problem.starts_with("not a JSONPath: "), "{problem}");
    }
}

//! What is wrong with a configuration and where: collected, so that one look shows everything, sorted by place.
//!
//! Knows nothing of YAML or settings. The texts are lower-case fragments that say what to do, and never hold a value
//! that came out of the environment or a file.

use std::borrow::Cow;
use std::fmt;

use crate::model::printable;

/// How many problems are told; the others are counted.
const MOST: usize = 100;
/// The longest path, message or help, in characters.
const LONGEST: usize = 1_000;

/// Where something stands in the text: line and column, both counted from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Place {
    /// Where a text begins.
    pub const START: Self = Self { line: 1, column: 1 };

    /// Not in the text, but in a variable of the environment.
    pub const ENVIRONMENT: Self = Self { line: 0, column: 0 };
}

/// One thing that is wrong. Ordered by place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The line, from 1; 0 for what a variable of the environment gave.
    pub line: usize,
    /// The column, from 1; 0 for what a variable of the environment gave.
    pub column: usize,
    /// The setting: `checks.orders_db.timeout`; empty for the text as a whole. For what a variable of the environment
    /// gave, the name of the variable.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it, where the message does not say so.
    pub help: Option<String>,
}

impl Problem {
    /// Something wrong with a variable of the environment.
    pub(super) fn of_variable(name: &str, message: String, help: Option<String>) -> Self {
        let Place { line, column } = Place::ENVIRONMENT;
        Self { line, column, path: name.to_owned(), message, help }
    }

    /// Something wrong with the environment, in a sentence that names the variable.
    pub(super) fn of_environment(message: String) -> Self {
        Self::of_variable("", message, None)
    }

    /// With nothing in it that steers a terminal, and not endless.
    fn printable(mut self) -> Self {
        for text in [&mut self.path, &mut self.message].into_iter().chain(&mut self.help) {
            if let Cow::Owned(clean) = printable(text, LONGEST) {
                *text = clean;
            }
        }
        self
    }

    /// Whether it is about what a variable of the environment gave.
    pub(super) fn is_of_variable(&self) -> bool {
        self.line == Place::ENVIRONMENT.line
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_of_variable() {
            f.write_str("environment: ")?;
        } else {
            write!(f, "{}:{}: ", self.line, self.column)?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong with one file and with what the environment adds to it; prints one problem after the other,
/// each behind the name of the file. Of very many the first hundred are kept, and the number of the others.
#[derive(Clone, Debug, Default)]
pub struct Problems {
    file: String,
    found: Vec<Problem>,
    more: usize,
}

impl Problems {
    /// Nothing wrong with `file` yet.
    #[must_use]
    pub fn new(file: impl Into<String>) -> Self {
        Self { file: file.into(), found: Vec::new(), more: 0 }
    }

    /// Adds `problem` at its place; one that is there already is not added again.
    pub fn add(&mut self, problem: Problem) {
        if !self.would_keep(Place { line: problem.line, column: problem.column }) {
            self.more += 1;
            return;
        }
        let problem = problem.printable();
        if let Err(at) = self.found.binary_search(&problem) {
            self.found.insert(at, problem);
            if self.found.len() > MOST {
                self.found.pop();
                self.more += 1;
            }
        }
    }

    /// Whether a problem at `place` would be kept; if not it is enough to [count](Self::count_more) it.
    pub(super) fn would_keep(&self, place: Place) -> bool {
        let last = self.found.last().filter(|_| self.found.len() >= MOST);
        last.is_none_or(|last| place <= Place { line: last.line, column: last.column })
    }

    /// Counts a problem behind the last one that is kept.
    pub(super) fn count_more(&mut self) {
        self.more += 1;
    }

    /// Adds what is wrong at `place`.
    pub fn note(
        &mut self,
        place: Place,
        path: impl fmt::Display,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let Place { line, column } = place;
        self.add(Problem { line, column, path: path.to_string(), message: message.into(), help });
    }

    /// Whether `message` has been noted at `place`.
    pub(super) fn has(&self, place: Place, message: &str) -> bool {
        let Place { line, column } = place;
        let message = printable(message, LONGEST);
        self.found
            .iter()
            .any(|known| (known.line, known.column) == (line, column) && known.message == message)
    }

    /// The name of the file.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Every problem, by place, behind the name of the file; then how many more there are.
    pub(super) fn texts(&self) -> impl Iterator<Item = String> {
        let found = self.found.iter().map(|problem| {
            if problem.is_of_variable() { problem.to_string() } else { format!("{}:{problem}", self.file) }
        });
        found.chain((self.more > 0).then(|| format!("{}: and {} more", self.file, self.more)))
    }

    /// How many problems there are beside [those that are kept](Self::as_slice).
    #[must_use]
    pub fn more(&self) -> usize {
        self.more
    }

    /// The problems by place, the first hundred.
    #[must_use]
    pub fn as_slice(&self) -> &[Problem] {
        &self.found
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> = self.texts().collect();
        f.write_str(&all.join("\n"))
    }
}

impl std::error::Error for Problems {}

/// The word out of `words` that `written` was probably meant to be.
///
/// Case and the choice between `-` and `_` do not count. One edit is always near enough, a longer word may have one
/// edit for every three of its letters; a word that `written` begins counts as well.
pub(super) fn nearest<'w>(written: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    const LONGEST: usize = 80; // the comparison needs length × length of memory
    if written.len() > LONGEST {
        return None;
    }
    let plain = |text: &str| text.to_ascii_lowercase().replace('-', "_");
    let written = plain(written);
    let distance = |word: &'w str| {
        let candidate = plain(word);
        let edits = strsim::damerau_levenshtein(&written, &candidate);
        let near = edits <= (candidate.chars().count() / 3).max(1);
        let begun = written.len() >= 4 && candidate.starts_with(&written);
        (near || begun).then_some((!near, edits, word))
    };
    words.into_iter().filter_map(distance).min().map(|(.., word)| word)
}

/// `a, b or c`, each in back quotes.
pub(super) fn listed<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.as_slice() {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [init @ .., last] => format!("{} or {last}", init.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WORDS: [&str; 5] = ["interval", "timeout", "fail_after", "warn_slower_than", "of"];

    #[test]
    fn sorts_by_place_and_drops_what_is_said_twice() {
        let mut problems = Problems::new("v.yaml");
        problems.note(Place { line: 7, column: 3 }, "b", "second", None);
        problems.note(Place { line: 2, column: 9 }, "a", "first", Some("do it".to_owned()));
        problems.note(Place { line: 7, column: 3 }, "b", "second", None);
        assert_eq!(problems.to_string(), "v.yaml:2:9: a: first\n  help: do it\nv.yaml:7:3: b: second");
    }

    #[test]
    fn tells_the_first_hundred_and_counts_the_others() {
        let mut problems = Problems::new("v.yaml");
        for line in (1..=150).rev().chain(1..=10) {
            problems.note(Place { line, column: 1 }, "a", "wrong", None);
        }
        assert_eq!((problems.as_slice().len(), problems.more()), (100, 50));
        assert_eq!(problems.as_slice().last().unwrap().line, 100);
        assert!(problems.to_string().ends_with("v.yaml:100:1: a: wrong\nv.yaml: and 50 more"), "{problems}");
    }

    #[test]
    fn nothing_steers_the_terminal() {
        let mut problems = Problems::new("v.yaml");
        let (place, message) = (Place::START, "\u{1b}]0;title\u{7}".repeat(1_000));
        problems.note(place, "a\u{1b}", &*message, Some("b\nc".to_owned()));
        let said = problems.to_string();
        assert!(said.starts_with("v.yaml:1:1: a\\u{1b}: \\u{1b}]0;title\\u{7}"), "{said}");
        assert!(said.ends_with("…\n  help: b\\nc") && said.len() < 8_000, "{said}");
        assert!(problems.has(place, &message));
    }

    #[test]
    fn finds_what_was_meant() {
        assert_eq!(nearest("timout", WORDS), Some("timeout"));
        assert_eq!(nearest("Fail-After", WORDS), Some("fail_after"));
        assert_eq!(nearest("failAfter", WORDS), Some("fail_after"));
        assert_eq!(nearest("warn_slower", WORDS), Some("warn_slower_than"));
        assert_eq!(nearest("if", WORDS), Some("of"));
        assert_eq!(nearest("colour", WORDS), None);
        assert_eq!(nearest(&"x".repeat(1 << 20), WORDS), None);
    }

    #[test]
    fn lists_words() {
        assert_eq!(listed(["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(listed(["a"]), "`a`");
    }

    proptest! {
        #[test]
        fn one_edit_is_always_near(word in prop::sample::select(WORDS.to_vec()), at in any::<prop::sample::Index>(),
                                   letter in any::<char>(), edit in 0..3) {
            let mut letters: Vec<char> = word.chars().collect();
            let at = at.index(letters.len());
            match edit {
                0 => letters[at] = letter,
                1 => letters.insert(at, letter),
                _ => { letters.remove(at); }
            }
            let written: String = letters.into_iter().collect();
            prop_assert!(nearest(&written, WORDS).is_some(), "{written:?}");
        }
    }
}

//! What a single value in the configuration may be, and how a type reads itself out of one.
//!
//! A type that implements [`Setting`] can be asked for through [`Fields`]; a closed set of words needs
//! only [`Word`]. Knows nothing of which settings exist.

use super::fields::Fields;
use super::node::{Content, Node, Path};
use super::problem::{listed, nearest};
use super::shared::Shared;

/// A type that a value in the configuration can be read as.
pub trait Setting: Sized {
    /// What to call such a value in documents and messages: `duration`, `text`.
    const SHAPE: &'static str;

    /// Whether the value must never be shown.
    const SECRET: bool = false;

    /// Whether the setting `x` can also be given as `x_file`, the path of a file that holds the value.
    const TWIN: bool = false;

    /// Reads the value; `None` where it is wrong, which `reading` has noted.
    fn read(node: &Node, reading: &mut Reading<'_>) -> Option<Self>;

    /// The value for people, on one line, written so that it could be read back; a secret shows as `<secret>`.
    fn show(&self) -> String;

    /// What the value may look like, for documents and editors.
    #[must_use]
    fn schema() -> Schema {
        Schema::Text
    }

    /// [`Setting::SHAPE`] with what is inside: `list of durations`.
    #[must_use]
    fn shape() -> String {
        Self::SHAPE.to_owned()
    }

    /// Hands every secret text in the value to `keep`, so that it can be taken out of other texts.
    fn secrets(&self, keep: &mut dyn FnMut(&str)) {
        let _ = keep;
    }
}

/// What a value may look like. Everything but a list or a mapping may also be a text with `${…}` in it.
#[derive(Clone, Debug, PartialEq)]
pub enum Schema {
    /// Any text.
    Text,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Integer {
        /// The smallest one.
        least: u64,
        /// The largest one.
        most: u64,
    },
    /// A number.
    Number,
    /// A number, or a text such as `80%` or `512Mi`.
    Quantity,
    /// A quantity, or a mapping with the quantities `enter` and `leave`.
    Limit,
    /// A text such as `1h 30m`.
    Duration,
    /// One of these words.
    Words(Vec<&'static str>),
    /// A list.
    List(Box<Schema>),
    /// One value, or a list of them.
    OneOrMany(Box<Schema>),
    /// A mapping with any keys.
    Mapping(Box<Schema>),
    /// Anything.
    Any,
}

/// A closed set of words; whoever implements this is a [`Setting`].
pub trait Word: Copy + 'static {
    /// What the word stands for: `criticality`.
    const MEANING: &'static str;
    /// All of them, in the order in which messages list them.
    const ALL: &'static [Self];
    /// Further words, which this program would know if it were built with the features of the same names.
    const LEFT_OUT: &'static [&'static str] = &[];

    /// The word.
    fn word(self) -> &'static str;
}

impl<W: Word> Setting for W {
    const SHAPE: &'static str = W::MEANING;

    fn read(node: &Node, reading: &mut Reading<'_>) -> Option<Self> {
        let words = || W::ALL.iter().map(|w| w.word());
        let Some(text) = node.text() else {
            reading.expected(node, &listed(words()));
            return None;
        };
        let found = W::ALL.iter().copied().find(|word| word.word() == text);
        match (found, W::LEFT_OUT.iter().find(|word| **word == text)) {
            (Some(_), _) => {}
            (None, Some(feature)) => reading.wrong_with_help(
                node,
                format!("this program was built without `{feature}`"),
                Some(format!("write {}, or build it with `--features {feature}`", listed(words()))),
            ),
            (None, None) => reading.unknown_word(node, words()),
        }
        found
    }

    fn show(&self) -> String {
        self.word().to_owned()
    }

    fn schema() -> Schema {
        Schema::Words(W::ALL.iter().map(|word| word.word()).collect())
    }
}

/// What a type that reads itself needs to say what is wrong.
pub struct Reading<'a> {
    pub(super) shared: &'a mut Shared,
    pub(super) path: Path,
}

impl Reading<'_> {
    /// Notes that the value is wrong. `message` says what to do and does not repeat the value, except through
    /// [`Node::written`] or [`Node::found`].
    pub fn wrong(&mut self, node: &Node, message: impl Into<String>) {
        self.wrong_with_help(node, message, None);
    }

    /// The same, with a hint.
    pub fn wrong_with_help(&mut self, node: &Node, message: impl Into<String>, help: Option<String>) {
        if node.content != Content::Unresolved {
            self.shared.note(node.place, &self.path, message.into(), help);
        }
    }

    /// Notes that something else was wanted: `expected` reads like `a duration such as 15s`.
    pub fn expected(&mut self, node: &Node, expected: &str) {
        self.wrong(node, format!("expected {expected}, found {}", node.found()));
    }

    /// Notes that the value is none of `words`, and which of them comes nearest.
    pub fn unknown_word<'w>(&mut self, node: &Node, words: impl Iterator<Item = &'w str> + Clone) {
        self.unknown_word_for(node, words, None);
    }

    /// The same, where it is known that `meant` was meant.
    pub fn unknown_word_for<'w>(
        &mut self,
        node: &Node,
        words: impl Iterator<Item = &'w str> + Clone,
        meant: Option<&'w str>,
    ) {
        let suggestion = meant.or_else(|| node.written().and_then(|text| nearest(text, words.clone())));
        let help = suggestion.map(|word| format!("did you mean `{word}`?"));
        self.wrong_with_help(node, format!("expected {}, found {}", listed(words), node.found()), help);
    }

    /// The text of a single value; `None` where it is not one, which is noted.
    pub fn text<'n>(&mut self, node: &'n Node, expected: &str) -> Option<&'n str> {
        let text = node.text();
        if text.is_none() {
            self.expected(node, expected);
        }
        text
    }

    /// The text of a single value as `take` understands it; where it does not, it is noted.
    pub fn parsed<T>(
        &mut self,
        node: &Node,
        expected: &str,
        take: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = take(self.text(node, expected)?);
        if value.is_none() {
            self.expected(node, expected);
        }
        value
    }

    /// Whether the value could be read as a `T`; notes nothing.
    pub(super) fn would_take<T: Setting>(&mut self, node: &Node) -> bool {
        let before = std::mem::replace(&mut self.shared.muted, true);
        let taken = T::read(node, self).is_some();
        self.shared.muted = before;
        taken
    }

    /// For the item `index` of the list that is being read.
    pub fn item(&mut self, index: usize) -> Reading<'_> {
        Reading { path: self.path.item(index), shared: self.shared }
    }

    /// For the value of `key` in the mapping that is being read.
    pub fn key(&mut self, key: &str) -> Reading<'_> {
        Reading { path: self.path.key(key), shared: self.shared }
    }

    /// Reads a mapping field by field; `None` where it is not one, which is noted.
    pub fn fields<R>(&mut self, node: &Node, read: impl FnOnce(&mut Fields<'_>) -> R) -> Option<R> {
        let Content::Mapping(entries) = &node.content else {
            self.expected(node, "a mapping");
            return None;
        };
        let mut fields = Fields::new(self.shared, entries, node.place, self.path.clone());
        let value = read(&mut fields);
        fields.finish();
        Some(value)
    }
}

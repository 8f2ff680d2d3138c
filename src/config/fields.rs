//! Takes settings out of one mapping: reading a setting is also what declares it.
//!
//! Each call leaves a record (name, shape, documentation, default, value in effect), so that unknown keys, `config show`,
//! documents and the schema all follow from the code that reads. Knows no setting by name.

mod take;

use super::node::{Content, Entry, Path};
use super::problem::Place;
use super::records::{Need, Origin, Record, Recorded};
use super::setting::{Reading, Setting};
use super::shared::Shared;
use crate::model::Name;

/// The settings of one mapping, taken field by field: taking a field is also what declares it.
///
/// Take all of them before giving up on one, so that every problem is noted and none counts as unknown:
///
/// ```
/// use vitalsign::config::{Fields, SecretUrl};
///
/// fn read(fields: &mut Fields<'_>) -> Option<(SecretUrl, String)> {
///     let url = fields.required("url", "where the database is");
///     let query = fields.or("query", "SELECT 1".to_owned(), "what is asked");
///     Some((url?, query))
/// }
/// ```
pub struct Fields<'a> {
    shared: &'a mut Shared,
    entries: &'a [Entry],
    /// The key of this mapping.
    place: Place,
    path: Path,
    records: Vec<Record>,
    /// What was taken and could not be read, or stands in the wrong place.
    wrong: Vec<String>,
    /// What must be there and is not, with the help for it: told at the end, unless a key that nobody asked for is
    /// what was meant.
    missing: Vec<(&'static str, String)>,
    /// Whether all of it stands elsewhere, for many.
    inherited: bool,
    /// What the command `config example` explains these settings under.
    topic: Option<&'static str>,
    /// Whether only what is written counts as set, because a default here would be that of something else.
    only_written: bool,
}

enum Taken<T> {
    Absent,
    Wrong,
    Value(T),
}

impl<'a> Fields<'a> {
    pub(super) fn new(shared: &'a mut Shared, entries: &'a [Entry], place: Place, path: Path) -> Self {
        Self {
            shared,
            entries,
            place,
            path,
            records: Vec::new(),
            wrong: Vec::new(),
            missing: Vec::new(),
            inherited: false,
            topic: None,
            only_written: false,
        }
    }

    /// A mapping in this one.
    fn inner<'i>(
        &'i mut self,
        entries: &'i [Entry],
        place: Place,
        path: Path,
        inherited: bool,
    ) -> Fields<'i> {
        let (inherited, topic) = (self.inherited || inherited, self.topic);
        let only_written = self.only_written;
        Fields { inherited, topic, only_written, ..Fields::new(self.shared, entries, place, path) }
    }

    /// Says that `vitalsign config example TOPIC` explains these settings.
    pub fn explained_as(&mut self, topic: &'static str) {
        self.topic = Some(topic);
    }

    /// Says that what is absent here has no value, although it has a default: that of what these settings stand in for.
    pub fn only_what_is_written(&mut self) {
        self.only_written = true;
    }

    /// A setting that must be there; `None` when it is absent or wrong, which is noted.
    pub fn required<T: Setting>(&mut self, name: &'static str, doc: &'static str) -> Option<T> {
        match self.take(name, doc, Need::Required) {
            Taken::Value(value) => Some(value),
            Taken::Wrong => None,
            Taken::Absent => {
                let help = format!("add `{name}: …` ({}): {doc}", T::shape());
                self.missing.push((name, help));
                None
            }
        }
    }

    /// A setting that may be absent; a wrong value is noted and reads as absent.
    pub fn optional<T: Setting>(&mut self, name: &'static str, doc: &'static str) -> Option<T> {
        match self.take(name, doc, Need::Optional) {
            Taken::Value(value) => Some(value),
            Taken::Wrong | Taken::Absent => None,
        }
    }

    /// A setting with a default; a wrong value is noted and reads as the default.
    pub fn or<T: Setting>(&mut self, name: &'static str, default: T, doc: &'static str) -> T {
        match self.take(name, doc, Need::Default(default.show())) {
            Taken::Value(value) => value,
            Taken::Wrong | Taken::Absent => default,
        }
    }

    /// Says that what is left in the mapping cannot be judged: it is neither read nor called unknown, save what was
    /// meant to be what is missing.
    pub fn ignore_rest(&mut self) {
        let missing: Vec<&str> = self.missing.iter().map(|(name, _)| *name).collect();
        self.refuse_unknown(|meant| meant.is_some_and(|meant| missing.contains(&meant)));
        self.entries = &[];
    }

    /// A mapping inside this one; an absent one reads as empty.
    pub fn section<R>(
        &mut self,
        name: &'static str,
        doc: &'static str,
        read: impl FnOnce(&mut Fields<'_>) -> R,
    ) -> R {
        self.open(name, doc, false, read).0
    }

    /// A mapping inside this one that may be left out as a whole; what it requires is required only where it is there.
    pub fn optional_section<R>(
        &mut self,
        name: &'static str,
        doc: &'static str,
        read: impl FnOnce(&mut Fields<'_>) -> R,
    ) -> Option<R> {
        let (value, present) = self.open(name, doc, true, read);
        present.then_some(value)
    }

    /// A mapping inside this one with any names, each a mapping that `read` reads, in the order of the file. Gives what
    /// `read` gave for each name.
    pub fn entries<R>(
        &mut self,
        name: &'static str,
        doc: &'static str,
        mut read: impl FnMut(&str, &mut Fields<'_>) -> R,
    ) -> Vec<(String, R)> {
        let path = self.path.key(name);
        let inherited = self.find(name).is_some_and(|entry| entry.inherited);
        let entries = self.mapping(name, Some(EACH)).map_or(&[][..], |(entries, _)| entries);
        let (mut values, mut records) = (Vec::new(), Vec::new());
        let mut one = |fields: &mut Self, key: &str, entries: &[Entry], place: Place, inherited: bool| {
            let mut fields = fields.inner(entries, place, path.key(key), inherited);
            let value = read(key, &mut fields);
            let content = Recorded::Section { optional: false, present: true, fields: fields.finish() };
            records.push(Record { name: key.to_owned(), doc: "", content });
            value
        };
        if self.shared.describing {
            one(self, "<name>", &[], Place::START, false);
        }
        for Entry { key, place, value, inherited: own } in entries {
            let path = self.path.key(name).key(key);
            match &value.content {
                Content::Mapping(entries) => {
                    values.push((key.clone(), one(self, key, entries, *place, inherited || *own)));
                }
                Content::Null => self.shared.note(*place, &path, NO_VALUE.to_owned(), None),
                _ => Reading { shared: self.shared, path }.expected(value, "a mapping"),
            }
        }
        self.record(name, doc, Recorded::Entries(records));
        values
    }

    /// A mapping inside this one with any names, each a single value, in the order of the file; wrong values are noted and
    /// left out.
    pub fn values<T: Setting>(&mut self, name: &'static str, doc: &'static str) -> Vec<(String, T)> {
        let (mut entries, place) = self.mapping(name, None).unwrap_or((&[], self.place));
        let path = self.path.key(name);
        if entries.len() > MOST_VALUES {
            self.problem(name, format!("has more than {MOST_VALUES} entries"));
            entries = &[];
        }
        let mut fields = self.inner(entries, place, path, false);
        if fields.describing() {
            fields.optional::<T>("<name>", "");
        }
        let mut value = |key: &str| fields.take(key, "", Need::Optional).into_value();
        let values =
            entries.iter().filter_map(|entry| Some((entry.key.clone(), value(&entry.key)?))).collect();
        let records = fields.finish();
        self.record(name, doc, Recorded::Entries(records));
        values
    }

    /// Whether the mapping has `name`.
    #[must_use]
    pub fn is_set(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Whether the mapping has `name` itself, and not from a section that stands in for many.
    #[must_use]
    pub fn is_own(&self, name: &str) -> bool {
        !self.inherited && self.find(name).is_some_and(|entry| !entry.inherited)
    }

    /// The keys in the mapping at `name`, without taking it.
    #[must_use]
    pub fn keys_of(&self, name: &str) -> Vec<String> {
        let entries = self.find(name).and_then(|entry| entry.value.entries());
        entries.map(|entries| entries.map(|(key, _)| key.to_owned()).collect()).unwrap_or_default()
    }

    /// The text of `name`, without taking it: for what follows from a setting before its reader comes to it.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.find(name)?.value.text()
    }

    /// Whether `name` was taken and could not be read, so that what stands in for it says nothing about the file.
    #[must_use]
    pub fn is_wrong(&self, name: &str) -> bool {
        self.wrong.iter().any(|wrong| wrong == name)
    }

    /// Every key of the mapping, in the order of the file.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.key.as_str())
    }

    /// Whether this only lists which settings there are: nothing is set, and the value is thrown away.
    #[must_use]
    pub fn describing(&self) -> bool {
        self.shared.describing
    }

    /// The value of `name` as a message may repeat it: the default, or what stands in the file as it is. `None` for
    /// secrets and for what came out of the environment or a file, for what is wrong, and before `name` was taken.
    #[must_use]
    pub fn shown(&self, name: &str) -> Option<&str> {
        let value = self.records.iter().find(|record| record.name == name)?.value()?;
        let public = match &value.origin {
            Origin::Absent => true,
            Origin::Line(_, references) => references.is_empty(),
            Origin::FileAt(_) | Origin::Variable(_) => false,
        };
        value.shown.as_deref().filter(|_| public && !value.secret && !self.is_wrong(name))
    }

    /// Notes at the place of `name` that its value is allowed and yet probably not wanted.
    pub fn warn(&mut self, name: &str, message: impl Into<String>, help: Option<String>) {
        let (name, place, _) = self.place_of(name);
        self.shared.warn(place, &self.path.key(&name), message.into(), help);
    }

    /// Notes a problem with `name` at its place.
    pub fn problem(&mut self, name: &str, message: impl Into<String>) {
        self.problem_with_help(name, message, None);
    }

    /// The same, with a hint.
    pub fn problem_with_help(&mut self, name: &str, message: impl Into<String>, help: Option<String>) {
        let (name, place, inherited) = self.place_of(name);
        self.note(place, &self.path.key(&name), message.into(), help, inherited);
    }

    /// The key that `name`, or the path of the file that holds it, stands at, where that is, and whether it stands in for
    /// many.
    fn place_of(&self, name: &str) -> (String, Place, bool) {
        let twin = format!("{name}_file");
        match (self.find(name), self.find(&twin)) {
            (Some(entry), _) => (name.to_owned(), entry.at(), entry.inherited),
            (None, Some(entry)) => (twin, entry.at(), entry.inherited),
            (None, None) => (name.to_owned(), self.place, false),
        }
    }

    /// Notes that `name`, where it is there, belongs elsewhere; it is not called unknown too.
    pub fn misplaced(&mut self, name: &str, message: impl Into<String>, help: String) {
        if let Some(entry) = self.find(name)
            && !self.records.iter().any(|record| record.name == name)
        {
            self.note(entry.place, &self.path.key(name), message.into(), Some(help), false);
            self.wrong.push(name.to_owned());
        }
    }

    /// Notes a problem with this mapping as a whole, at its key.
    pub fn problem_here(&mut self, message: impl Into<String>) {
        self.problem_here_with_help(message, None);
    }

    /// The same, with a hint.
    pub fn problem_here_with_help(&mut self, message: impl Into<String>, help: Option<String>) {
        self.note(self.place, &self.path.clone(), message.into(), help, false);
    }

    /// Notes a problem; one with what stands in for many is told once, not for each of them.
    fn note(&mut self, place: Place, path: &Path, message: String, help: Option<String>, inherited: bool) {
        if !((inherited || self.inherited) && self.shared.problems.has(place, &message)) {
            self.shared.note(place, path, message, help);
        }
    }

    /// `key`, the key of this mapping, as a name; `None` where it cannot be one, which is noted at the key.
    pub fn name(&mut self, key: &str) -> Option<Name> {
        Name::new(key).map_err(|error| self.problem_here(error.to_string())).ok()
    }
}

/// How many single values a mapping with any names may have.
const MOST_VALUES: usize = 1_000;

/// What to do about a list in the place of a mapping with any names.
const EACH: &str = "write each under its name";

const NO_VALUE: &str = "has no value; give one or remove the key";

impl<T> Taken<T> {
    fn into_value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Wrong => None,
        }
    }
}

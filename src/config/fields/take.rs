//! The half of [`Fields`] that nobody else calls: finding, reading, recording, and what is left over at the end.

use super::{Fields, NO_VALUE, Taken};
use crate::config::interpolate::read_file;
use crate::config::node::{Content, Entry, Node, Scalar, quoted};
use crate::config::problem::{Place, listed, nearest};
use crate::config::records::{Need, Origin, Record, Recorded, Value};
use crate::config::secret::Secret;
use crate::config::setting::{Reading, Setting};
use crate::config::shared::MAX_BROUGHT;
use crate::config::synonyms::ours;
use crate::file::{self, Unreadable};

/// How many keys a message may list.
const FEW: usize = 12;

impl<'a> Fields<'a> {
    /// Ends the mapping: whatever nobody asked for is a problem, and so is what is missing.
    pub(in crate::config) fn finish(mut self) -> Vec<Record> {
        self.refuse_unknown(|_| true);
        for (name, help) in std::mem::take(&mut self.missing) {
            let path = self.path.key(name);
            self.shared.note(self.place, &path, "is missing".to_owned(), Some(help));
        }
        self.records
    }

    /// Notes keys that nobody asked for, of those for which `which` agrees to what each was probably meant to be; what
    /// was meant is then not called missing.
    pub(super) fn refuse_unknown(&mut self, which: impl Fn(Option<&str>) -> bool) {
        let twins =
            |record: &Record| record.value().filter(|v| v.twin).map(|_| format!("{}_file", record.name));
        let twins: Vec<String> = self.records.iter().filter_map(twins).collect();
        let names = self.records.iter().map(|record| record.name.as_str());
        let declared: Vec<&str> = names.chain(twins.iter().map(String::as_str)).collect();
        let known = || declared.iter().copied();
        let unknown = self.entries.iter().filter(|entry| {
            let told = entry.inherited || self.inherited || self.wrong.contains(&entry.key);
            !told && !known().any(|name| name == entry.key)
        });
        let mut found = Vec::new();
        for entry in unknown {
            if !self.shared.would_tell(entry.place) {
                // Looking for what was meant takes longest.
                if which(None) {
                    self.shared.count_more();
                }
                continue;
            }
            let meant = ours(&entry.key, &declared).or_else(|| nearest(&entry.key, known()));
            if which(meant) {
                let help = meant.map_or_else(|| self.known_here(), |name| format!("did you mean `{name}`?"));
                self.shared.note(
                    entry.place,
                    &self.path.key(&entry.key),
                    "unknown key".to_owned(),
                    Some(help),
                );
                found.extend(meant);
            }
        }
        self.missing.retain(|(name, _)| !found.contains(name));
    }

    fn known_here(&self) -> String {
        match (self.records.len(), self.topic) {
            (0, _) => "no keys are known here".to_owned(),
            (count, _) if count <= FEW => {
                format!("known here: {}", listed(self.records.iter().map(|record| record.name.as_str())))
            }
            (_, Some(topic)) => format!("`vitalsign config example {topic}` shows every key"),
            (_, None) => "`vitalsign config example` shows the keys that are known".to_owned(),
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<&'a Entry> {
        self.entries.iter().find(|entry| entry.key == name)
    }

    pub(super) fn record(&mut self, name: &str, doc: &'static str, content: Recorded) {
        if !self.records.iter().any(|record| record.name == name) {
            self.records.push(Record { name: name.to_owned(), doc, content });
        }
    }

    pub(super) fn take<T: Setting>(&mut self, name: &str, doc: &'static str, need: Need) -> Taken<T> {
        let entry = self.find(name);
        let twin = if T::TWIN { self.find(&format!("{name}_file")) } else { None };
        let (taken, origin) = match (entry, twin) {
            (None, None) => (Taken::<T>::Absent, Origin::Absent),
            (Some(entry), None) => {
                let variable = self.shared.environment.variable(&self.path.key(name));
                let origin = match variable {
                    Some(variable) => Origin::Variable(variable),
                    None => Origin::Line(entry.value.place.line, entry.value.references()),
                };
                (
                    self.read_inherited(entry.inherited, |fields| {
                        fields.read_at(&entry.key, entry.place, &entry.value)
                    }),
                    origin,
                )
            }
            (None, Some(twin)) => (
                self.read_inherited(twin.inherited, |fields| fields.read_twin(twin)),
                Origin::FileAt(twin.value.place.line),
            ),
            (Some(_), Some(twin)) => {
                let message = format!("`{name}` is given too; keep one of the two");
                self.shared.note(twin.place, &self.path.key(&twin.key), message, None);
                (Taken::Wrong, Origin::Line(twin.place.line, Vec::new()))
            }
        };
        if matches!(taken, Taken::Wrong) {
            self.wrong.push(name.to_owned());
        }
        let shown = match (&taken, &need) {
            (Taken::Value(value), _) => Some(value.show()),
            (_, Need::Default(default)) if !self.only_written => Some(default.clone()),
            _ => None,
        };
        if let Taken::Value(value) = &taken {
            let secrets = &mut self.shared.secrets;
            value.secrets(&mut |secret| secrets.push(Secret::new(secret)));
        }
        let value = Value {
            shape: T::shape(),
            schema: T::schema(),
            need,
            secret: T::SECRET,
            twin: T::TWIN,
            shown,
            origin,
        };
        self.record(name, doc, Recorded::Value(value));
        taken
    }

    /// Reads what stands in for many, of which whoever reads the section that it stands in has told what is wrong.
    fn read_inherited<T>(&mut self, inherited: bool, read: impl FnOnce(&mut Self) -> Taken<T>) -> Taken<T> {
        let before = self.shared.muted;
        self.shared.muted |= inherited || self.inherited;
        let taken = read(self);
        self.shared.muted = before;
        taken
    }

    fn read_at<T: Setting>(&mut self, key: &str, place: Place, node: &Node) -> Taken<T> {
        let path = self.path.key(key);
        if node.content == Content::Null {
            self.shared.note(place, &path, NO_VALUE.to_owned(), None);
            return Taken::Wrong;
        }
        T::read(node, &mut Reading { shared: self.shared, path }).map_or(Taken::Wrong, Taken::Value)
    }

    /// Reads the value out of the file that `twin` names.
    fn read_twin<T: Setting>(&mut self, twin: &Entry) -> Taken<T> {
        let Some(path) = self.read_at::<String>(&twin.key, twin.place, &twin.value).into_value() else {
            return Taken::Wrong;
        };
        // A path that came out of a variable is named by the variable: it may be the secret itself, put in the wrong place.
        let shown = match twin.value.references() {
            references if references.is_empty() => quoted(&path),
            references => references.concat(),
        };
        match read_file(&self.shared.base, &path, &shown) {
            Ok(text) if self.bring(text.len()) => {
                let references = vec![format!("the file {shown}")];
                let content = Content::Scalar(Scalar { text, quoted: true, references });
                self.read_at(&twin.key, twin.place, &Node { place: twin.value.place, content })
            }
            read => {
                let message = read.err().unwrap_or_else(too_much);
                self.shared.note(twin.value.place, &self.path.key(&twin.key), message, None);
                Taken::Wrong
            }
        }
    }

    /// What is in the file at `path`, which the value of `name` is, `most` bytes at most; `None` where it cannot be had,
    /// which is noted.
    #[cfg_attr(
        not(feature = "_tls"),
        expect(dead_code, reason = "the files are those of certificates and keys")
    )]
    pub(crate) fn content_of(&mut self, name: &str, path: &std::path::Path, most: u64) -> Option<Vec<u8>> {
        let message = match file::read(path, most) {
            Ok(content) if self.bring(content.len()) => return Some(content),
            Ok(_) => too_much(),
            Err(Unreadable::System(error)) => format!("cannot be read: {}", error.kind()),
            Err(problem) => format!("cannot be read: the file {problem}"),
        };
        self.problem(name, message);
        None
    }

    /// Whether there is room for a file of this length.
    fn bring(&mut self, length: usize) -> bool {
        self.shared.brought = self.shared.brought.saturating_add(length as u64);
        self.shared.brought <= MAX_BROUGHT
    }

    /// The mapping at `name`; `None` where there is none, which is noted if something else is there. `instead` says what
    /// to do where that is a list.
    pub(super) fn mapping(&mut self, name: &str, instead: Option<&str>) -> Option<(&'a [Entry], Place)> {
        let Entry { place, value, .. } = self.find(name)?;
        let path = self.path.key(name);
        match &value.content {
            Content::Mapping(entries) => return Some((entries, *place)),
            Content::Null => self.shared.note(*place, &path, NO_VALUE.to_owned(), None),
            Content::List(items) => {
                let help = instead.map(|instead| format!("{instead}: {}", under_its_name(items)));
                let message = format!("expected a mapping, found {}", value.found());
                Reading { shared: self.shared, path }.wrong_with_help(value, message, help);
            }
            _ => Reading { shared: self.shared, path }.expected(value, "a mapping"),
        }
        None
    }

    pub(super) fn open<R>(
        &mut self,
        name: &'static str,
        doc: &'static str,
        optional: bool,
        read: impl FnOnce(&mut Fields<'_>) -> R,
    ) -> (R, bool) {
        let given = self.is_set(name);
        let mapping = self.mapping(name, None);
        let present = mapping.is_some() || (!given && !optional);
        let before = (self.shared.describing, self.shared.muted);
        // Something that is not a mapping has been noted; what is missing in it need not be.
        self.shared.muted |= given && mapping.is_none();
        self.shared.describing |= !given && optional;
        let (entries, place) = mapping.unwrap_or((&[], self.place));
        let path = self.path.key(name);
        let (topic, inherited) =
            (self.topic.or(Some(name)), self.find(name).is_some_and(|entry| entry.inherited));
        let mut fields = Fields { topic, ..self.inner(entries, place, path, inherited) };
        let value = read(&mut fields);
        let fields = fields.finish();
        (self.shared.describing, self.shared.muted) = before;
        self.record(name, doc, Recorded::Section { optional, present, fields });
        (value, present)
    }
}

fn too_much() -> String {
    format!("the files of all settings are larger than {} MiB together", MAX_BROUGHT >> 20)
}

/// How the first of `items` is written in a mapping of names, as far as that can be told.
fn under_its_name(items: &[Node]) -> String {
    let first: Vec<(&str, &Node)> = items.first().and_then(Node::entries).into_iter().flatten().collect();
    let name = first.iter().find(|(key, _)| *key == "name").and_then(|(_, value)| value.written());
    let key = first.iter().map(|(key, _)| *key).find(|key| *key != "name");
    let inside = key.map_or_else(|| "…".to_owned(), |key| format!("{key}: …"));
    format!("`{}: {{ {inside} }}`", name.unwrap_or("NAME"))
}

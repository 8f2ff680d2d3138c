//! What was read, or could have been: one record for every setting that a reader asked for.
//!
//! `config show`, the documents and the schema for editors are made from these records, so they cannot differ from
//! what the code reads. A record never holds a secret, only that there is one.

use std::fmt;

use super::secret::Secret;
use super::setting::Schema;
use crate::model::scrub;

/// All settings of a configuration, in the order in which they were asked for.
#[derive(Clone, Debug)]
pub struct Records {
    pub(super) all: Vec<Record>,
    pub(super) secrets: Vec<Secret>,
    pub(super) warnings: Vec<String>,
}

/// One setting, section or set of entries.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The key.
    pub name: String,
    /// What it is for.
    pub doc: &'static str,
    /// What it holds.
    pub content: Recorded,
}

/// What a record holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Recorded {
    /// A setting.
    Value(Value),
    /// A mapping with these settings.
    Section {
        /// Whether the section may be left out although settings in it are required.
        optional: bool,
        /// Whether it is there; a section that is not optional always is.
        present: bool,
        /// What is in it.
        fields: Vec<Record>,
    },
    /// A mapping with any names; each is a section, or each a setting. A description has one, called `<name>`.
    Entries(Vec<Record>),
}

/// A setting with a value, or with what its value may be.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// What kind of value it is, for people: `list of durations`.
    pub shape: String,
    /// The same, for programs.
    pub schema: Schema,
    /// Whether it must be there.
    pub need: Need,
    /// Whether it must not be shown.
    pub secret: bool,
    /// Whether the same setting may be given as the path of a file, under its name with `_file` behind.
    pub twin: bool,
    /// The value in effect, as it may be shown; `None` where there is none.
    pub shown: Option<String>,
    /// Where the value came from.
    pub origin: Origin,
}

/// Whether a setting must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// It must.
    Required,
    /// It need not, and nothing stands in for it.
    Optional,
    /// It need not: this stands in for it.
    Default(String),
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The configuration does not have it.
    Absent,
    /// A line of the configuration, through these references (`${NAME}`) if any.
    Line(usize, Vec<String>),
    /// A file that a line of the configuration names.
    FileAt(usize),
    /// This variable of the environment, because the configuration does not have it.
    Variable(&'static str),
}

impl Records {
    /// The records at the top.
    #[must_use]
    pub fn as_slice(&self) -> &[Record] {
        &self.all
    }

    /// The record at `path`: `["checks", "orders_db", "timeout"]`.
    #[must_use]
    pub fn get(&self, path: &[&str]) -> Option<&Record> {
        let (last, sections) = path.split_last()?;
        let mut here = self.all.as_slice();
        for name in sections {
            here = find(here, name)?.inner();
        }
        find(here, last)
    }

    /// Every secret text that was read, also those inside URLs; the longest first, so that replacing one after the
    /// other leaves no rest.
    #[must_use]
    pub fn secrets(&self) -> &[Secret] {
        &self.secrets
    }

    /// What is wrong with variables of the environment, which are ignored where it is: sentences that begin with their
    /// names and hold nothing of their values. Then what is allowed in the text and yet probably not wanted, with its
    /// place.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Replaces every secret that was read in `text`; for texts that others wrote, such as a driver's error. Secrets
    /// of less than four bytes stay: any text has those letters somewhere.
    #[must_use]
    pub fn scrub(&self, text: &str) -> String {
        scrub(text, self.secrets.iter().map(Secret::expose)).unwrap_or_else(|| text.to_owned())
    }
}

fn find<'r>(records: &'r [Record], name: &str) -> Option<&'r Record> {
    records.iter().find(|record| record.name == name)
}

impl Record {
    /// What is inside a section or a set of entries.
    #[must_use]
    pub fn inner(&self) -> &[Self] {
        match &self.content {
            Recorded::Value(_) => &[],
            Recorded::Section { fields, .. } => fields,
            Recorded::Entries(entries) => entries,
        }
    }

    /// The setting, where it is one.
    #[must_use]
    pub fn value(&self) -> Option<&Value> {
        match &self.content {
            Recorded::Value(value) => Some(value),
            _ => None,
        }
    }

    /// Whether there is anything to show.
    fn is_set(&self) -> bool {
        match &self.content {
            Recorded::Value(value) => value.shown.is_some(),
            Recorded::Section { present, fields, .. } => *present && fields.iter().any(Self::is_set),
            Recorded::Entries(entries) => !entries.is_empty(),
        }
    }

    fn print(&self, depth: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:indent$}{}:", "", super::show::yaml(&self.name), indent = depth * 2)?;
        if let Recorded::Value(value) = &self.content {
            return writeln!(f, " {}  # {}", value.shown.as_deref().unwrap_or_default(), value.origin);
        }
        writeln!(f)?;
        self.inner().iter().filter(|record| record.is_set()).try_for_each(|record| record.print(depth + 1, f))
    }
}

/// The values in effect as YAML, each with where it came from.
impl fmt::Display for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.all.iter().filter(|record| record.is_set()).try_for_each(|record| record.print(0, f))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("default"),
            Self::Line(line, references) if references.is_empty() => write!(f, "line {line}"),
            Self::Line(line, references) => {
                let references: Vec<_> = references.iter().map(|r| r.escape_debug().to_string()).collect();
                write!(f, "line {line}, from {}", references.join(" and "))
            }
            Self::FileAt(line) => write!(f, "from the file at line {line}"),
            Self::Variable(name) => write!(f, "from the environment variable {name}"),
        }
    }
}

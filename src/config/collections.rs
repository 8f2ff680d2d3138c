//! Lists, mappings and free-form values as settings.

use std::collections::BTreeMap;

use super::node::{Content, Node};
use super::setting::{Reading, Schema, Setting};
use super::show::yaml;

fn plural(shape: &str) -> String {
    match shape.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if shape.ends_with('s') => format!("{shape}es"),
        None => format!("{shape}s"),
    }
}

/// Notes that a list or a mapping was wanted, without repeating what may be a secret.
fn wanted<T: Setting>(node: &Node, reading: &mut Reading<'_>, help: Option<String>) {
    let found = if T::SECRET && node.text().is_some() { "a text".to_owned() } else { node.found() };
    reading.wrong_with_help(node, format!("expected a {}, found {found}", T::shape()), help);
}

/// Every item, so that all that is wrong is noted; `None` where one is wrong.
fn read_all<T: Setting>(items: &[Node], reading: &mut Reading<'_>) -> Option<Vec<T>> {
    let read: Vec<Option<T>> =
        items.iter().enumerate().map(|(index, item)| T::read(item, &mut reading.item(index))).collect();
    read.into_iter().collect()
}

fn show_all<T: Setting>(items: &[T]) -> String {
    format!("[{}]", items.iter().map(T::show).collect::<Vec<_>>().join(", "))
}

impl<T: Setting> Setting for Vec<T> {
    const SHAPE: &'static str = "list";
    const SECRET: bool = T::SECRET;

    fn read(node: &Node, reading: &mut Reading<'_>) -> Option<Self> {
        let Some(items) = node.items() else {
            let item = node.written().filter(|_| !T::SECRET && reading.would_take::<T>(node));
            let help = item.map(|item| format!("write `[{}]`", yaml(item)));
            wanted::<Self>(node, reading, help);
            return None;
        };
        read_all(items, reading)
    }

    fn show(&self) -> String {
        show_all(self)
    }

    fn schema() -> Schema {
        Schema::List(Box::new(T::schema()))
    }

    fn shape() -> String {
        format!("list of {}", plural(&T::shape()))
    }

    fn secrets(&self, keep: &mut dyn FnMut(&str)) {
        for item in self {
            item.secrets(keep);
        }
    }
}

/// One value, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<T: Setting> Setting for OneOrMany<T> {
    const SHAPE: &'static str = "value or list";
    const SECRET: bool = T::SECRET;

    fn read(node: &Node, reading: &mut Reading<'_>) -> Option<Self> {
        match node.items() {
            Some(items) => read_all(items, reading).map(Self),
            None => T::read(node, reading).map(|one| Self(vec![one])),
        }
    }

    fn show(&self) -> String {
        match self.0.as_slice() {
            [one] => one.show(),
            many => show_all(many),
        }
    }

    fn schema() -> Schema {
        Schema::OneOrMany(Box::new(T::schema()))
    }

    fn shape() -> String {
        format!("{} or list of {}", T::shape(), plural(&T::shape()))
    }

    fn secrets(&self, keep: &mut dyn FnMut(&str)) {
        self.0.secrets(keep);
    }
}

impl<T: Setting> Setting for BTreeMap<String, T> {
    const SHAPE: &'static str = "mapping";
    const SECRET: bool = T::SECRET;

    fn read(node: &Node, reading: &mut Reading<'_>) -> Option<Self> {
        let Some(entries) = node.entries() else {
            wanted::<Self>(node, reading, None);
            return None;
        };
        let read: Vec<Option<(String, T)>> = entries
            .map(|(key, value)| Some((key.to_owned(), T::read(value, &mut reading.key(key))?)))
            .collect();
        read.into_iter().collect()
    }

    fn show(&self) -> String {
        let entries: Vec<_> =
            self.iter().map(|(key, value)| format!("{}: {}", yaml(key), value.show())).collect();
        format!("{{{}}}", entries.join(", "))
    }

    fn schema() -> Schema {
        Schema::Mapping(Box::new(T::schema()))
    }

    fn shape() -> String {
        format!("mapping of {}", plural(&T::shape()))
    }

    fn secrets(&self, keep: &mut dyn FnMut(&str)) {
        for value in self.values() {
            value.secrets(keep);
        }
    }
}

/// Any value, typed as YAML's core schema has it: for comparing with JSON.
impl Setting for serde_json::Value {
    const SHAPE: &'static str = "value";

    fn read(node: &Node, reading: &mut Reading<'_>) -> Option<Self> {
        Some(match &node.content {
            Content::Null => Self::Null,
            Content::Unresolved => return None,
            Content::List(items) => Self::Array(read_all(items, reading)?),
            Content::Mapping(_) => {
                Self::Object(BTreeMap::<String, Self>::read(node, reading)?.into_iter().collect())
            }
            Content::Scalar(scalar) if scalar.quoted => Self::String(scalar.text.clone()),
            Content::Scalar(scalar) => match scalar.text.as_str() {
                "true" | "True" | "TRUE" => Self::Bool(true),
                "false" | "False" | "FALSE" => Self::Bool(false),
                text => match serde_json::from_str::<serde_json::Number>(text) {
                    Ok(number) => Self::Number(number),
                    Err(_) => Self::String(text.to_owned()),
                },
            },
        })
    }

    fn show(&self) -> String {
        match self {
            Self::String(text) => format!("\"{}\"", super::show::escaped(text)),
            Self::Array(items) => show_all(items),
            Self::Object(entries) => {
                let entries: Vec<_> =
                    entries.iter().map(|(key, value)| format!("{}: {}", yaml(key), value.show())).collect();
                format!("{{{}}}", entries.join(", "))
            }
            plain => plain.to_string(),
        }
    }

    fn schema() -> Schema {
        Schema::Any
    }
}

//! What the environment gives to a configuration that does not say it itself, such as the variables of OpenTelemetry.
//!
//! A table says which variable stands for which setting; what is given joins the tree as if it stood in the text, so
//! that reading, showing and hiding it is done by the same code. Knows no variable by name. Not for references
//! (`${NAME}`), which stand in the text.

use super::node::{Content, Entry, Node, Path, Scalar};
use super::problem::{Place, Problem, Problems};

/// A variable that stands for a setting where the text does not have it. An empty one counts as not set.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// The setting that it stands for: `["otlp", "timeout"]`.
    pub setting: &'static [&'static str],
    /// Another setting which, where the text has it, keeps this variable from counting too: a general one whose place
    /// the variable would take.
    pub below: Option<&'static [&'static str]>,
    /// Whether it stands for each value of a mapping by itself, wherever the text does not have that one.
    pub each: bool,
    /// What its text means.
    pub means: fn(&str) -> Result<Given, &'static str>,
}

/// What a variable gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// A single value, as it would be written in the text.
    Value(String),
    /// A mapping with these single values.
    Mapping(Vec<(String, String)>),
    /// Nothing: as if the variable were not set.
    Nothing,
}

impl Given {
    /// The variable's text as it is.
    ///
    /// # Errors
    /// None; it has the form that [`Variable::means`] wants.
    pub fn as_is(text: &str) -> Result<Self, &'static str> {
        Ok(Self::Value(text.to_owned()))
    }

    fn into_node(self, variable: &str) -> Option<Node> {
        let reference = format!("${{{variable}}}");
        let scalar = |text| {
            let scalar = Scalar { text, quoted: true, references: vec![reference.clone()] };
            Node { place: Place::ENVIRONMENT, content: Content::Scalar(scalar) }
        };
        match self {
            Self::Value(text) => Some(scalar(text)),
            Self::Mapping(pairs) => {
                let mut entries: Vec<Entry> = Vec::with_capacity(pairs.len());
                for (key, text) in pairs {
                    entries.retain(|entry| entry.key != key);
                    entries.push(Entry { key, place: Place::ENVIRONMENT, value: scalar(text) });
                }
                Some(Node { place: Place::ENVIRONMENT, content: Content::Mapping(entries) })
            }
            Self::Nothing => None,
        }
    }
}

/// Which settings came out of which variable.
#[derive(Debug, Default)]
pub(super) struct FromEnvironment(Vec<(Path, &'static str)>);

impl FromEnvironment {
    /// The variable that the setting at `path`, or one that it is in, came out of.
    pub(super) fn variable(&self, path: &Path) -> Option<&'static str> {
        self.0.iter().find(|(setting, _)| path.is_in(setting)).map(|(_, name)| *name)
    }
}

/// Puts what `variables` give into the tree; one that stands before another in the table wins over it.
pub(super) fn join(
    root: &mut Node,
    variables: &[Variable],
    env: &dyn Fn(&str) -> Option<String>,
    problems: &mut Problems,
) -> FromEnvironment {
    let counts = |variable: &&Variable| {
        let settings = std::iter::once(variable.setting).chain(variable.below);
        variable.each || settings.into_iter().all(|setting| is_free(root, setting))
    };
    let counting: Vec<&Variable> = variables.iter().filter(counts).collect();
    let mut joined = FromEnvironment::default();
    for variable in counting {
        let Some(text) = env(variable.name).filter(|text| !text.trim().is_empty()) else { continue };
        match (variable.means)(text.trim()) {
            Ok(given) => {
                let Some(node) = given.into_node(variable.name) else { continue };
                let mut put = |setting: &[&str], node| {
                    if put(root, setting, node) {
                        let path = setting.iter().fold(Path::default(), |path, key| path.key(key));
                        joined.0.push((path, variable.name));
                    }
                };
                match node.content {
                    Content::Mapping(entries) if variable.each => {
                        for Entry { key, value, .. } in entries {
                            put(&[variable.setting, &[key.as_str()]].concat(), value);
                        }
                    }
                    _ => put(variable.setting, node),
                }
            }
            Err(message) => problems.add(Problem::of_variable(variable.name, message.to_owned(), None)),
        }
    }
    joined
}

/// Whether nothing stands at `setting`, nor anything that is no mapping on the way to it.
fn is_free(node: &Node, setting: &[&str]) -> bool {
    let Some((key, rest)) = setting.split_first() else { return false };
    let Content::Mapping(entries) = &node.content else { return false };
    entries.iter().find(|entry| entry.key == *key).is_none_or(|entry| is_free(&entry.value, rest))
}

/// Puts `value` at `setting`; not where something stands already.
fn put(node: &mut Node, setting: &[&str], value: Node) -> bool {
    let Some((key, rest)) = setting.split_first() else { return false };
    let Content::Mapping(entries) = &mut node.content else { return false };
    let known = entries.iter().position(|entry| entry.key == *key);
    match (known.and_then(|at| entries.get_mut(at)), rest.is_empty()) {
        (Some(_), true) => false,
        (Some(entry), false) => put(&mut entry.value, rest, value),
        (None, _) => {
            let inner = rest.iter().rev().fold(value, |value, key| {
                let entry = Entry { key: (*key).to_owned(), place: Place::ENVIRONMENT, value };
                Node { place: Place::ENVIRONMENT, content: Content::Mapping(vec![entry]) }
            });
            entries.push(Entry { key: (*key).to_owned(), place: Place::ENVIRONMENT, value: inner });
            true
        }
    }
}

//! What the environment gives to a configuration that does not say it itself, such as the variables of OpenTelemetry.
//!
//! A table says which variable stands for which setting; what is given joins the tree as if it stood in the text, so
//! that reading, showing and hiding it is done by the same code. A variable whose value turns out to be wrong, here or
//! when its setting is read, is left out with a warning and the rest is read again, as OpenTelemetry's specification has
//! it: what a machine sets for all programs must not keep one from starting. Knows no variable by name. Not for references
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
    /// What its text means; an error says what was expected and holds nothing of the text.
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
    /// This, but not all of the text means something: what is wrong with it.
    Partly(Box<Given>, &'static str),
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
                    let value = scalar(text);
                    entries.push(Entry { key, place: Place::ENVIRONMENT, value, inherited: false });
                }
                Some(Node { place: Place::ENVIRONMENT, content: Content::Mapping(entries) })
            }
            Self::Nothing => None,
            Self::Partly(given, _) => given.into_node(variable),
        }
    }
}

/// What the variables give, so far as it is of use.
#[derive(Debug, Default)]
pub(super) struct Environment {
    /// In the order of the table, with their texts.
    set: Vec<(Variable, String)>,
    warnings: Vec<String>,
}

impl Environment {
    /// Those of `variables` that are set.
    pub(super) fn look(variables: &[Variable], env: &dyn Fn(&str) -> Option<String>) -> Self {
        let set = variables.iter().filter_map(|variable| {
            let text = env(variable.name)?.trim().to_owned();
            (!text.is_empty()).then_some((*variable, text))
        });
        Self { set: set.collect(), warnings: Vec::new() }
    }

    /// Whether none is set.
    pub(super) fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// Puts what they give into the tree; one that stands before another in the table wins over it.
    pub(super) fn join(&mut self, root: &mut Node) -> FromEnvironment {
        let counts = |variable: &Variable| {
            let settings = std::iter::once(variable.setting).chain(variable.below);
            variable.each || settings.into_iter().all(|setting| is_free(root, setting))
        };
        let counting: Vec<_> = self.set.iter().filter(|(variable, _)| counts(variable)).cloned().collect();
        let mut joined = FromEnvironment::default();
        for (variable, text) in counting {
            let given = match (variable.means)(&text) {
                Ok(Given::Partly(given, why)) => {
                    self.warn(format!("{}: {why}", variable.name));
                    Ok(*given)
                }
                given => given,
            };
            let node = given.map(|given| given.into_node(variable.name));
            let node = node.unwrap_or_else(|why| {
                self.leave_out(variable.name, why);
                None
            });
            let mut put = |setting: &[&str], node| {
                if put(root, setting, node) {
                    let path = setting.iter().fold(Path::default(), |path, key| path.key(key));
                    joined.0.push((path, variable.name));
                }
            };
            match node {
                Some(Node { content: Content::Mapping(entries), .. }) if variable.each => {
                    for Entry { key, value, .. } in entries {
                        put(&[variable.setting, &[key.as_str()]].concat(), value);
                    }
                }
                Some(node) => put(variable.setting, node),
                None => {}
            }
        }
        joined
    }

    /// Leaves out the variables that `problems` are about; whether there are any.
    pub(super) fn leave_out_wrong(&mut self, problems: &Problems) -> bool {
        let before = self.set.len();
        for Problem { path, message, help, .. } in problems.as_slice().iter().filter(|p| p.is_of_variable()) {
            let help = help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
            self.leave_out(path, &format!("{message}{help}"));
        }
        self.set.len() < before
    }

    fn leave_out(&mut self, name: &str, why: &str) {
        self.set.retain(|(variable, _)| variable.name != name);
        self.warn(format!("{name} is ignored: {why}"));
    }

    fn warn(&mut self, text: String) {
        if !self.warnings.contains(&text) {
            self.warnings.push(text);
        }
    }

    /// What is wrong with the variables, in sentences that begin with their names.
    pub(super) fn into_warnings(self) -> Vec<String> {
        self.warnings
    }
}

/// Which settings came out of which variable.
#[derive(Clone, Debug, Default)]
pub(super) struct FromEnvironment(Vec<(Path, &'static str)>);

impl FromEnvironment {
    /// The variable that the setting at `path`, or one that it is in, came out of.
    pub(super) fn variable(&self, path: &Path) -> Option<&'static str> {
        self.0.iter().find(|(setting, _)| path.is_in(setting)).map(|(_, name)| *name)
    }
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
                let entry =
                    Entry { key: (*key).to_owned(), place: Place::ENVIRONMENT, value, inherited: false };
                Node { place: Place::ENVIRONMENT, content: Content::Mapping(vec![entry]) }
            });
            let (key, place) = ((*key).to_owned(), Place::ENVIRONMENT);
            entries.push(Entry { key, place, value: inner, inherited: false });
            true
        }
    }
}

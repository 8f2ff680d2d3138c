//! One configuration, from its bytes to what a reader makes of it: parse, resolve references, read, or all problems.

use std::path::PathBuf;

use super::environment::{Environment, Variable};
use super::fields::Fields;
use super::inherit::{self, Inheritance};
use super::interpolate::{self, Sources};
use super::node::{Content, Node, Path};
use super::parse;
use super::problem::{Place, Problem, Problems};
use super::records::Records;
use super::secret::Secret;
use super::shared::Shared;

/// A configuration that has been parsed, with the problems so far.
pub struct Document {
    root: Option<Node>,
    shared: Shared,
    environment: Environment,
}

impl Document {
    /// Parses `text` and resolves the references in it through `env`. `file` is the name that problems begin with, and
    /// relative paths start from its folder. What is wrong shows when the document is [read](Self::read).
    #[must_use]
    pub fn parse(file: &str, text: impl AsRef<[u8]>, env: &dyn Fn(&str) -> Option<String>) -> Self {
        let base = std::path::Path::new(file).parent().map_or_else(PathBuf::new, PathBuf::from);
        let (mut problems, warnings) = (Problems::new(file), Problems::new(file));
        let mut root = parse::parse(text.as_ref(), &mut problems);
        if let Some(root) = &mut root {
            interpolate::resolve(root, &Sources { env, base: base.clone() }, &mut problems);
        }
        let shared = Shared { problems, warnings, base, ..Shared::default() };
        Self { root, shared, environment: Environment::default() }
    }

    /// Lets `variables` of the environment stand for settings that the text does not have: the text wins. Of two
    /// variables for one setting the first one wins. One whose value is wrong is ignored, see [`Records::warnings`].
    #[must_use]
    pub fn with_environment(mut self, variables: &[Variable], env: &dyn Fn(&str) -> Option<String>) -> Self {
        self.environment = Environment::look(variables, env);
        self
    }

    /// Lets a section of the text stand in for what its other parts leave out.
    #[must_use]
    pub fn with_defaults(mut self, rule: &Inheritance) -> Self {
        if let Some(root) = &mut self.root
            && let Err(place) = inherit::join(root, rule)
        {
            let message = "is too much to stand in every check: it would be more than 500000 values";
            self.shared.problems.note(place, rule.from, message, None);
        }
        self
    }

    /// Lets `read` take its settings out of the document; keys that it did not ask for are problems. It is called once
    /// more where the value of a variable proves wrong.
    ///
    /// # Errors
    /// All problems, where there is one: the document's own and those that reading it found.
    pub fn read<R>(self, mut read: impl FnMut(&mut Fields<'_>) -> R) -> Result<(R, Records), Problems> {
        let Self { root, shared: before, mut environment } = self;
        let Some(mut unread) = root else { return Err(before.problems) };
        loop {
            // Only what variables join may have to be read again.
            let again = if environment.is_empty() { None } else { Some(unread.clone()) };
            let (mut root, mut shared) = (unread, before.clone());
            shared.environment = environment.join(&mut root);
            let Content::Mapping(entries) = &root.content else { return Err(shared.problems) };
            let mut fields = Fields::new(&mut shared, entries, Place::START, Path::default());
            let value = read(&mut fields);
            let all = fields.finish();
            if environment.leave_out_wrong(&shared.problems)
                && let Some(again) = again
            {
                unread = again;
                continue;
            }
            let mut warnings = environment.into_warnings();
            if shared.problems.is_empty() {
                warnings.extend(shared.warnings.texts());
                return Ok((value, Records { all, secrets: longest_first(shared.secrets), warnings }));
            }
            for warning in warnings {
                shared.problems.add(Problem::of_environment(warning));
            }
            return Err(shared.problems);
        }
    }
}

/// What `read` would take: its settings with their documentation and defaults, no values. `read` runs over an empty
/// mapping and sees every required setting as absent, so it must take all settings before it gives up on one.
#[must_use]
pub fn describe<R>(read: impl FnOnce(&mut Fields<'_>) -> R) -> Records {
    let mut shared = Shared { describing: true, ..Shared::default() };
    let mut fields = Fields::new(&mut shared, &[], Place::START, Path::default());
    let _ = read(&mut fields);
    Records { all: fields.finish(), secrets: Vec::new(), warnings: Vec::new() }
}

fn longest_first(mut secrets: Vec<Secret>) -> Vec<Secret> {
    secrets.retain(|secret| !secret.expose().is_empty());
    secrets.sort_by(|a, b| b.expose().len().cmp(&a.expose().len()).then_with(|| a.expose().cmp(b.expose())));
    secrets.dedup();
    secrets
}

#[cfg(test)]
mod tests;

//! What all mappings of one configuration share while it is read.

use std::path::PathBuf;

use super::environment::FromEnvironment;
use super::node::Path;
use super::problem::{Place, Problem, Problems};
use super::secret::Secret;

/// How many bytes the files may have together that settings name.
pub(super) const MAX_BROUGHT: u64 = 256 << 20;

/// What all mappings of one configuration share.
#[derive(Clone, Default)]
pub(super) struct Shared {
    pub(super) problems: Problems,
    /// What is allowed and yet probably not wanted.
    pub(super) warnings: Problems,
    pub(super) secrets: Vec<Secret>,
    /// How many bytes settings have brought in that name a file.
    pub(super) brought: u64,
    /// The folder that relative paths start from.
    pub(super) base: PathBuf,
    /// What does not stand in the text.
    pub(super) environment: FromEnvironment,
    /// Only declaring: nothing is there to be read, and problems do not count.
    pub(super) describing: bool,
    /// Problems do not count, because what is read stands for something else that has been noted.
    pub(super) muted: bool,
}

impl Shared {
    /// Whether a problem at `place` would be told, and not only counted.
    pub(super) fn would_tell(&self, place: Place) -> bool {
        self.describing || self.muted || self.problems.would_keep(place)
    }

    /// Counts a problem behind those that are told.
    pub(super) fn count_more(&mut self) {
        if !self.describing && !self.muted {
            self.problems.count_more();
        }
    }

    pub(super) fn note(&mut self, place: Place, path: &Path, message: String, help: Option<String>) {
        if !self.describing && !self.muted {
            let problem = self.problem(place, path, message, help);
            self.problems.add(problem);
        }
    }

    pub(super) fn warn(&mut self, place: Place, path: &Path, message: String, help: Option<String>) {
        if !self.describing && !self.muted {
            let warning = self.problem(place, path, message, help);
            self.warnings.add(warning);
        }
    }

    fn problem(&self, place: Place, path: &Path, message: String, help: Option<String>) -> Problem {
        let variable = self.environment.variable(path).filter(|_| place == Place::ENVIRONMENT);
        if let Some(name) = variable {
            return Problem::of_variable(name, message, help);
        }
        let Place { line, column } = place;
        Problem { line, column, path: path.to_string(), message, help }
    }
}

//! What the configuration wants to see, as patterns in which `*` stands for any characters. Nothing else is special, so
//! that a path can be written as it is.

use crate::collect::filter::matches;

/// What the configuration says about one property of a mount.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// If there is any: nothing but these, and what is hidden by default is not.
    pub(super) include: Vec<String>,
    /// Not these.
    pub(super) exclude: Vec<String>,
}

impl Wanted {
    /// Whether `text` is shown, where `hidden` lists what is not unless asked for.
    pub(super) fn shows(&self, text: &str, hidden: &[&str]) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, text));
        let included = if self.include.is_empty() {
            !hidden.iter().any(|pattern| matches(pattern, text))
        } else {
            any(&self.include)
        };
        included && !any(&self.exclude)
    }
}

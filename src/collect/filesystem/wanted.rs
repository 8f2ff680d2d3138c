//! What the configuration wants to see, as patterns in which `*` stands for any characters. Nothing else is special, so
//! that a path can be written as it is.

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

/// Whether `text` is `pattern`, in which `*` stands for any characters, `/` too.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, others)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut rest) = text.strip_prefix(start) else { return false };
    let (middle, end) = others.rsplit_once('*').unwrap_or(("", others));
    for part in middle.split('*') {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text) in [
            ("*", ""),
            ("*", "/a/b"),
            ("/a/*", "/a/b/c"),
            ("a*c*e", "abcde"),
            ("a**b", "ab"),
            ("a", "a"),
            ("*a*a*", "aa"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("", "a"), ("/a/*", "/a"), ("a*a", "a"), ("a*c*e", "aec"), ("*a*a*", "a"), ("ab", "a*")]
        {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn patterns_match_what_they_were_made_of(parts in proptest::collection::vec("[ab/]{0,3}", 1..5), fill in "[ab*/]{0,3}") {
            prop_assert!(matches(&parts.join("*"), &parts.join(&fill)));
        }
    }
}

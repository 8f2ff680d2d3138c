//! Which devices a collector shows.

use crate::config::Fields;

/// The settings `include` and `exclude`: names in which `*` stands for any characters.
#[derive(Debug)]
pub(super) struct Filter {
    include: Vec<String>,
    exclude: Vec<String>,
}

impl Filter {
    /// Reads the settings; `include` and `exclude` are their documentation.
    pub(super) fn read(fields: &mut Fields<'_>, include: &'static str, exclude: &'static str) -> Self {
        let mut names = |setting, doc| {
            let names: Vec<String> = fields.or(setting, Vec::new(), doc);
            if names.iter().any(String::is_empty) {
                fields.problem(setting, "a name cannot be empty; `*` stands for any");
            }
            names
        };
        Self { include: names("include", include), exclude: names("exclude", exclude) }
    }

    /// Whether the device `name` is shown; `usual` says whether it is when nobody asks for certain ones.
    pub(super) fn shows(&self, name: &str, usual: impl FnOnce(&str) -> bool) -> bool {
        let named = |names: &[String]| names.iter().any(|pattern| matches(pattern, name));
        let wanted = if self.include.is_empty() { usual(name) } else { named(&self.include) };
        wanted && !named(&self.exclude)
    }
}

/// Whether `name` is what `pattern` says, in which `*` stands for any characters.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(start) else { return false };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*') {
        let Some((_, after)) = name.split_once(part) else { return false };
        name = after;
    }
    name.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, name) in [
            ("*", ""),
            ("*", "sda"),
            ("sd*", "sda"),
            ("*1", "sda1"),
            ("a*b*c", "axbxc"),
            ("sd*", "sd"),
            ("**", "x"),
            ("*", "/a/b"),
            ("/a/*", "/a/b/c"),
            ("a*c*e", "abcde"),
            ("a**b", "ab"),
            ("a", "a"),
            ("*a*a*", "aa"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("sda", "sda1"),
            ("a*a", "a"),
            ("a*b*c", "acb"),
            ("*1", "sda"),
            ("", "x"),
            ("/a/*", "/a"),
            ("a*c*e", "aec"),
            ("*a*a*", "a"),
            ("ab", "a*"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn exclude_wins_and_include_replaces_what_is_usual() {
        let filter = |include: &[&str], exclude: &[&str]| Filter {
            include: include.iter().map(|name| (*name).to_owned()).collect(),
            exclude: exclude.iter().map(|name| (*name).to_owned()).collect(),
        };
        let usual = |name: &str| name != "lo";
        assert!(filter(&[], &[]).shows("eth0", usual));
        assert!(!filter(&[], &[]).shows("lo", usual));
        assert!(filter(&["lo"], &[]).shows("lo", usual));
        assert!(!filter(&["lo"], &[]).shows("eth0", usual));
        assert!(!filter(&["eth*"], &["eth0"]).shows("eth0", usual));
        assert!(!filter(&[], &["eth*"]).shows("eth0", usual));
    }

    proptest! {
        #[test]
        fn a_name_matches_itself_and_what_is_cut_out_of_it(name in "[a-z0-9]{0,12}", from in 0..12usize, to in 0..12usize) {
            prop_assert!(matches(&name, &name));
            let (from, to) = (from.min(name.len()), to.clamp(from.min(name.len()), name.len()));
            let pattern = format!("{}*{}", &name[..from], &name[to..]);
            prop_assert!(matches(&pattern, &name), "{pattern} {name}");
        }

        #[test]
        fn patterns_match_what_they_were_made_of(parts in proptest::collection::vec("[ab/]{0,3}", 1..5), fill in "[ab*/]{0,3}") {
            prop_assert!(matches(&parts.join("*"), &parts.join(&fill)));
        }

        #[test]
        fn no_pattern_is_too_much(pattern in "[*a]{0,40}", name in "\\PC{0,40}") {
            let _ = matches(&pattern, &name);
        }
    }
}

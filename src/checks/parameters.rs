//! The parameters behind the `?` of a URL, as data: each is honoured or refused with the configuration, and none is
//! dropped in silence. Knows no kind of URL; each kind has a table.

use std::borrow::Cow;

/// What becomes of a parameter.
#[derive(Clone, Copy, Debug)]
pub(super) enum Means {
    /// It is honoured.
    #[cfg_attr(
        not(any(feature = "postgres", feature = "redis", test)),
        expect(dead_code, reason = "the other kinds refuse or know all of theirs")
    )]
    Used,
    /// These values ask for what is done anyway; others are refused.
    Same(&'static [&'static str]),
    /// It is refused; what to do instead.
    Instead(&'static str),
}

/// Goes through `pairs`, which are names and values.
///
/// # Errors
/// What to change, for the first parameter that cannot be honoured. Repeats no value.
pub(super) fn look<'u>(
    pairs: impl Iterator<Item = (Cow<'u, str>, Cow<'u, str>)>,
    known: &[(&str, Means)],
) -> Result<(), String> {
    for (name, value) in pairs {
        match known.iter().find(|(known, _)| *known == name) {
            Some((_, Means::Used)) => {}
            Some((_, Means::Same(values))) if values.iter().any(|same| same.eq_ignore_ascii_case(&value)) => {
            }
            Some((name, Means::Same(values))) => {
                return Err(format!("the parameter `{name}` can only be {}", values.join(" or ")));
            }
            Some((name, Means::Instead(hint))) => {
                return Err(format!("the parameter `{name}` cannot be used: {hint}"));
            }
            // What is no word may be the end of a password.
            None if name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c)) => {
                return Err(format!("the parameter `{name}` is not known: remove it from the URL"));
            }
            None => {
                return Err(
                    "a part behind the ? is no parameter: percent-encode a ? in a password".to_owned()
                );
            }
        }
    }
    Ok(())
}

/// Goes through the table of a kind: each parameter does what it says, and others are refused by name. `refused` reads a
/// URL with these parameters as the kind does.
#[cfg(test)]
pub(super) fn each_is_honoured_or_refused(known: &[(&str, Means)], refused: impl Fn(&str) -> Option<String>) {
    let refused_by_name = |name: &str, value: &str| {
        let problem =
            refused(&format!("{name}={value}")).unwrap_or_else(|| panic!("{name}={value} is taken"));
        assert!(problem.contains(&format!("`{name}`")) && !problem.contains(value), "{name}: {problem}");
        problem
    };
    for (name, means) in known {
        match means {
            Means::Used => assert_eq!(refused(&format!("{name}=1")), None, "{name}"),
            Means::Same(values) => {
                for value in *values {
                    assert_eq!(refused(&format!("{name}={value}")), None, "{name}={value}");
                }
                refused_by_name(name, "topsecret");
            }
            Means::Instead(hint) => assert!(refused_by_name(name, "topsecret").contains(hint)),
        }
    }
    refused_by_name("nonsense", "topsecret");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_parameter_is_honoured_or_refused_by_name() {
        const KNOWN: [(&str, Means); 3] = [
            ("db", Means::Used),
            ("tls", Means::Same(&["no", "0"])),
            ("wait", Means::Instead("use `timeout`")),
        ];
        let look = |query: &str| {
            let url: url::Url = format!("x://host/?{query}").parse().unwrap();
            super::look(url.query_pairs(), &KNOWN)
        };
        assert_eq!(look("db=1&tls=NO&db=2"), Ok(()));
        assert_eq!(look(""), Ok(()));
        assert_eq!(look("db=1&tls=topsecret").unwrap_err(), "the parameter `tls` can only be no or 0");
        assert_eq!(look("wait=5").unwrap_err(), "the parameter `wait` cannot be used: use `timeout`");
        assert_eq!(
            look("other=topsecret").unwrap_err(),
            "the parameter `other` is not known: remove it from the URL"
        );
        assert!(!look("top/secret@host/db").unwrap_err().contains("secret"));
    }
}

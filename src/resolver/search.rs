//! Which names are asked for when one is looked up: as resolv.conf(5) has it.

use super::conf::Conf;

/// The longest name in text, without the dot of the root.
const LONGEST: usize = 253;
const LONGEST_LABEL: usize = 63;

/// The names to ask for, in this order; none where `host` cannot be a host name.
pub(super) fn candidates(host: &str, conf: &Conf) -> Vec<String> {
    let bare = host.strip_suffix('.').unwrap_or(host);
    if !is_name(bare) {
        return Vec::new();
    }
    let itself = bare.to_owned();
    if bare.len() < host.len() {
        return vec![itself];
    }
    let searched = conf.search.iter().map(|domain| format!("{bare}.{domain}")).filter(|name| is_name(name));
    if bare.matches('.').count() >= conf.ndots {
        std::iter::once(itself).chain(searched).collect()
    } else {
        searched.chain(std::iter::once(bare.to_owned())).collect()
    }
}

/// Whether `name` can be asked for.
fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    name.len() <= LONGEST && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conf(ndots: usize) -> Conf {
        Conf { ndots, search: vec!["a.test".to_owned(), "test".to_owned()], ..Conf::default() }
    }

    #[test]
    fn dots_say_whether_the_name_itself_comes_first() {
        assert_eq!(candidates("db", &conf(1)), ["db.a.test", "db.test", "db"]);
        assert_eq!(candidates("db.x", &conf(1)), ["db.x", "db.x.a.test", "db.x.test"]);
        assert_eq!(candidates("db.x", &conf(5)), ["db.x.a.test", "db.x.test", "db.x"]);
        assert_eq!(candidates("db", &Conf::default()), ["db"]);
    }

    #[test]
    fn a_final_dot_ends_the_search() {
        assert_eq!(candidates("db.", &conf(5)), ["db"]);
    }

    #[test]
    fn what_is_no_name_is_not_asked_for() {
        let long = "a".repeat(64);
        for wrong in ["", ".", "a..b", "a b", "a/b", "é.test", r"a\.b", long.as_str()] {
            assert!(candidates(wrong, &conf(1)).is_empty(), "{wrong}");
        }
        let nearly = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(61));
        assert_eq!(candidates(&nearly, &conf(1)), [nearly.as_str()], "longer with a domain");
    }
}

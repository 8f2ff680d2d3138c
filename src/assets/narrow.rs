//! Narrows the expressions of a rule file: matchers are added to every selector of the metrics that have the labels.
//!
//! Works on the text, so that comments and layout stay: only what stands under `expr` is read as PromQL, word by word.
//! Knows which names are metrics from whoever asks.

/// `rules` with the matchers that `of` gives for a metric added to each of its selectors.
pub(super) fn narrow(rules: &str, of: &dyn Fn(&str) -> Option<String>) -> String {
    let mut text = String::with_capacity(rules.len() * 2);
    // How far the key of the block of PromQL is indented that the line may belong to.
    let mut block = None;
    for line in rules.split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches(' ').len();
        if block.is_some_and(|key| indent <= key && !line.trim().is_empty()) {
            block = None;
        }
        match line.split_once("expr: ") {
            _ if block.is_some() => text.push_str(&expression(line, of)),
            Some((before, value)) if before.trim_matches([' ', '-']).is_empty() => {
                text.push_str(before);
                text.push_str("expr: ");
                if value.starts_with(['|', '>']) {
                    block = Some(indent);
                    text.push_str(value);
                } else {
                    text.push_str(&expression(value, of));
                }
            }
            _ => text.push_str(line),
        }
    }
    text
}

/// Words after which a list of labels stands.
const LABELS_FOLLOW: [&str; 7] = ["by", "without", "on", "ignoring", "group_left", "group_right", "bool"];

/// One line of PromQL, narrowed. Strings, matchers and lists of labels stay as they are.
fn expression(line: &str, of: &dyn Fn(&str) -> Option<String>) -> String {
    let mut text = String::with_capacity(line.len() * 2);
    let mut rest = line;
    let mut labels_follow = false;
    while let Some(first) = rest.chars().next() {
        if first == '"' || first == '\'' || first == '`' {
            let end = string(rest);
            take(&mut text, &mut rest, end);
        } else if first == '{' || (first == '(' && labels_follow) {
            let end = through(rest, if first == '{' { '}' } else { ')' });
            take(&mut text, &mut rest, end);
            labels_follow = false;
        } else if is_word(first) {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let word = rest.get(..end).unwrap_or_default();
            labels_follow = LABELS_FOLLOW.contains(&word);
            let matchers = of(word).filter(|matchers| !matchers.is_empty());
            take(&mut text, &mut rest, end);
            if let Some(matchers) = matchers {
                if let Some(own) = rest.strip_prefix('{') {
                    text.push_str(&format!("{{{matchers}, "));
                    rest = own;
                    let end = through(rest, '}');
                    take(&mut text, &mut rest, end);
                } else {
                    text.push_str(&format!("{{{matchers}}}"));
                }
            }
        } else {
            labels_follow &= first == ' ';
            take(&mut text, &mut rest, first.len_utf8());
        }
    }
    text
}

/// How long `text` is up to `end`, which does not count inside of a string.
fn through(text: &str, end: char) -> usize {
    let mut at = 0;
    while let Some(first) = text.get(at..).and_then(|rest| rest.chars().next()) {
        if first == end {
            return at + end.len_utf8();
        }
        at += match first {
            '"' | '\'' | '`' => text.get(at..).map_or(1, string),
            other => other.len_utf8(),
        };
    }
    text.len()
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// How long the string is that `text` begins with, its quotes included.
fn string(text: &str) -> usize {
    let quote = text.chars().next();
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote != Some('`') => escaped = true,
            _ if Some(c) == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn take(text: &mut String, rest: &mut &str, length: usize) {
    let (taken, left) = rest.split_at_checked(length).unwrap_or((*rest, ""));
    text.push_str(taken);
    *rest = left;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn up(name: &str) -> Option<String> {
        ["up", "level"].contains(&name).then(|| r#"job="a""#.to_owned())
    }

    #[test]
    fn selectors_get_matchers_and_nothing_else_does() {
        for (line, narrowed) in [
            ("up == 0", r#"up{job="a"} == 0"#),
            (r#"up{b="}"} == 0"#, r#"up{job="a", b="}"} == 0"#),
            ("max by (up, level) (up[5m])", r#"max by (up, level) (up{job="a"}[5m])"#),
            ("a * on(up) group_left (level) level", r#"a * on(up) group_left (level) level{job="a"}"#),
            (
                r#"label_replace(x, "up", "up", 'level', "\"up")"#,
                r#"label_replace(x, "up", "up", 'level', "\"up")"#,
            ),
            ("a:up:b and upper{up=\"1\"}", "a:up:b and upper{up=\"1\"}"),
            ("count(up)", r#"count(up{job="a"})"#),
        ] {
            assert_eq!(expression(line, &up), narrowed);
        }
    }

    #[test]
    fn only_expressions_are_read() {
        let rules = "groups:\n  - name: up\n    rules:\n      # up\n      - record: up\n        expr: up\n      - alert: \
                     Up\n        expr: |\n          up\n          > 1\n\n        for: up\n        annotations: { a: up }\n      \
                     - expr: up\n";
        let narrowed = narrow(rules, &up);
        assert_eq!(narrowed.matches(r#"up{job="a"}"#).count(), 3, "{narrowed}");
        assert_eq!(narrowed.replace(r#"{job="a"}"#, ""), rules);
    }

    proptest! {
        #[test]
        fn whatever_stands_there_is_kept(text in r#"[a-z{}()"'` :|\n\\#upexr]{0,80}"#) {
            prop_assert_eq!(narrow(&text, &|_| None), text);
        }
    }
}

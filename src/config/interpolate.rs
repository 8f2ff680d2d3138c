//! References in values: `${NAME}`, `${NAME:-default}`, `${file:/path}`; `$$` is a literal `$`.
//!
//! Works on the tree, never on the text: whatever a variable holds, it stays one value. Keys are left as they are.
//! As in a shell, the default also stands in for an empty variable. The environment is handed in; the problems name
//! variables and files, never what is in them.

use std::io::ErrorKind;
use std::path::PathBuf;

use super::node::{Content, MAX_TEXT, Node, Path, Scalar, quoted};
use super::problem::Problems;
use crate::file::{self, Unreadable};

/// The largest file that a value may be read from.
const MAX_FILE: u64 = 64 << 10;
/// How many bytes all references of one configuration may bring in.
const MAX_TOTAL: usize = 16 << 20;

/// How many references one value may have.
const MAX_REFERENCES: usize = 100;

/// Where references find what they refer to.
pub(super) struct Sources<'e> {
    /// The environment.
    pub(super) env: &'e dyn Fn(&str) -> Option<String>,
    /// The folder that relative paths start from: the one of the configuration.
    pub(super) base: PathBuf,
}

/// Replaces every reference below `node`; what cannot be had is noted and left as unresolved.
pub(super) fn resolve(node: &mut Node, sources: &Sources<'_>, problems: &mut Problems) {
    let mut budget = MAX_TOTAL;
    walk(node, &Path::default(), sources, &mut budget, problems);
}

fn walk(node: &mut Node, path: &Path, sources: &Sources<'_>, budget: &mut usize, problems: &mut Problems) {
    match &mut node.content {
        Content::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                walk(item, &path.item(index), sources, budget, problems);
            }
        }
        Content::Mapping(entries) => {
            for entry in entries {
                walk(&mut entry.value, &path.key(&entry.key), sources, budget, problems);
            }
        }
        Content::Scalar(scalar) if scalar.text.contains('$') => {
            let wrong = expand(scalar, sources, budget);
            if !wrong.is_empty() {
                for (message, help) in wrong {
                    problems.note(node.place, path, message, help);
                }
                node.content = Content::Unresolved;
            }
        }
        Content::Scalar(_) | Content::Null | Content::Unresolved => {}
    }
}

type Wrong = (String, Option<String>);

/// Replaces the references in one value; what is wrong with them otherwise.
fn expand(scalar: &mut Scalar, sources: &Sources<'_>, budget: &mut usize) -> Vec<Wrong> {
    let (mut out, mut wrong) = (String::new(), Vec::new());
    let mut rest = scalar.text.as_str();
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if out.len() > MAX_TEXT || scalar.references.len() + wrong.len() > MAX_REFERENCES {
            break;
        }
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(inside) = after.strip_prefix('{') {
            let Some((reference, after)) = inside.split_once('}') else {
                wrong.push(literal_help("`${` has no closing `}`"));
                rest = "";
                break;
            };
            match look_up(reference, sources) {
                Ok(text) if text.len() <= *budget => {
                    *budget -= text.len();
                    out.push_str(&text);
                    scalar.references.push(format!("${{{}}}", name_of(reference)));
                }
                Ok(_) => wrong.push(("references bring in more than 16 MiB".to_owned(), None)),
                Err(message) => wrong.push(message),
            }
            rest = after;
        } else {
            wrong.extend(bare(after, out.is_empty(), sources));
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    if scalar.references.len() > MAX_REFERENCES {
        wrong.push((format!("has more than {MAX_REFERENCES} references"), None));
    } else if out.len() > MAX_TEXT {
        wrong
            .push((format!("is longer than {} MiB with what its references bring in", MAX_TEXT >> 20), None));
    }
    if wrong.is_empty() {
        scalar.text = out;
    }
    wrong
}

/// What is wrong with a `$` before `after` that begins no reference and was probably meant to: before the name of a
/// variable that is set, or of any variable where nothing else is there.
fn bare(after: &str, alone: bool, sources: &Sources<'_>) -> Option<Wrong> {
    let end = after.find(|c: char| !c.is_ascii_uppercase() && !c.is_ascii_digit() && c != '_');
    let (name, rest) = after.split_at_checked(end.unwrap_or(after.len()))?;
    if name.len() < 2 || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let set = (sources.env)(name).is_some();
    // One that is not set may be a part of a password: it is not repeated.
    let reference = if set { format!("${{{name}}}") } else { "${NAME}".to_owned() };
    let help = format!("write `{reference}` for a variable of the environment, `$$` for a literal `$`");
    (set || (alone && rest.is_empty())).then(|| ("a reference needs braces".to_owned(), Some(help)))
}

fn literal_help(message: impl Into<String>) -> Wrong {
    (message.into(), Some("write `$$` for a literal `$`".to_owned()))
}

/// The reference without its default.
fn name_of(reference: &str) -> &str {
    if reference.starts_with("file:") {
        return reference;
    }
    reference.split_once(":-").map_or(reference, |(name, _)| name)
}

fn look_up(reference: &str, sources: &Sources<'_>) -> Result<String, Wrong> {
    if let Some(path) = reference.strip_prefix("file:") {
        let read = read_file(&sources.base, path, &quoted(path));
        return read.map_err(|message| (format!("${{file:…}}: {message}"), None));
    }
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if !first || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        let message = "`${…}` must hold the name of a variable, `NAME:-default` or `file:/path`";
        return Err(literal_help(message));
    }
    if default.is_some_and(|default| default.contains("${")) {
        return Err(literal_help("a default cannot hold another `${…}`"));
    }
    match ((sources.env)(name), default) {
        (Some(text), None) => Ok(text),
        (Some(text), Some(_)) if !text.is_empty() => Ok(text),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => {
            let help = format!("set it, or give a default: `${{{name}:-…}}`");
            Err((format!("the environment variable {name} is not set"), Some(help)))
        }
    }
}

/// What is in the file at `path`, without the newline at its end; the message for when it cannot be had, in which the
/// path is called `shown`.
pub(super) fn read_file(base: &std::path::Path, path: &str, shown: &str) -> Result<String, String> {
    if path.trim().is_empty() {
        return Err("the path is empty".to_owned());
    }
    let read = file::read(&base.join(path), MAX_FILE);
    let bytes = read.map_err(|problem| match problem {
        Unreadable::System(error) => match error.kind() {
            ErrorKind::NotFound => format!("there is no file {shown}; create it or correct the path"),
            ErrorKind::PermissionDenied => {
                format!("the file {shown} may not be read; grant this user read access")
            }
            ErrorKind::IsADirectory => format!("{shown} is a folder; name a file in it"),
            kind => format!("the file {shown} cannot be read ({kind})"),
        },
        problem => format!("the file {shown} {problem}"),
    })?;
    let mut text = String::from_utf8(bytes).map_err(|_| format!("the file {shown} is not UTF-8 text"))?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::problem::Place;
    use proptest::prelude::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "A" => Some("alpha".to_owned()),
            "EMPTY" | "A_SET" => Some(String::new()),
            "TRICKY" => Some("x\ny: ${A} # $$".to_owned()),
            _ => None,
        }
    }

    fn expanded(text: &str) -> Result<String, String> {
        let mut problems = Problems::new("t");
        let scalar = Scalar { text: text.to_owned(), quoted: false, references: Vec::new() };
        let mut node = Node { place: Place::START, content: Content::Scalar(scalar) };
        resolve(&mut node, &Sources { env: &env, base: PathBuf::new() }, &mut problems);
        if problems.is_empty() { Ok(node.text().unwrap().to_owned()) } else { Err(problems.to_string()) }
    }

    #[test]
    fn replaces_references() {
        assert_eq!(expanded("${A}-${B:-b}-${EMPTY:-e}-${EMPTY}").unwrap(), "alpha-b-e-");
        assert_eq!(expanded("$$ $5 $${A} $").unwrap(), "$ $5 ${A} $");
        assert_eq!(expanded("<${TRICKY}>").unwrap(), "<x\ny: ${A} # $$>", "what comes in is not read again");
        assert_eq!(expanded("${A:-x:-y}").unwrap(), "alpha");
    }

    #[test]
    fn says_what_is_missing_and_how_to_fix_it() {
        let all = expanded("${NOPE} and ${A").unwrap_err();
        assert!(all.contains("the environment variable NOPE is not set"), "{all}");
        assert!(all.contains("set it, or give a default: `${NOPE:-…}`"), "{all}");
        assert!(all.contains("`${` has no closing `}`"), "{all}");
        assert!(expanded("${se cret}").unwrap_err().contains("must hold the name of a variable"));
        assert!(expanded("${A:-${A}}").unwrap_err().contains("cannot hold another"));
    }

    #[test]
    fn a_variable_without_braces_is_told() {
        for text in ["$A_SET", "http://$A_SET:80/"] {
            let said = expanded(text).unwrap_err();
            assert!(
                said.contains("a reference needs braces\n  help: write `${A_SET}` for"),
                "{text}: {said}"
            );
        }
        let said = expanded("$CANARY").unwrap_err();
        assert!(said.contains("write `${NAME}` for") && !said.contains("CANARY"), "{said}");
        for literal in ["$", "$5", "a$", "^x$", "$.status", "pa$CANARY", "$CANARY ", "$$A_SET", "$1 and $A"] {
            assert!(expanded(literal).is_ok(), "{literal}");
        }
    }

    #[test]
    fn reads_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path.display().to_string()
        };
        assert_eq!(expanded(&format!("a${{file:{}}}b", file("one", b"x\n\n"))).unwrap(), "ax\nb");
        assert_eq!(expanded(&format!("${{file:{}}}", file("crlf", b"x\r\n"))).unwrap(), "x");
        let wrong = |path: String| expanded(&format!("${{file:{path}}}")).unwrap_err();
        assert!(wrong(file("bad", b"\xff")).contains("is not UTF-8 text"));
        assert!(wrong(file("big", &vec![b'x'; 65_537])).contains("is larger than 64 KiB"));
        assert!(wrong(folder.path().join("none").display().to_string()).contains("there is no file"));
        assert!(wrong(folder.path().display().to_string()).contains("is a folder"));
        assert!(wrong(String::new()).contains("the path is empty"));
    }

    /// Otherwise whoever names a pipe or a device waits for ever.
    #[cfg(target_os = "linux")]
    #[test]
    fn only_a_regular_file_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("most");
        std::fs::write(&path, vec![b'x'; 65_536]).unwrap();
        assert_eq!(expanded(&format!("${{file:{}}}", path.display())).unwrap().len(), 65_536);

        let pipe = folder.path().join("pipe");
        let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::from_raw_mode(0o600));
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, kind, mode, 0).unwrap();
        for path in [pipe.to_str().unwrap(), "/dev/zero"] {
            let refused = expanded(&format!("${{file:{path}}}")).unwrap_err();
            assert!(refused.contains(&format!("the file \"{path}\" is not a regular file")), "{refused}");
        }
    }

    proptest! {
        #[test]
        fn doubling_dollars_keeps_any_text(text in any::<String>()) {
            prop_assert_eq!(expanded(&text.replace('$', "$$")).unwrap(), text);
        }
    }
}

//! A source file, read as far as the rules need it: lines without comments, paths into this crate and into others.
//! No parser: what it would take for code inside a text literal does not occur, and would show as a broken rule.

use std::{collections::BTreeSet, path::Path};

/// A file below `src`.
pub(super) struct File {
    /// Its path below `src`.
    pub(super) path: String,
    /// The part of the program that it belongs to: `metrics` for `metrics.rs` and `metrics/store.rs`.
    pub(super) part: String,
    /// All of it.
    pub(super) text: String,
}

/// Every file below `src`.
pub(super) fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    collect(&root, &root, &mut all);
    all.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(all.len() > 50, "found only {} source files", all.len());
    all
}

fn collect(root: &Path, folder: &Path, all: &mut Vec<File>) {
    for entry in std::fs::read_dir(folder).expect("read a folder of the sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(root, &path, all);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(&path).expect("read a source file");
            let path = path.strip_prefix(root).expect("below src").to_str().expect("a plain name").to_owned();
            let part = path.split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned();
            all.push(File { path, part, text });
        }
    }
}

/// The names of the dependencies, as the code spells them.
pub(super) fn dependencies() -> BTreeSet<String> {
    let manifest =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).expect("Cargo.toml");
    let lines = manifest.lines().skip_while(|line| *line != "[dependencies]").skip(1);
    let entries = lines.take_while(|line| !line.starts_with('['));
    entries.filter_map(|line| Some(line.split_once(" =")?.0.replace('-', "_"))).collect()
}

impl File {
    /// The lines without comments, numbered from 1.
    pub(super) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().filter_map(|(index, line)| {
            let code = if line.trim_start().starts_with("//") { "" } else { line };
            let code = code.split_once(" // ").map_or(code, |(code, _)| code);
            (!code.is_empty()).then_some((index + 1, code))
        })
    }

    /// Whether the whole file is for tests.
    pub(super) fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// Whether a line stands in the file's module of tests, which is its last item.
    pub(super) fn in_tests(&self, line: usize) -> bool {
        let begins = self.text.lines().position(|line| line == "mod tests {");
        begins.is_some_and(|index| line > index)
    }

    /// How many `super::` lead from a line to the root of the crate.
    fn depth(&self, line: usize) -> usize {
        self.path.split('/').count() + usize::from(self.in_tests(line))
    }
}

/// The words of a line.
pub(super) fn identifiers(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// The parts of this crate that a file names, with the lines in which it does.
pub(super) fn crate_paths(file: &File) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let lines: Vec<(usize, &str)> = file.code().collect();
    for (index, (line, code)) in lines.iter().enumerate() {
        for path in paths(code, "crate::") {
            // A group may go on in the lines below.
            let below = lines.iter().skip(index + 1).map(|(_, code)| *code);
            let rest: String = std::iter::once(path).chain(below.take(40)).collect::<Vec<_>>().join(" ");
            found.extend(first_names(&rest).into_iter().map(|name| (*line, name)));
        }
        for path in paths(code, "super::") {
            let mut rest = path;
            let mut steps = 1;
            while let Some(further) = rest.strip_prefix("super::") {
                (rest, steps) = (further, steps + 1);
            }
            if steps >= file.depth(*line) {
                found.extend(first_names(rest).into_iter().map(|name| (*line, name)));
            }
        }
    }
    found
}

/// What follows each `start` that begins a path.
fn paths<'a>(code: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    code.match_indices(start).filter_map(move |(at, _)| {
        let before = code.get(..at)?.chars().next_back().unwrap_or(' ');
        let begins = !before.is_alphanumeric() && !matches!(before, '_' | ':' | '$');
        begins.then(|| code.get(at + start.len()..)).flatten()
    })
}

/// `a` of `a::b`, or `a` and `c` of `{a::{x, y}, c}`.
fn first_names(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else {
        return identifiers(path).next().map(str::to_owned).into_iter().collect();
    };
    let (mut names, mut depth, mut name) = (Vec::new(), 0, String::new());
    for letter in group.chars() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(std::mem::take(&mut name)),
            _ if depth == 0 => name.push(letter),
            _ => {}
        }
    }
    names.push(name);
    names.iter().filter_map(|name| Some(identifiers(name).next()?.to_owned())).collect()
}

/// The lines in which a file names the foreign crate `name`.
pub(super) fn foreign(file: &File, name: &str) -> Vec<usize> {
    // A module of that name is nearer than the crate.
    if file.code().any(|(_, code)| code.ends_with(&format!("mod {name};"))) {
        return Vec::new();
    }
    let (path, import) = (format!("{name}::"), format!("use {name}"));
    let names = |code: &str| {
        paths(code, &path).next().is_some()
            || code.trim_start().strip_prefix(&import).is_some_and(|rest| rest.starts_with([';', ' ']))
    };
    file.code().filter(|(_, code)| names(code)).map(|(line, _)| line).collect()
}

/// The texts that a file gives to people: those of problems, of outcomes and of messages, with their lines.
pub(super) fn sentences(file: &File) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let code: Vec<(usize, &str)> = file.code().collect();
    let all: String = code.iter().map(|(line, code)| format!("\u{1}{line}\u{1} {code} ")).collect();
    for (call, arguments_before) in [
        (".message(", 0),
        (".problem_here(", 0),
        (".problem(", 1),
        ("Outcome::fail(", 0),
        ("Outcome::warn(", 0),
    ] {
        for (at, _) in all.match_indices(call) {
            let line = all.get(..at).and_then(|before| before.rsplit('\u{1}').nth(1)).unwrap_or_default();
            let mut rest = all.get(at + call.len()..).unwrap_or_default();
            for _ in 0..arguments_before {
                rest = rest.split_once(',').map_or("", |(_, rest)| rest);
            }
            if let (Some(text), Ok(line)) = (literal(rest), line.parse()) {
                found.push((line, text.to_owned()));
            }
        }
    }
    found
}

/// The text literal that comes next, where nothing but `format!(`, line numbers and blanks stands before it.
fn literal(code: &str) -> Option<&str> {
    let (before, rest) = code.split_once('"')?;
    let plain = before.split('\u{1}').step_by(2).all(|part| matches!(part.trim(), "" | "format!("));
    plain.then(|| rest.split('"').next()).flatten()
}

#[test]
fn a_file_is_read_as_the_rules_need_it() {
    let text = "//! What.\n// use crate::cli;\nuse crate::{\n    health::{Board, cli}, // crate::cli\n    web,\n};\n\
                use super::super::agent::Plan;\nuse super::Store;\nfn x() -> sqlx::Row { a::sqlx::b; mysqlx::c }\n\
                fn y() {\n    fields.problem(\"key\", format!(\n        \"Wrong {}\"));\n}\nmod tests {\n    \
                use super::super::Store;\n    use super::super::super::runner;\n}\n";
    let file =
        File { path: "metrics/store.rs".to_owned(), part: "metrics".to_owned(), text: text.to_owned() };
    let found = |found: &[(usize, &str)]| {
        found.iter().map(|(line, word)| (*line, (*word).to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(crate_paths(&file), found(&[(3, "health"), (3, "web"), (7, "agent"), (16, "runner")]));
    assert_eq!(foreign(&file, "sqlx"), [9]);
    assert_eq!(sentences(&file), found(&[(11, "Wrong {}")]));
    assert!(file.in_tests(15) && !file.in_tests(13));
}

//! Configurations to begin with: one with every kind in it, and one that explains every key of a kind or a section.
//!
//! All of it follows from what the code that reads settings leaves in its records, and from the example that each kind
//! has: what can be set but is not, stands in a comment with its default.

use std::fmt::Write as _;

use crate::checks::{self, Kind};
use crate::config::{Measurable, Need, Record, Recorded, Schema, Value, describe, read_policy};
use crate::model::Measures;

use super::plan;

/// How long a line of a comment may get.
const WIDTH: usize = 100;

/// A configuration with every kind in it, or one that explains every key of the kind or section called `topic`.
///
/// # Errors
/// What there is, where there is no such kind or section.
pub fn example(topic: Option<&str>) -> Result<String, String> {
    let Some(topic) = topic else { return Ok(overview()) };
    if let Some(kind) = checks::kind(topic) {
        return Ok(of_kind(kind));
    }
    let sections = describe(plan::read);
    if let Some(section) = sections.as_slice().iter().find(|record| record.name == topic) {
        let mut text = String::new();
        explain(section, "", 0, &mut text);
        return Ok(text);
    }
    let kinds: Vec<&str> = checks::KINDS.iter().map(|kind| kind.name()).collect();
    let sections: Vec<&str> = sections.as_slice().iter().map(|record| record.name.as_str()).collect();
    let hint = checks::kind_meant_by(topic).map(|kind| format!("; did you mean {:?}?", kind.name()));
    Err(format!(
        "no kind and no section is called {topic:?}{}\n  kinds: {}\n  sections: {}",
        hint.unwrap_or_default(),
        kinds.join(", "),
        sections.join(", ")
    ))
}

fn overview() -> String {
    let mut text = String::from(
        "# An example with every kind; keep what you need.\n\
         # `vitalsign config example KIND` explains every key of a kind, `… SECTION` those of a section, such as\n\
         # defaults, collectors or otlp.\n\
         # ${NAME} is the environment's NAME, ${file:/path} the content of a file.\n\
         listen: \":10464\"\n\
         service: orders\n\
         stop: { drain: 5s, within: 20s }\n\
         log: { level: info, format: logfmt }\n\
         # otlp: { endpoint: \"http://collector:4318\", spool: { directory: /var/lib/vitalsign/spool } }\n\
         # What holds for all checks, or all of one kind, that do not say otherwise:\n\
         defaults: { interval: 15s, kinds: { http: { timeout: 2s } } }\n\
         checks:\n",
    );
    if checks::kind("http").is_none() {
        text = text.replace(", kinds: { http: { timeout: 2s } }", "");
    }
    for kind in checks::KINDS {
        begin(*kind, &mut text);
        for line in kind.example().lines() {
            let _ = writeln!(text, "    {line}");
        }
    }
    text
}

fn begin(kind: &dyn Kind, text: &mut String) {
    let name = kind.name();
    let _ = write!(text, "  # {}\n  example_{name}:\n    kind: {name}\n", kind.about());
}

fn of_kind(kind: &dyn Kind) -> String {
    let mut text = String::from("checks:\n");
    begin(kind, &mut text);
    let measurable = Measurable::of_any_check(kind.measures());
    let own = describe(|fields| kind.build(fields).is_some());
    let every = describe(|fields| read_policy(fields, &kind.policy_for(fields), &measurable));
    for record in own.as_slice() {
        explain(record, kind.example(), 2, &mut text);
    }
    text.push_str("\n    # How it is run and judged, as every check:\n");
    for record in every.as_slice() {
        explain(record, kind.example(), 2, &mut text);
        if record.name == "thresholds" {
            tell_measurements(&kind.measures(), &mut text);
        }
    }
    text
}

fn tell_measurements(measures: &Measures, text: &mut String) {
    let known = measures.to_string();
    let line = if known.is_empty() { "nothing is measured".to_owned() } else { format!("measured: {known}") };
    comment(&line, 3, text);
}

/// Writes `record` as `written` has it, or in a comment with its default.
fn explain(record: &Record, written: &str, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    let block = block_of(&record.name, written);
    let about = match record.value() {
        Some(value) => format!("{} ({})", record.doc, about(&record.name, value)),
        None => record.doc.to_owned(),
    };
    if !about.is_empty() {
        text.push('\n');
        comment(&about, depth, text);
    }
    let mut lines = block.iter();
    match (lines.next(), &record.content) {
        // What is given with everything in it on one line, or a value.
        (Some(line), content) if !line.ends_with(':') || matches!(content, Recorded::Value(_)) => {
            for line in &block {
                let _ = writeln!(text, "{indent}{line}");
            }
            for inner in record.inner() {
                list(inner, "", depth + 1, text);
            }
        }
        (Some(line), _) => {
            let _ = writeln!(text, "{indent}{line}");
            let inside: Vec<&str> = lines.filter_map(|line| line.strip_prefix("  ")).collect();
            for inner in record.inner() {
                explain(inner, &inside.join("\n"), depth + 1, text);
            }
        }
        (None, Recorded::Value(value)) => {
            let _ = writeln!(text, "{indent}#{}: {}", record.name, placeholder(value));
        }
        (None, _) => {
            let _ = writeln!(text, "{indent}#{}:", record.name.replace("<name>", "NAME"));
            for inner in record.inner() {
                explain(inner, "", depth + 1, text);
            }
        }
    }
}

/// Writes in comments what can be set in something that is given as a whole.
fn list(record: &Record, path: &str, depth: usize, text: &mut String) {
    let name = format!("{path}{}", record.name.replace("<name>", "NAME"));
    if let Some(value) = record.value() {
        comment(&format!("{name}: {} ({})", record.doc, about(&record.name, value)), depth, text);
    }
    for inner in record.inner() {
        list(inner, &format!("{name}."), depth, text);
    }
}

/// The lines of `written` that give `name`.
fn block_of<'w>(name: &str, written: &'w str) -> Vec<&'w str> {
    let begins = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(':'));
    let mut lines = written.lines().skip_while(|line| !begins(line));
    let first = lines.next();
    first.into_iter().chain(lines.take_while(|line| line.starts_with(' '))).collect()
}

/// What a value is like, and what stands in for it.
fn about(name: &str, value: &Value) -> String {
    let shape = match &value.schema {
        Schema::Words(words) => words.join(", "),
        _ => value.shape.clone(),
    };
    let need = match &value.need {
        Need::Required => "; required".to_owned(),
        Need::Optional => String::new(),
        Need::Default(default) => format!("; default {default}"),
    };
    let twin = if value.twin { format!("; or `{name}_file`, a path") } else { String::new() };
    format!("{shape}{need}{twin}")
}

fn placeholder(value: &Value) -> String {
    match &value.need {
        Need::Default(default) => default.clone(),
        Need::Required | Need::Optional => format!("<{}>", value.shape),
    }
}

/// Writes `words` as comment, in lines that are not too long.
fn comment(words: &str, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    let mut line = format!("{indent}#");
    for word in words.split(' ') {
        if line.len() + 1 + word.len() > WIDTH && line.len() > indent.len() + 1 {
            text.push_str(&line);
            text.push('\n');
            line = format!("{indent}#");
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Document;

    fn read(text: &str) -> Result<usize, String> {
        let document = Document::parse("example", text, &|_| Some("postgres://db/shop".to_owned()));
        let plan = super::super::Plan::read(document).map_err(|problems| problems.to_string())?;
        Ok(plan.0.checks.len())
    }

    /// Whether `line` is a setting in a comment that has a value to take.
    fn set(line: &str) -> Option<String> {
        let (indent, setting) = line.split_once('#')?;
        let takes = indent.trim().is_empty() && !setting.starts_with(' ') && !setting.contains(": <");
        takes.then(|| format!("{indent}{setting}"))
    }

    #[test]
    fn every_kind_is_explained_and_can_be_run_as_it_is_printed() {
        for kind in checks::KINDS {
            let text = example(Some(kind.name())).unwrap();
            assert_eq!(read(&text), Ok(1), "{text}");
            assert!(text.lines().all(|line| line.len() <= WIDTH + 60), "{text}");
            let records = describe(|fields| {
                let policy = kind.policy();
                read_policy(fields, &policy, &Measurable::of_any_check(kind.measures()));
                kind.build(fields).is_some()
            });
            for record in records.as_slice() {
                let doc = record.doc.split(' ').next().unwrap_or_default();
                let key = format!("{}:", record.name);
                let there = |line: &str| line.trim_start().trim_start_matches('#').starts_with(&key);
                assert!(text.lines().any(there), "{} has no {key}\n{text}", kind.name());
                assert!(text.contains(doc), "{} does not explain {key}\n{text}", kind.name());
            }
        }
    }

    /// What stands in a comment as a default is what would be read without it.
    #[test]
    fn a_default_can_be_taken_out_of_its_comment() {
        for kind in checks::KINDS {
            let text = example(Some(kind.name())).unwrap();
            for (at, line) in text.lines().enumerate() {
                let Some(line) = set(line).filter(|line| !line.ends_with(':')) else { continue };
                // Only what is a setting of the check itself; more deeply it would stand alone.
                if line.starts_with("     ") {
                    continue;
                }
                let lines = text.lines().enumerate();
                let with: Vec<&str> =
                    lines.map(|(n, old)| if n == at { line.as_str() } else { old }).collect();
                assert_eq!(read(&with.join("\n")), Ok(1), "{line}");
            }
        }
    }

    #[test]
    fn sections_are_explained_and_what_is_neither_is_told() {
        for section in ["defaults", "collectors", "stop", "listen"] {
            let text = example(Some(section)).unwrap();
            assert!(text.contains(&format!("#{section}:")), "{text}");
            assert_eq!(read(&text), Ok(0), "{text}");
        }
        let said = example(Some("rabbitmq")).unwrap_err();
        assert!(said.starts_with("no kind and no section is called \"rabbitmq\""), "{said}");
        assert!(said.contains("sections: listen, service"), "{said}");
        assert_eq!(read(&example(None).unwrap()), Ok(checks::KINDS.len()));
    }
}

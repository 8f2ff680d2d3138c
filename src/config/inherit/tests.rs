//! What stands in for many, by an example of checks.

use super::*;
use crate::config::{Document, Fields};

fn none(_: &str) -> Option<String> {
    None
}

/// What stands in for many is read, shown and told as what each says itself, and one mistake is told once.
#[test]
fn a_section_can_stand_in_for_many() {
    let rule = Inheritance { from: "defaults", sorts: "kinds", to: "checks", sort: "kind" };
    let policy = |fields: &mut Fields<'_>| {
        let every = fields.or::<u32>("every", 15, "");
        let limits = fields.entries("limits", "", |name, fields| {
            (name.to_owned(), fields.or::<u32>("warn", 0, "") + fields.or::<u32>("fail", 0, ""))
        });
        if every > 100 {
            fields.problem("every", "must be at most 100");
        }
        (every, limits.into_iter().map(|(_, limit)| limit).collect::<Vec<_>>())
    };
    let read = |text: &str| {
        let read = Document::parse("t", text, &none).with_defaults(&rule).read(|fields| {
            fields.optional_section("defaults", "", |fields| {
                fields.only_what_is_written();
                policy(fields);
                fields.optional_section("kinds", "", |fields| {
                    fields.optional_section("http", "", |fields| policy(fields));
                });
            });
            fields.entries("checks", "", |_, fields| {
                fields.optional::<String>("kind", "");
                policy(fields)
            })
        });
        read.map(|(checks, records)| (checks, records.to_string())).map_err(|problems| problems.to_string())
    };
    let text = "\
defaults:
  every: 30
  kinds:
    http:
      every: 60
      limits: { a: { warn: 1 }, b: { fail: 2 } }
checks:
  one: { kind: http }
  two: { kind: http, every: 5, limits: { a: { fail: 7 } } }
  three: { kind: tcp }
";
    let (checks, shown) = read(text).unwrap();
    let checks: Vec<String> =
        checks.iter().map(|(name, (every, limits))| format!("{name} {every} {limits:?}")).collect();
    let wanted = ["one 60 [(\"a\", 1), (\"b\", 2)]", "two 5 [(\"a\", 7), (\"b\", 2)]", "three 30 []"];
    assert_eq!(checks, wanted);
    assert!(
        shown.starts_with(
            "defaults:\n  every: 30  # line 2\n  kinds:\n    http:\n      every: 60  # line 5\n"
        ),
        "{shown}"
    );
    assert!(shown.contains("  three:\n    kind: tcp  # line 10\n    every: 30  # line 2\n"), "{shown}");

    let checks = "checks: { a: { kind: http }, b: { kind: tcp }, c: { every: 101 } }";
    let wrong = |defaults: &str| read(&format!("defaults: {defaults}\n{checks}")).unwrap_err();
    let own = "t:2:60: checks.c.every: must be at most 100";
    assert_eq!(
        wrong("{every: soon}").replace(own, ""),
        "t:1:19: defaults.every: expected a whole number from 0 to 4294967295, found \"soon\"\n"
    );
    assert_eq!(wrong("{every: 200}"), format!("t:1:19: defaults.every: must be at most 100\n{own}"));
    assert_eq!(
        wrong("{everi: 1}"),
        format!("t:1:12: defaults.everi: unknown key\n  help: did you mean `every`?\n{own}")
    );
    assert_eq!(
        wrong("{kinds: {http: {limits: {x: {worn: 1}}}}}"),
        format!(
            "t:1:40: defaults.kinds.http.limits.x.worn: unknown key\n  help: did you mean `warn`?\n{own}"
        )
    );
}

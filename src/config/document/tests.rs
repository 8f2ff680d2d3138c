//! What a reader sees of a whole configuration: values, problems with their places, records.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::config::{Measurable, Need, OneOrMany, Origin, Quantity, Secret, SecretUrl, Setting, read_policy};
use crate::model::{Measures, Name, Policy};

fn none(_: &str) -> Option<String> {
    None
}

fn one<T: Setting>(value: &str) -> Result<T, String> {
    let text = format!("x: {value}");
    let read = Document::parse("t", text, &none).read(|fields| fields.required::<T>("x", "a value"));
    read.map(|(value, _)| value.unwrap()).map_err(|problems| problems.to_string())
}

fn wrong<T: Setting>(value: &str) -> String {
    one::<T>(value).err().unwrap()
}

#[test]
fn reads_every_type() {
    assert_eq!(one::<String>("no").unwrap(), "no");
    assert_eq!(one::<bool>("off"), Ok(false));
    assert_eq!(one::<u16>("'5432'"), Ok(5432));
    assert_eq!(one::<f64>("2.5"), Ok(2.5));
    assert_eq!(one::<Duration>("1h 30m"), Ok(Duration::from_secs(5400)));
    assert_eq!(one::<Quantity>("512Mi"), Ok(Quantity(536_870_912.0)));
    assert_eq!(one::<Vec<u32>>("[1, 2]"), Ok(vec![1, 2]));
    assert_eq!(one::<OneOrMany<u32>>("1"), Ok(OneOrMany(vec![1])));
    assert_eq!(one::<BTreeMap<String, bool>>("{a: yes}"), Ok(BTreeMap::from([("a".to_owned(), true)])));
    assert_eq!(one::<SocketAddr>("':10464'").unwrap().to_string(), "[::]:10464");
    assert_eq!(one::<SocketAddr>("0.0.0.0:0").unwrap().to_string(), "0.0.0.0:0");
    assert_eq!(
        one::<serde_json::Value>("{a: [1, '1', null, true, x]}").unwrap().to_string(),
        r#"{"a":[1,"1",null,true,"x"]}"#
    );
}

#[test]
fn says_what_was_found_and_what_is_wanted() {
    assert_eq!(
        wrong::<Duration>("[1]"),
        "t:1:4: x: expected a duration such as 250ms, 15s or 2h, found a list"
    );
    assert_eq!(
        wrong::<Duration>("15"),
        "t:1:4: x: expected a duration such as 250ms, 15s or 2h, found \"15\"\n  help: add the unit: `15s`"
    );
    assert_eq!(wrong::<u16>("70000"), "t:1:4: x: expected a whole number from 0 to 65535, found \"70000\"");
    assert_eq!(wrong::<f64>(".inf"), "t:1:4: x: expected a number, found \".inf\"");
    assert_eq!(wrong::<String>(""), "t:1:1: x: has no value; give one or remove the key");
    assert_eq!(
        wrong::<crate::model::Criticality>("critcal"),
        "t:1:4: x: expected `critical`, `degrading` or `informational`, found \"critcal\"\n  help: did you mean `critical`?"
    );
    assert_eq!(
        wrong::<Vec<Name>>("ready"),
        "t:1:4: x: expected a list of names, found \"ready\"\n  help: write `[ready]`"
    );
    assert_eq!(wrong::<Vec<bool>>("[maybe, on, 3]").lines().count(), 2, "every item is judged");
    assert!(wrong::<Vec<Name>>("[a, B]").starts_with("t:1:8: x[1]: a name cannot hold 'B'"));
    assert!(wrong::<SocketAddr>("10464").ends_with("help: write `:10464` for every interface"));
    assert!(wrong::<SocketAddr>("':70000'").contains("expected an address such as"));
    assert!(wrong::<Duration>("200000 days").contains("at most 100 years"));
    assert!(wrong::<SecretUrl>("canary").contains("is not a url: it must begin like `scheme://`"));
}

#[test]
fn a_document_that_cannot_be_parsed_is_not_read() {
    let problems = Document::parse("t", "a: [", &none).read(|_| panic!("must not be called")).unwrap_err();
    assert_eq!(problems.as_slice().len(), 1);
}

#[test]
fn sections_and_what_they_require() {
    let read = |text: &str| {
        let read = Document::parse("t", text, &none).read(|fields| {
            let port = fields.section("web", "", |fields| fields.required::<u16>("port", "where to listen"));
            let tls = fields
                .optional_section("tls", "", |fields| fields.required::<String>("cert", "the certificate"));
            (port, tls.flatten())
        });
        read.map(|(value, _)| value).map_err(|problems| problems.to_string())
    };
    assert_eq!(read("web: {port: 1}"), Ok((Some(1), None)));
    assert_eq!(read("{web: {port: 1}, tls: {cert: c}}"), Ok((Some(1), Some("c".to_owned()))));
    let missing = "add `port: …` (whole number): where to listen";
    assert_eq!(read(""), Err(format!("t:1:1: web.port: is missing\n  help: {missing}")));
    assert!(read("{web: {port: 1}, tls: {}}").unwrap_err().contains("tls.cert: is missing"));
    assert_eq!(read("{web: 3}"), Err("t:1:7: web: expected a mapping, found \"3\"".to_owned()));
    assert_eq!(read("web:"), Err("t:1:1: web: has no value; give one or remove the key".to_owned()));
}

#[test]
fn a_secret_may_be_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pw"), "canary\n").unwrap();
    let file = folder.path().join("vitalsign.yaml").display().to_string();
    let read = |text: &str| {
        let read = Document::parse(&file, text, &none)
            .read(|fields| fields.required::<Secret>("pw", "the password"));
        read.map(|(value, records)| (value.unwrap().expose().to_owned(), records.to_string()))
            .map_err(|problems| problems.to_string().replace(&file, "t"))
    };
    assert_eq!(
        read("pw_file: pw"),
        Ok(("canary".to_owned(), "pw: <secret>  # from the file at line 1\n".to_owned()))
    );
    assert_eq!(
        read("pw: x\npw_file: pw"),
        Err("t:2:1: pw_file: `pw` is given too; keep one of the two".to_owned())
    );
    assert!(read("pw_file: none").unwrap_err().contains("1:10: pw_file: there is no file \"none\""));
    assert!(read("pw_fle: pw").unwrap_err().contains("did you mean `pw_file`?"));
}

#[test]
fn records_tell_what_is_in_effect_and_why() {
    let env = |name: &str| (name == "DATABASE_URL").then(|| "postgres://u:canary@db/orders?x=y".to_owned());
    let text = "listen: [':80']\nchecks:\n  b:\n    url: ${DATABASE_URL}\n    timeout: 3s\n  a: {url: 'redis://cache'}\n";
    let (names, records) = Document::parse("t", text, &env)
        .read(|fields| {
            fields.or("listen", vec![SocketAddr::from(([127, 0, 0, 1], 1))], "where to listen");
            fields.or("note", "two words".to_owned(), "for people");
            let checks = fields.entries("checks", "what to check", |name, fields| {
                fields.required::<SecretUrl>("url", "where it is");
                fields.optional::<Duration>("timeout", "how long");
                fields.section("expect", "", |fields| fields.or::<u16>("status", 200, "the status"));
                name.to_owned()
            });
            checks.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        })
        .unwrap();
    assert_eq!(names, ["b", "a"]);
    let expected = "\
listen: [\"[::]:80\"]  # line 1
note: \"two words\"  # default
checks:
  b:
    url: postgres://<secret>:<secret>@db/orders?x=<secret>  # line 4, from ${DATABASE_URL}
    timeout: 3s  # line 5
    expect:
      status: 200  # default
  a:
    url: redis://cache  # line 6
    expect:
      status: 200  # default
";
    assert_eq!(records.to_string(), expected);
    assert_eq!(records.scrub("user u, password canary"), "user u, password <secret>");
    assert!(!format!("{records:?}").contains("canary"));
    let timeout = records.get(&["checks", "b", "timeout"]).and_then(|record| record.value()).unwrap();
    assert_eq!(timeout.origin, Origin::Line(5, Vec::new()));
}

#[test]
fn describes_what_could_be_set() {
    let records = describe(|fields| {
        assert!(fields.describing());
        let url = fields.required::<SecretUrl>("url", "where it is");
        fields.entries("checks", "", |_, fields| {
            fields.optional_section("tls", "", |fields| fields.or::<bool>("verify", true, ""));
        });
        url.is_some()
    });
    assert_eq!(records.get(&["url"]).and_then(|url| url.value()).map(|url| &url.need), Some(&Need::Required));
    let verify =
        records.get(&["checks", "<name>", "tls", "verify"]).and_then(|record| record.value()).unwrap();
    assert_eq!(verify.need, Need::Default("true".to_owned()));
}

/// One ugly file: everything that is wrong, at once.
#[test]
fn lists_every_problem_of_a_file() {
    let text = "\
listen: 10464
otlp:
cheks: {}
checks:
  Orders: {url: 'postgres://db'}
  orders_db:
    url: ${DATABSE_URL}
    timeout: 20s
    timeout: 30s
    criticallity: critical
    thresholds:
      lag: { warn: 10, fail: 5 }
      free: 80%
  cache:
    url: [redis]
    interval: 10
    groups: [ready, 'no way']
  backlog:
    fail_after: 0
    colour: red
  dead: text
";
    let problems = Document::parse("etc/vitalsign.yaml", text, &none)
        .read(|fields| {
            fields.optional::<Vec<SocketAddr>>("listen", "where to listen");
            fields.section("otlp", "", |fields| fields.optional::<SecretUrl>("endpoint", "where to send"));
            fields.entries("checks", "", |name, fields| {
                fields.name(name);
                fields.required::<SecretUrl>("url", "where it is");
                read_policy(
                    fields,
                    &Policy::default(),
                    &Measurable::of_any_check(Measures::open("anything")),
                );
            });
        })
        .unwrap_err();
    let expected = "\
1:9: listen: expected a list of listen addresses, found \"10464\"
2:1: otlp: has no value; give one or remove the key
3:1: cheks: unknown key
  help: did you mean `checks`?
5:3: checks.Orders: a name cannot hold 'O': use a-z, 0-9, '_', '.' and '-'
7:10: checks.orders_db.url: the environment variable DATABSE_URL is not set
  help: set it, or give a default: `${DATABSE_URL:-…}`
8:14: checks.orders_db.timeout: must be below the interval (15s)
9:5: checks.orders_db.timeout: is given twice, first at 8:5; remove one of the two
10:5: checks.orders_db.criticallity: unknown key
  help: did you mean `criticality`?
12:30: checks.orders_db.thresholds.lag.fail: must be above `warn` (10), because the bound is upper
13:13: checks.orders_db.thresholds.free: expected a mapping, found \"80%\"
15:10: checks.cache.url: expected a url, found a list
16:15: checks.cache.interval: expected a duration such as 250ms, 15s or 2h, found \"10\"
  help: add the unit: `10s`
17:21: checks.cache.groups[1]: a name cannot hold ' ': use a-z, 0-9, '_', '.' and '-'
18:3: checks.backlog.url: is missing
  help: add `url: …` (url): where it is
19:17: checks.backlog.fail_after: must be at least 1
20:5: checks.backlog.colour: unknown key
  help: `vitalsign config example` shows the keys that are known
21:9: checks.dead: expected a mapping, found \"text\"
";
    let expected: String =
        expected
            .lines()
            .map(|line| {
                if line.starts_with(' ') {
                    format!("{line}\n")
                } else {
                    format!("etc/vitalsign.yaml:{line}\n")
                }
            })
            .collect();
    assert_eq!(format!("{problems}\n"), expected);
}

/// What is meant is told where the wrong word stands, and not called missing too.
#[test]
fn a_word_of_other_programs_is_recognised() {
    let read = |text: &str| {
        let read = Document::parse("t", text, &none).read(|fields| {
            fields.entries("checks", "", |_, fields| {
                if fields.required::<String>("kind", "what").is_none() {
                    fields.ignore_rest();
                    return;
                }
                fields.required::<SecretUrl>("url", "where");
            });
        });
        read.map(|_| ()).map_err(|problems| problems.to_string())
    };
    assert_eq!(
        read("checks: {a: {type: tcp, colour: red}}").unwrap_err(),
        "t:1:14: checks.a.type: unknown key\n  help: did you mean `kind`?"
    );
    assert_eq!(
        read("checks: {a: {kind: x, uri: 'x://h'}}").unwrap_err(),
        "t:1:23: checks.a.uri: unknown key\n  help: did you mean `url`?"
    );
    assert_eq!(
        read("checks: {a: {kind: x, endpoint: 'x://h'}}").unwrap_err(),
        "t:1:23: checks.a.endpoint: unknown key\n  help: did you mean `url`?"
    );
    assert_eq!(
        read("checks: [{name: db, kind: x}]").unwrap_err(),
        "t:1:9: checks: expected a mapping, found a list\n  help: write each under its name: `db: { kind: … }`"
    );
    assert!(read("checks: [a]").unwrap_err().ends_with("help: write each under its name: `NAME: { … }`"));
}

const KNOWN: [&str; 4] = ["interval", "timeout", "fail_after", "url"];

/// What reading a configuration with a secret prints, wrong or right.
fn printed(text: &str, env: &dyn Fn(&str) -> Option<String>) -> String {
    let read = Document::parse("t", text, env).read(|fields| {
        let url = fields.optional::<SecretUrl>("url", "");
        let one = fields.optional::<Secret>("one", "");
        let many = fields.optional::<Vec<Secret>>("many", "");
        let either = fields.optional::<OneOrMany<Secret>>("either", "");
        let map = fields.optional::<BTreeMap<String, Secret>>("map", "");
        fields.problem("one", "is refused");
        fields.problem("url", fields.shown("url").unwrap_or_default().to_owned());
        format!("{url:?} {one:?} {many:?} {either:?} {map:?} {:?}", url.as_ref().map(ToString::to_string))
    });
    match read {
        Ok((value, records)) => format!("{value}\n{records}\n{records:?}"),
        Err(problems) => format!("{problems}\n{problems:?}"),
    }
}

proptest! {
    #[test]
    fn an_unknown_key_one_edit_away_is_suggested(
        word in prop::sample::select(KNOWN.to_vec()), at in any::<prop::sample::Index>(), letter in "[a-z_]", edit in 0..3,
    ) {
        let mut key = word.to_owned();
        let at = at.index(word.len());
        match edit {
            0 => key.replace_range(at..=at, &letter),
            1 => key.insert_str(at, &letter),
            _ => { key.remove(at); }
        }
        prop_assume!(!KNOWN.contains(&key.as_str()));
        let problems = Document::parse("t", format!("{key}: 1"), &none)
            .read(|fields| for name in KNOWN { fields.optional::<String>(name, ""); })
            .unwrap_err();
        prop_assert_eq!(problems.as_slice()[0].help.clone(), Some(format!("did you mean `{word}`?")));
    }

    #[test]
    fn what_is_shown_reads_back(
        text in any::<String>(), millis in 1..u64::from(u32::MAX), number in any::<f64>().prop_filter("finite", |n| n.is_finite()),
        map in prop::collection::btree_map(any::<String>(), any::<u32>(), 0..4), address in any::<SocketAddr>(),
    ) {
        fn same<T: Setting + PartialEq>(value: &T) -> bool {
            one::<T>(&value.show()).as_ref() == Ok(value)
        }
        prop_assert!(same(&text), "{}", text.show());
        prop_assert!(same(&vec![text.clone(), text.clone()]));
        prop_assert!(same(&Duration::from_millis(millis)));
        prop_assert!(same(&Quantity(number)));
        prop_assert!(same(&number));
        let keys: BTreeMap<String, u32> = map.into_iter().map(|(key, value)| (key.replace('$', ""), value)).collect();
        prop_assert!(same(&keys), "{}", keys.show());
        if let SocketAddr::V6(v6) = address {
            prop_assert!(same(&SocketAddr::from((*v6.ip(), v6.port()))));
        } else {
            prop_assert!(same(&address));
        }
        let json = serde_json::json!({ "a": [text, null, true, millis, {}] });
        prop_assert!(same(&json));
    }

    #[test]
    fn a_secret_never_shows(
        before in "[ -~äß]{0,6}", after in "[ -~äß\n]{0,6}", way in 0..4,
        place in prop::sample::select(vec![
            "one: V", "url: 'x://u:V@h'", "url: x://V@h/", "url: x://h?a=V", "url: V", "url: 'x:V'", "url: 'x://u:1/V@h'", "many: [V]", "many: V",
            "either: V", "either: [V, [V]]", "map: {a: V}", "map: V", "one: [V]", "one: {a: V}", "url: [V]",
            "one: V\none_file: none", "url: x://u:V@h:99999/",
        ]),
    ) {
        let secret = format!("{before}canary{after}");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        std::fs::write(&file, &secret).unwrap();
        let env = |name: &str| (name == "S").then(|| secret.clone());
        let file = file.display().to_string();
        let text = match way {
            0 => place.replace('V', "canary"),
            1 => place.replace('V', "${S}"),
            2 => place.replace('V', &format!("${{file:{file}}}")),
            _ => format!("one_file: {file}\nurl_file: {file}"),
        };
        let text = text.replace("V", "");
        let printed = printed(&text, &env);
        prop_assert!(!printed.contains("canary"), "{text}\n{printed}");
    }
}

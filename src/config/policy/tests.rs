//! What the settings of every check read as, and what does not fit together.

use std::time::Duration;

use super::*;
use crate::config::{Document, Problems, describe};
use crate::model::{Criticality, Measurement, Measures, Name, Unit, When};

fn read(text: &str, defaults: &Policy) -> Result<Policy, Problems> {
    let env = |name: &str| (name == "T").then(|| "77s".to_owned());
    Document::parse("p.yaml", text, &env)
        .read(|fields| read_policy(fields, defaults, &anything()))
        .map(|(policy, _)| policy)
}

fn anything() -> Measurable {
    Measurable::of_any_check(Measures::open("anything"))
}

fn policy(text: &str) -> Policy {
    read(text, &Policy::default()).unwrap()
}

fn wrong(text: &str) -> String {
    read(text, &Policy::default()).unwrap_err().to_string()
}

fn usage() -> Threshold {
    Threshold {
        measurement: Name::new("usage").unwrap(),
        bound: Bound::Upper,
        warn: Some(Limit { enter: 0.8, leave: 0.75 }),
        fail: None,
        lasting: Duration::ZERO,
    }
}

#[test]
fn nothing_set_is_the_default() {
    assert_eq!(policy(""), Policy::default());
    let defaults = Policy { thresholds: vec![usage()], fail_after: 1, ..Policy::default() };
    assert_eq!(read("", &defaults).unwrap(), defaults);
}

#[test]
fn everything_can_be_set() {
    let policy = policy(
        "{interval: 1m, timeout: 10s, fail_after: 2, recover_after: 1, criticality: critical, groups: [ready, ready],
          breaker: off, warn_slower_than: 250ms, objective: 99.9%, affects: [checkout], runbook: 'https://wiki/x',
          thresholds: {usage: {warn: {enter: 85%, leave: 80%}, fail: 95%, lasting: 2m},
                       free: {bound: lower, warn: 2Gi, fail: {enter: 1Gi, leave: 1.5Gi}}}}",
    );
    assert_eq!(policy.interval, Duration::from_secs(60));
    assert_eq!(policy.criticality, Criticality::Critical);
    assert_eq!(policy.groups.len(), 1);
    assert!(!policy.breaker);
    assert_eq!(policy.warn_slower_than, Some(Duration::from_millis(250)));
    assert_eq!(policy.objective.to_string(), "0.999");
    assert_eq!(policy.thresholds.len(), 2);
    assert_eq!(policy.thresholds[0].warn, Some(Limit { enter: 0.85, leave: 0.8 }));
    assert_eq!(policy.thresholds[0].lasting, Duration::from_secs(120));
    assert_eq!(policy.thresholds[1].bound, Bound::Lower);
}

#[test]
fn a_threshold_replaces_the_default_of_the_same_measurement() {
    let defaults = Policy { thresholds: vec![usage()], ..Policy::default() };
    let other = read("thresholds: {load: {warn: 4}}", &defaults).unwrap();
    assert_eq!(other.thresholds.len(), 2);
    let same = read("thresholds: {usage: {fail: 90%}}", &defaults).unwrap();
    assert_eq!(same.thresholds.len(), 1);
    assert_eq!(same.thresholds[0].warn, None);
}

#[test]
fn times_must_fit_together() {
    assert_eq!(wrong("timeout: 20s"), "p.yaml:1:10: timeout: must be below the interval (15s)");
    assert_eq!(
        wrong("interval: 5s"),
        "p.yaml:1:11: interval: must be above the timeout (5s)\n  help: set a shorter `timeout` too"
    );
    assert!(wrong("{interval: 50ms, timeout: 10ms}").contains("interval: must be at least 100ms"));
    assert!(wrong("timeout: 0s").contains("timeout: must be longer than zero"));
    assert_eq!(wrong("{interval: soon, timeout: 20s}").lines().count(), 1, "one mistake, one problem");
    let all = wrong("{interval: '${T}', timeout: 80s}");
    assert_eq!(all, "p.yaml:1:29: timeout: must be below the interval", "a resolved value is not repeated");
}

#[test]
fn numbers_must_make_sense() {
    assert_eq!(wrong("fail_after: 0"), "p.yaml:1:13: fail_after: must be at least 1");
    for objective in ["0", "1", "100%", "-1"] {
        assert!(wrong(&format!("objective: {objective}")).contains("must be a ratio between 0 and 1"));
    }
}

#[test]
fn limits_must_make_sense() {
    let wrong = |threshold: &str| wrong(&format!("thresholds: {{load: {threshold}}}"));
    assert!(wrong("{}").contains("1:14: thresholds.load: has no limit; give `warn`, `fail` or both"));
    assert!(
        wrong("{warn: 5, fail: 5}")
            .contains("load.fail: must be above `warn` (5), because the bound is upper")
    );
    assert!(wrong("{warn: 5, fail: 6, bound: lower}").contains("load.fail: must be below `warn` (5)"));
    assert!(wrong("{warn: {enter: 5, leave: 6}}").contains("load.warn: `leave` must not be above `enter`"));
    assert!(
        wrong("{bound: lower, warn: {enter: 5, leave: 4}}").contains("`leave` must not be below `enter`")
    );
    assert!(wrong("{warn: {leave: 4}}").contains("load.warn.enter: is missing"));
    assert!(wrong("{warn: {enter: 4, exit: 2}}").contains("load.warn.exit: unknown key"));
    assert!(wrong("{warn: much}").contains("expected a number such as 500, 80% or 512Mi"));
    assert!(wrong("{bound: uper, warn: 9, fail: 5}").contains("did you mean `upper`?"));
    let hidden = wrong("{warn: {enter: '${N:-5123}'}, fail: 3}");
    assert!(!hidden.contains("5123"), "{hidden}");
}

#[test]
fn describes_itself() {
    let records = describe(|fields| read_policy(fields, &Policy::default(), &anything()));
    let names: Vec<_> = records.as_slice().iter().map(|record| record.name.as_str()).collect();
    let expected = "interval timeout fail_after recover_after criticality groups breaker warn_slower_than objective \
                    affects runbook thresholds";
    assert_eq!(names.join(" "), expected);
    assert!(records.get(&["thresholds", "<name>", "lasting"]).is_some());
}

static KNOWN: [Measurement; 3] = [
    Measurement::new("usage_ratio", Unit::Ratio),
    Measurement::new("messages", Unit::Count).when(When::Set("queue")),
    Measurement::new("clients", Unit::Count).when(When::On("info")),
];

/// What is said about a limit, of a check whose kind measures [`KNOWN`] and what `lengths` names.
fn limited(settings: &str) -> Result<Policy, String> {
    let measures = Measures::of(&KNOWN).and_named_by("lengths", Unit::Count);
    Document::parse("p.yaml", settings, &|_| Some("80".to_owned()))
        .read(|fields| {
            let measurable = Measurable::of(measures, fields);
            fields.optional::<String>("queue", "");
            fields.or::<bool>("info", true, "");
            fields.values::<String>("lengths", "");
            read_policy(fields, &Policy::default(), &measurable)
        })
        .map(|(policy, _)| policy)
        .map_err(|problems| problems.to_string())
}

#[test]
fn a_limit_must_be_on_something_that_is_measured() {
    for good in [
        "thresholds: {usage_ratio: {warn: 0.8}}",
        "{queue: jobs, thresholds: {messages: {warn: 5}}}",
        "{info: true, thresholds: {clients: {warn: 5}}}",
        "{lengths: {mails: 'queue:mail'}, thresholds: {mails: {warn: 5}}}",
    ] {
        limited(good).unwrap();
    }
    for (wrong, said) in [
        (
            "thresholds: {usage: {warn: 0.8}}",
            "1:14: thresholds.usage: there is no such measurement\n  help: did you mean `usage_ratio`?",
        ),
        (
            "thresholds: {load: {warn: 8}}",
            "load: there is no such measurement\n  help: add it to `lengths`; known here: `usage_ratio` or `clients`",
        ),
        ("thresholds: {messages: {warn: 5}}", "thresholds.messages: is measured only with `queue`"),
        ("{info: off, thresholds: {clients: {warn: 5}}}", "clients: is not measured with `info: false`"),
    ] {
        let found = limited(wrong).unwrap_err();
        assert!(found.contains(said), "{found}");
        assert!(!found.contains("help") || said.contains("help"), "{found}");
    }
}

#[test]
fn a_limit_must_be_within_reach() {
    for (wrong, said) in [
        (
            "{usage_ratio: {warn: 80}}",
            "usage_ratio.warn: is out of reach: the measurement is a ratio from 0 to 1\n  help: write 0.8 or 80%",
        ),
        ("{usage_ratio: {fail: 99.9}}", "help: write 0.999 or 99.9%"),
        ("{usage_ratio: {warn: 800}}", "help: write a ratio such as 0.8 or 80%"),
        ("{usage_ratio: {warn: {enter: 80, leave: 0.7}}}", "help: write a ratio such as 0.8 or 80%"),
        ("{usage_ratio: {warn: '${N}'}}", "help: write a ratio such as 0.8 or 80%"),
        ("{usage_ratio: {bound: lower, warn: 20}}", "help: write 0.2 or 20%"),
        (
            "{clients: {bound: lower, warn: -1}}",
            "clients.warn: is out of reach: the measurement is a count, never below 0",
        ),
    ] {
        let found = limited(&format!("thresholds: {wrong}")).unwrap_err();
        assert!(found.contains(said), "{wrong}: {found}");
        assert_eq!(found.matches("p.yaml").count(), 1, "{found}");
    }
    limited("thresholds: {usage_ratio: {warn: 0, fail: 100%}}").unwrap();
}

//! What an answer must look like. Judges headers and body as bytes; does no I/O.
//!
//! Messages show the expectation, never what was found instead: the answer may hold anything.

use hyper::header::{HeaderMap, HeaderName};
use serde_json::Value;

use super::pattern::{Pattern, Place};
use super::status::Statuses;
use crate::config::{Node, Reading, Schema, Setting};
use crate::model::{Cause, Name, Outcome, Reason};

/// What an answer must look like.
#[derive(Default)]
pub(super) struct Expect {
    pub(super) status: Statuses,
    pub(super) header: Vec<(HeaderName, Pattern)>,
    pub(super) body: Option<Pattern>,
    pub(super) not_body: Option<Pattern>,
    pub(super) json: Vec<(Place, Expected)>,
    /// Numbers to take from the answer; their absence is a failure too.
    pub(super) measure: Vec<(Name, Place)>,
}

/// A value that must be there.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    value: Value,
    /// Whether it came out of the environment or a file, so that it may be a secret and is not shown.
    hidden: bool,
}

impl Setting for Expected {
    const SHAPE: &'static str = Value::SHAPE;

    fn read(node: &Node, reading: &mut Reading<'_>) -> Option<Self> {
        Some(Self { value: Value::read(node, reading)?, hidden: !node.references().is_empty() })
    }

    fn show(&self) -> String {
        self.value.show()
    }

    fn schema() -> Schema {
        Value::schema()
    }
}

impl From<Value> for Expected {
    fn from(value: Value) -> Self {
        Self { value, hidden: false }
    }
}

impl Expect {
    /// Whether anything looks at the body.
    pub(super) fn looks_at_body(&self) -> bool {
        self.body.is_some() || self.not_body.is_some() || self.looks_at_json()
    }

    fn looks_at_json(&self) -> bool {
        !self.json.is_empty() || !self.measure.is_empty()
    }

    /// What is wrong with the status and the headers.
    pub(super) fn judge_head(&self, status: u16, headers: &HeaderMap) -> Option<Outcome> {
        if !self.status.contains(status) {
            let left = if (300..400).contains(&status) { ", and its redirect is not followed" } else { "" };
            let message = format!("status {status}, expected {}{left}", self.status);
            return Some(Outcome::caused_by(Cause::HttpStatus(status)).message(message));
        }
        for (name, pattern) in &self.header {
            let mut values = headers.get_all(name).iter();
            if !values.any(|value| pattern.matches(value.as_bytes())) {
                let message = format!("header {name} does not contain {}", pattern.shown());
                return Some(Outcome::failed(Reason::UnexpectedBody).message(message));
            }
        }
        None
    }

    /// What the body says: the numbers to measure, or a public sentence on what is wrong.
    pub(super) fn judge_body(&self, body: &[u8]) -> Result<Vec<(Name, f64)>, String> {
        if let Some(pattern) = self.body.as_ref().filter(|pattern| !pattern.matches(body)) {
            return Err(format!("the body does not contain {}", pattern.shown()));
        }
        if let Some(pattern) = self.not_body.as_ref().filter(|pattern| pattern.matches(body)) {
            return Err(format!("the body contains {}", pattern.shown()));
        }
        if !self.looks_at_json() {
            return Ok(Vec::new());
        }
        let json: Value = serde_json::from_slice(body).map_err(|_| "the body is not JSON")?;
        for (place, expected) in &self.json {
            let found = place.path.query(&json);
            if found.is_empty() || !found.iter().all(|value| is(value, &expected.value)) {
                let shown =
                    if expected.hidden { "as expected".to_owned() } else { expected.value.to_string() };
                return Err(format!("{:?} is not {shown}", place.written));
            }
        }
        let number =
            |(name, place): &(Name, Place)| match place.path.query(&json).exactly_one().map(Value::as_f64) {
                Ok(Some(number)) => Ok((name.clone(), number)),
                _ => Err(format!("{:?} is not one number", place.written)),
            };
        self.measure.iter().map(number).collect()
    }
}

/// Whether a value is the one that was written in the configuration, where `1` and `1.0` are one number.
fn is(value: &Value, expected: &Value) -> bool {
    match (value, expected) {
        (Value::Number(value), Value::Number(expected)) => {
            value == expected || value.as_f64().is_some_and(|value| expected.as_f64() == Some(value))
        }
        _ => value == expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;
    use proptest::prelude::*;
    use serde_json::json;

    fn message(outcome: &Outcome) -> &str {
        outcome.message.as_deref().unwrap_or_default()
    }

    fn at(path: &str, expected: Value) -> Expect {
        Expect { json: vec![(Place::parse(path).unwrap(), expected.into())], ..Expect::default() }
    }

    #[test]
    fn a_status_is_shown_beside_what_was_expected() {
        let expect = Expect::default();
        assert!(expect.judge_head(204, &HeaderMap::new()).is_none());
        let outcome = expect.judge_head(503, &HeaderMap::new()).unwrap();
        assert_eq!(message(&outcome), "status 503, expected 2xx");
        let outcome = expect.judge_head(302, &HeaderMap::new()).unwrap();
        assert_eq!(message(&outcome), "status 302, expected 2xx, and its redirect is not followed");
    }

    #[test]
    fn one_of_several_values_of_a_header_is_enough() {
        let header = vec![(HeaderName::from_static("x-role"), Pattern::parse("/^primary$/").unwrap())];
        let expect = Expect { header, ..Expect::default() };
        let mut headers = HeaderMap::new();
        headers.append("x-role", HeaderValue::from_static("replica"));
        let outcome = expect.judge_head(200, &headers).unwrap();
        assert_eq!(message(&outcome), "header x-role does not contain \"/^primary$/\"");
        headers.append("x-role", HeaderValue::from_static("primary"));
        assert!(expect.judge_head(200, &headers).is_none());
    }

    #[test]
    fn a_body_need_not_be_text() {
        let expect = Expect { body: Some(Pattern::parse("ok").unwrap()), ..Expect::default() };
        assert!(expect.judge_body(b"\xff\x00ok").is_ok());
        let expect = Expect { not_body: Some(Pattern::parse("ok").unwrap()), ..Expect::default() };
        assert_eq!(expect.judge_body(b"\xffok").unwrap_err(), "the body contains \"ok\"");
    }

    #[test]
    fn values_are_compared_as_typed() {
        let body = br#"{"s": "ok", "n": 2, "x": 2.50, "b": true, "z": null, "l": [true, true]}"#;
        for (path, expected) in [
            ("$.s", json!("ok")),
            ("$.n", json!(2.0)),
            ("$.x", json!(2.5)),
            ("$.b", json!(true)),
            ("$.z", json!(null)),
            ("$.l[*]", json!(true)),
            ("$.l", json!([true, true])),
        ] {
            assert!(at(path, expected).judge_body(body).is_ok(), "{path}");
        }
        for (path, expected) in
            [("$.s", json!("OK")), ("$.n", json!("2")), ("$.missing", json!(null)), ("$.l", json!(true))]
        {
            let wrong = at(path, expected.clone()).judge_body(body).unwrap_err();
            assert_eq!(wrong, format!("{path:?} is not {expected}"));
        }
        assert_eq!(at("$.s", json!("ok")).judge_body(b"ok").unwrap_err(), "the body is not JSON");
    }

    #[test]
    fn numbers_are_measured() {
        let name = Name::new("open_orders").unwrap();
        let measure =
            |path| Expect { measure: vec![(name.clone(), Place::parse(path).unwrap())], ..Expect::default() };
        let body = br#"{"orders": {"open": 12.5, "all": [1, 2]}}"#;
        assert_eq!(measure("$.orders.open").judge_body(body).unwrap(), [(name.clone(), 12.5)]);
        for wrong in ["$.orders", "$.orders.all[*]", "$.none"] {
            let message = measure(wrong).judge_body(body).unwrap_err();
            assert_eq!(message, format!("{wrong:?} is not one number"));
        }
    }

    proptest! {
        #[test]
        fn any_body_is_judged(body: Vec<u8>, path in "\\$[.\\[\\]a*?@0-9']{0,10}") {
            if let Ok(place) = Place::parse(&path) {
                let expect = Expect { json: vec![(place, json!("ok").into())], ..Expect::default() };
                let _ = expect.judge_body(&body);
            }
        }
    }
}

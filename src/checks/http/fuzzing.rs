//! The parsers of this kind, for [`crate::fuzzing`].

use hyper::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};
use serde_json::json;

use super::expect::Expect;
use super::pattern::{Pattern, Place};
use super::status::Codes;
use super::{body, tunnel};
use crate::model::Name;

/// The most that is read of a body.
const MOST: usize = 1 << 20;

/// A path, asked of an answer that has something of all.
pub(in crate::checks) fn path(bytes: &[u8]) {
    let Ok(place) = Place::parse(&String::from_utf8_lossy(bytes)) else { return };
    let answer = json!({ "a": { "b": [1, 2, { "c": null }, [[]], "x"] }, "status": "ok", "list": vec![json!({ "a": [1] }); 100] });
    let expect = Expect { json: vec![(place, json!("ok").into())], ..Expect::default() };
    let _ = expect.judge_body(answer.to_string().as_bytes());
}

/// A pattern, and behind the first line what it looks at.
pub(in crate::checks) fn pattern(bytes: &[u8]) {
    let (pattern, text) = bytes.split_at(bytes.iter().position(|b| *b == b'\n').unwrap_or(bytes.len()));
    let pattern = String::from_utf8_lossy(pattern);
    if let Ok(pattern) = Pattern::parse(&pattern) {
        let _ = (pattern.matches(text), pattern.shown());
    }
    let _ = Codes::parse(&pattern);
}

/// An answer in JSON, asked for what people ask.
pub(in crate::checks) fn json(bytes: &[u8]) {
    for path in ["$.status", "$..a", "$.list[?@.a > 1].b", "$[*]"] {
        let (Ok(place), Ok(name)) = (Place::parse(path), Name::new("a")) else { return };
        let json = vec![(place.clone(), json!("ok").into())];
        let expect = Expect { json, measure: vec![(name, place)], ..Expect::default() };
        let _ = expect.judge_body(bytes);
    }
}

/// A body in each of the encodings.
pub(in crate::checks) fn encoding(bytes: &[u8]) {
    for encoding in ["gzip", "deflate", "gzip, deflate", "gzip, gzip, gzip"] {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        if let Ok(text) = body::text(bytes.to_vec(), &headers, MOST) {
            assert!(text.len() <= MOST, "longer than it may be");
        }
    }
}

/// What a proxy says to CONNECT.
pub(in crate::checks) fn proxy(bytes: &[u8]) {
    let _ = tunnel::status(bytes);
}

//! Pairs in a variable of OpenTelemetry, such as `OTEL_RESOURCE_ATTRIBUTES` and those of headers:
//! `name=value,name=value`, percent-encoded as in W3C Baggage (<https://opentelemetry.io/docs/specs/otel/resource/sdk/>).
//! One mistake makes all of it void.

use percent_encoding::percent_decode_str;

/// More than anybody gives.
const MOST: usize = 1_000;

/// The pairs in the order in which they stand. What is wrong is told without a word of `text`, which may be a secret.
pub(crate) fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    if text.split(',').nth(MOST).is_some() {
        return Err(format!("has more than {MOST} pairs"));
    }
    let written = text.split(',').enumerate().filter(|(_, pair)| !pair.trim().is_empty());
    let read = |(index, pair): (usize, &str)| {
        let wrong = |what: &str| format!("in its pair {} {what}", index + 1);
        let (name, value) = pair.split_once('=').ok_or_else(|| {
            wrong("there is no `=`; write name=value,name=value and a comma within a value as %2C")
        })?;
        let name = name.trim();
        if name.is_empty() || name.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(wrong("the name is empty or has a space in it; write name=value"));
        }
        let value = value.trim();
        if has_bad_escape(value) {
            return Err(wrong("a `%` is not followed by two hexadecimal digits; write it as %25"));
        }
        let value = percent_decode_str(value).decode_utf8();
        let value = value.map_err(|_| wrong("the value is not UTF-8 when it is percent-decoded"))?;
        Ok((name.to_owned(), value.into_owned()))
    };
    written.map(read).collect()
}

fn has_bad_escape(value: &str) -> bool {
    let is_hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    value.split('%').skip(1).any(|rest| {
        let mut bytes = rest.as_bytes().iter();
        !(is_hex(bytes.next()) && is_hex(bytes.next()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    #[test]
    fn reads_pairs() {
        let read =
            pairs(" service.namespace = shop ,deployment.environment.name=a%2Cb,note=,, x=1=2").unwrap();
        let read: Vec<_> = read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let expected = [
            ("service.namespace", "shop"),
            ("deployment.environment.name", "a,b"),
            ("note", ""),
            ("x", "1=2"),
        ];
        assert_eq!(read, expected);
        assert_eq!(pairs(""), Ok(Vec::new()));
    }

    #[test]
    fn one_mistake_makes_all_of_it_void_and_is_named() {
        for (text, part) in [
            ("a=1,b", "pair 2 there is no `=`"),
            ("=1", "pair 1 the name is empty"),
            ("a b=1", "has a space"),
            ("a=1,b=100%", "%25"),
            ("a=%f", "%25"),
            ("a=%FF", "UTF-8"),
        ] {
            let message = pairs(text).unwrap_err();
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_comes_back(values in proptest::collection::vec(any::<String>(), 0..5)) {
            let pair = |(index, value): (usize, &String)| {
                format!("name{index}={}", utf8_percent_encode(value, NON_ALPHANUMERIC))
            };
            let text: Vec<String> = values.iter().enumerate().map(pair).collect();
            let read: Vec<String> =
                pairs(&text.join(",")).unwrap().into_iter().map(|(_, value)| value).collect();
            prop_assert_eq!(read, values);
        }

        #[test]
        fn nothing_makes_it_panic(text in any::<String>()) {
            let _ = pairs(&text);
        }
    }
}

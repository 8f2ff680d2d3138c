//! Texts written so that YAML and references read them back as they were.

use std::fmt::Write as _;

/// `text` as one YAML value on one line.
pub(super) fn yaml(text: &str) -> String {
    let plain = |b: u8| {
        b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'/' | b':' | b'@' | b'+' | b'=')
    };
    let begins = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'/'));
    let ends = !text.ends_with(':') && !matches!(text, "null" | "Null" | "NULL");
    let hidden = text.contains("<secret>");
    let plain = |b: u8| plain(b) || (hidden && matches!(b, b'<' | b'>' | b'?' | b'&' | b'%'));
    if (begins || text.starts_with("<secret>")) && ends && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("\"{}\"", escaped(text))
    }
}

/// `text` as it stands between double quotes.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '$' => out.push_str("$$"),
            ' '..='~' => out.push(c),
            c if c.is_alphanumeric() => out.push(c),
            c => {
                // Writing to a `String` cannot fail.
                let _ = write!(out, "\\U{:08x}", u32::from(c));
            }
        }
    }
    out
}

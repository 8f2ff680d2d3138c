//! Texts of others as a terminal or a log may show them: on one line, no control characters, not endless.

use std::borrow::Cow;
use std::fmt::Write as _;

/// `text` with whatever steers a terminal written as an escape, and cut behind `most` characters.
pub(crate) fn printable(text: &str, most: usize) -> Cow<'_, str> {
    let end = text.char_indices().nth(most).map(|(end, _)| end);
    let kept = end.and_then(|end| text.get(..end)).unwrap_or(text);
    if end.is_none() && !kept.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(kept.len());
    for c in kept.chars() {
        if steers(c) {
            // Writing to a `String` cannot fail.
            let _ = write!(out, "{}", c.escape_default());
        } else {
            out.push(c);
        }
    }
    if end.is_some() {
        out.push('…');
    }
    Cow::Owned(out)
}

/// Whether a terminal does something on `c`, or shows what follows in another order or place.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_escaped_and_what_is_long_is_cut() {
        assert!(matches!(printable("a text with Ünïcödé", 80), Cow::Borrowed(_)));
        assert_eq!(printable("\u{1b}[31m\u{9b}1m\u{202e}\r\n\0", 80), r"\u{1b}[31m\u{9b}1m\u{202e}\r\n\u{0}");
        assert_eq!(printable("ööööö", 5), "ööööö");
        assert_eq!(printable("öööööö", 5), "ööööö…");
    }
}

//! From YAML text to the tree: what is text at all, one document, syntax errors with their usual cause.
//!
//! Beside [`tree`] the only file that knows the YAML library. Knows nothing of settings or of `${…}`.

mod tree;

use saphyr_parser::{Event, Marker, Parser};

use self::tree::Builder;
use super::node::{Content, Node};
use super::problem::{Place, Problems};

/// The longest text, in bytes.
const MAX_BYTES: usize = 16 << 20;
/// The same of a file.
pub(crate) const MAX_FILE: u64 = MAX_BYTES as u64;

/// Reads `bytes`; an empty text is an empty mapping. `None` where it cannot be read at all; every problem is noted.
pub(super) fn parse(bytes: &[u8], problems: &mut Problems) -> Option<Node> {
    let text = text_of(bytes, problems)?;
    let mut builder = Builder::new(problems);
    let end = end_of(text);
    let mut parser = Parser::new_from_str(text);
    let mut documents = 0_usize;
    while let Some(event) = parser.next_event() {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                let place = place_of(*error.marker()).min(end);
                builder.note(place, error.info(), syntax_help(error.info(), place, text));
                return None;
            }
        };
        let place = place_of(span.start).min(end);
        if matches!(event, Event::DocumentStart(_)) {
            documents += 1;
            if documents > 1 {
                let message = "a second document begins here; keep one and remove the line `---`";
                builder.note(place, message, None);
                return None;
            }
        }
        builder.event(event, place)?;
    }
    let empty = Node { place: Place::START, content: Content::Mapping(Vec::new()) };
    let root = builder.into_root().unwrap_or_else(|| empty.clone());
    match root.content {
        Content::Mapping(_) => Some(root),
        Content::Null => Some(empty),
        _ => {
            problems.note(
                root.place,
                "",
                format!("expected a mapping of settings, found {}", root.found()),
                None,
            );
            None
        }
    }
}

/// The text without its byte order mark.
fn text_of<'b>(bytes: &'b [u8], problems: &mut Problems) -> Option<&'b str> {
    if bytes.len() > MAX_BYTES {
        problems.note(Place::START, "", format!("is larger than {} MiB", MAX_BYTES >> 20), None);
        return None;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let before = bytes
                .get(..error.valid_up_to())
                .and_then(|b| std::str::from_utf8(b).ok())
                .unwrap_or_default();
            problems.note(end_of(before), "", "is not UTF-8 text; save the file as UTF-8", None);
            return None;
        }
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some((before, _)) = text.split_once('\0') {
        problems.note(end_of(before), "", "has a NUL character; remove it", None);
        return None;
    }
    Some(text)
}

/// The place behind the last character of `text`.
fn end_of(text: &str) -> Place {
    let mut place = Place::START;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\r' | '\n' => place = Place { line: place.line + 1, column: 1 },
            _ => place.column += 1,
        }
    }
    place
}

fn place_of(marker: Marker) -> Place {
    Place { line: marker.line().max(1), column: marker.col() + 1 }
}

/// What the usual cause of a syntax error is.
fn syntax_help(info: &str, place: Place, text: &str) -> Option<String> {
    let line = text.lines().nth(place.line.saturating_sub(1)).unwrap_or_default();
    let indent: String = line.chars().take_while(|c| c.is_whitespace()).collect();
    let help = if info.contains("quoted scalar") && !info.contains("escape") && !info.contains("Unicode") {
        "a text in quotes ends with the quote that it begins with: close the one that begins here, or the one before"
    } else if info.contains("recursion limit") {
        "lists and mappings may be nested 64 levels deep"
    } else if indent.contains('\t') || info.contains("tab") {
        "indent with spaces, not with tabs"
    } else if info.contains("mapping values are not allowed") {
        "put a text that holds `: ` in quotes"
    } else if info.contains("anchor") || info.contains("alias") || info.contains("cannot start any token") {
        "put a text that begins with a special character in quotes"
    } else if info.contains("did not find expected") {
        "check the indentation of this line and the one above, and for a missing `:`, `]`, `}` or quote"
    } else {
        return None;
    };
    Some(help.to_owned())
}

#[cfg(test)]
mod tests;

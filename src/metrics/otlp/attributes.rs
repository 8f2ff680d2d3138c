//! From the rendered labels of a series back to its attributes.
//!
//! Labels are held once, as Prometheus writes them: holding them a second time, as OTLP does, would cost an agent of
//! 10,000 checks more memory than all else it has. What is held is how long each value is, a byte an attribute, so that
//! reading them back costs little more than copying them. An attribute that is a whole number is one again, where its
//! label is one.

use crate::model::{Definition, is_integer};

use super::wire;
use crate::metrics::AttributeValue;
use crate::metrics::names::prometheus_label;

/// The attribute names of a metric, in both forms.
#[derive(Debug)]
pub(in crate::metrics) struct Keys(Box<[Key]>);

#[derive(Debug)]
struct Key {
    name: &'static str,
    is_integer: bool,
    /// How the label begins: `name="`.
    label: Box<[u8]>,
    /// The field `key` of a `KeyValue`.
    field: Box<[u8]>,
    /// The same behind two bytes for tag and length and before what comes in front of a text, to be copied as a whole:
    /// that takes a few instructions, where a copy whose length is known only at run time is a call.
    short: Option<[u8; KEY]>,
}

/// Room for all of a `KeyValue` up to a text: its tag, its length, the key, and the two tags and lengths of the value.
const KEY: usize = 48;

/// Values up to here are copied as a whole too.
const VALUE: usize = 32;

/// The longest value of which all lengths around it take one byte.
const SHORT: usize = 127 - KEY;

/// In place of a length: look at the labels.
const LOOK: u8 = u8::MAX;

/// The labels of a series, and what was found when they were looked at.
#[derive(Clone, Copy)]
pub(super) struct Looked<'a> {
    pub(super) labels: &'a [u8],
    /// The same, with more behind.
    pub(super) tail: &'a [u8],
    /// The length of each value, 0 where there is none, all if the first is not [`LOOK`]; may be empty.
    pub(super) lengths: &'a [u8],
}

/// The value of a label as it stands there.
struct Raw<'a> {
    text: &'a [u8],
    escapes: usize,
}

impl Keys {
    pub(in crate::metrics) fn new(definition: &Definition) -> Self {
        let key = |name: &&'static str| {
            let mut field = Vec::new();
            wire::write_bytes(wire::message(1), name.as_bytes(), &mut field);
            let label = format!("{}=\"", prometheus_label(name)).into_bytes();
            let mut short = [0; KEY];
            let text = [wire::message(2), 0, wire::message(1), 0];
            let place = short.get_mut(2..2 + field.len() + text.len());
            let short = place.map(|place| place.copy_from_slice(&[&*field, &text].concat())).map(|()| short);
            Key { name, is_integer: is_integer(name), label: label.into(), field: field.into(), short }
        };
        Self(definition.attributes.iter().map(key).collect())
    }

    /// How many lengths [`Keys::look`] gives.
    pub(super) fn lengths(&self) -> usize {
        self.0.len().max(1)
    }

    /// Looks at the labels of a series once, so that they can be written quickly ever after.
    pub(super) fn look(&self, labels: &[u8], lengths: &mut Vec<u8>) {
        let start = lengths.len();
        lengths.resize(start + self.lengths(), 0);
        let Some(lengths) = lengths.get_mut(start..) else { return };
        for (key, raw) in self.values(labels) {
            let place = self.0.iter().position(|other| std::ptr::eq(other, key));
            let length = u8::try_from(raw.text.len()).ok().filter(|length| usize::from(*length) <= SHORT);
            match (place.and_then(|place| lengths.get_mut(place)), length) {
                (Some(place), Some(length)) if raw.escapes == 0 && key.short.is_some() => *place = length,
                _ => return lengths.fill(LOOK),
            }
        }
    }

    /// Writes each label as a `KeyValue` in a field of `tag`.
    pub(super) fn write(&self, tag: u8, looked: Looked<'_>, out: &mut Vec<u8>) {
        if looked.lengths.first().is_none_or(|length| *length == LOOK) {
            for (key, raw) in self.values(looked.labels) {
                match key.integer(raw.text) {
                    Some(number) => write_integer(tag, &key.field, number, out),
                    None => {
                        write_text(tag, &key.field, raw.text.len() - raw.escapes, out);
                        raw.write(out);
                    }
                }
            }
            return;
        }
        let mut tail = looked.tail;
        for (key, length) in self.0.iter().zip(looked.lengths).filter(|(_, length)| **length != 0) {
            let Some(beginning) = &key.short else { continue };
            let value = tail.get(key.label.len()..).unwrap_or_default();
            match value.get(..usize::from(*length)).and_then(|text| key.integer(text)) {
                Some(number) => write_integer(tag, &key.field, number, out),
                None => write_short(tag, beginning, key.field.len(), value, *length, out),
            }
            // Behind the value a quotation mark, and a comma where another label follows.
            tail = value.get(usize::from(*length) + 2..).unwrap_or_default();
        }
    }

    /// The attributes that are in `labels`.
    pub(in crate::metrics) fn pairs<'a>(
        &'a self,
        labels: &'a [u8],
    ) -> impl Iterator<Item = (&'static str, AttributeValue)> + 'a {
        self.values(labels).map(|(key, raw)| {
            let text = || {
                let mut value = Vec::with_capacity(raw.text.len());
                raw.write(&mut value);
                AttributeValue::Text(String::from_utf8_lossy(&value).into_owned())
            };
            (key.name, key.integer(raw.text).map_or_else(text, AttributeValue::Integer))
        })
    }

    /// Labels stand in the order of the definition; one without a value is left out.
    fn values<'a>(&'a self, mut rest: &'a [u8]) -> impl Iterator<Item = (&'a Key, Raw<'a>)> {
        self.0.iter().filter_map(move |key| {
            let raw = Raw::at_the_beginning(rest.strip_prefix(&*key.label)?);
            // Behind the value a quotation mark, and a comma where another label follows.
            rest = rest.get(key.label.len() + raw.text.len() + 2..).unwrap_or_default();
            Some((key, raw))
        })
    }
}

impl Key {
    /// The number that `text` is, where the attribute is one and nothing but this number is written like that.
    fn integer(&self, text: &[u8]) -> Option<i64> {
        if !self.is_integer {
            return None;
        }
        let text = std::str::from_utf8(text).ok()?;
        let digits = text.strip_prefix('-').unwrap_or(text);
        let plain = digits == "0" && digits.len() == text.len() || !digits.starts_with(['0', '+', '-']);
        text.parse().ok().filter(|_| plain)
    }
}

impl<'a> Raw<'a> {
    /// The value that `rest` begins with, up to the quotation mark.
    fn at_the_beginning(rest: &'a [u8]) -> Self {
        let (mut end, mut escapes) = (0, 0);
        let special = |byte: &u8| matches!(byte, b'"' | b'\\');
        while let Some(found) = rest.get(end..).and_then(|rest| rest.iter().position(special)) {
            end += found;
            if rest.get(end) == Some(&b'"') {
                break;
            }
            escapes += 1;
            end += 2;
        }
        Self { text: rest.get(..end).unwrap_or(rest), escapes }
    }

    fn write(&self, out: &mut Vec<u8>) {
        if self.escapes == 0 {
            out.extend_from_slice(self.text);
            return;
        }
        let mut bytes = self.text.iter();
        while let Some(byte) = bytes.next() {
            out.push(match byte {
                b'\\' => match bytes.next() {
                    Some(b'n') => b'\n',
                    Some(other) => *other,
                    None => b'\\',
                },
                other => *other,
            });
        }
    }
}

/// Writes a `KeyValue` with a text of `length` bytes, all but the text itself.
fn write_text(tag: u8, key: &[u8], length: usize, out: &mut Vec<u8>) {
    let value = 1 + wire::varint_len(length) + length;
    out.push(tag);
    wire::write_length(key.len() + 1 + wire::varint_len(value) + value, out);
    out.extend_from_slice(key);
    out.push(wire::message(2));
    wire::write_length(value, out);
    out.push(wire::message(1));
    wire::write_length(length, out);
}

/// Writes a `KeyValue` with a whole number.
fn write_integer(tag: u8, key: &[u8], number: i64, out: &mut Vec<u8>) {
    let number = number.cast_unsigned();
    // Ten bytes at most, so that the lengths around it take one.
    let value = 1 + wire::varint_len(usize::try_from(number).unwrap_or(usize::MAX));
    out.push(tag);
    wire::write_length(key.len() + 2 + value, out);
    out.extend_from_slice(key);
    out.push(wire::message(2));
    wire::write_length(value, out);
    out.push(wire::varint(3));
    wire::write_varint(number, out);
}

/// As [`write_text`] with the text, the first `length` bytes of `value`. All lengths take one byte.
fn write_short(tag: u8, beginning: &[u8; KEY], key: usize, value: &[u8], length: u8, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(beginning);
    let end = start + 2 + key + 4;
    out.truncate(end);
    if let Some([tag_at, length_at, .., value_at, _, text_at]) = out.get_mut(start..) {
        #[expect(clippy::cast_possible_truncation, reason = "KEY and SHORT see to it")]
        let all = key as u8 + 4 + length;
        (*tag_at, *length_at, *value_at, *text_at) = (tag, all, length + 2, length);
    }
    let end = end + usize::from(length);
    match value.first_chunk::<VALUE>() {
        Some(chunk) if usize::from(length) <= VALUE => {
            out.extend_from_slice(chunk);
            out.truncate(end);
        }
        _ => out.extend_from_slice(value.get(..usize::from(length)).unwrap_or_default()),
    }
}

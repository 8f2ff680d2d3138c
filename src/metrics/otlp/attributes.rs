//! From the rendered labels of a series back to its attributes.
//!
//! Labels are held once, as Prometheus writes them: holding them a second time, as OTLP does, would cost an agent of
//! 10,000 checks more memory than all else it has. Reading them back costs about as much as copying them.

use crate::model::Definition;

use super::wire;
use crate::metrics::names::prometheus_label;

/// The attribute names of a metric, in both forms.
#[derive(Debug)]
pub(super) struct Keys(Box<[Key]>);

#[derive(Debug)]
struct Key {
    /// How the label begins: `name="`.
    label: Box<[u8]>,
    /// The field `key` of a `KeyValue`.
    field: Box<[u8]>,
}

impl Keys {
    pub(super) fn new(definition: &Definition) -> Self {
        let key = |name: &&str| {
            let mut field = Vec::new();
            wire::write_bytes(wire::message(1), name.as_bytes(), &mut field);
            Key { label: format!("{}=\"", prometheus_label(name)).into_bytes().into(), field: field.into() }
        };
        Self(definition.attributes.iter().map(key).collect())
    }

    /// Writes each label of `labels` as a `KeyValue` in a field of `tag`.
    pub(super) fn write(&self, tag: u8, labels: &[u8], out: &mut Vec<u8>) {
        let mut rest = labels;
        // Labels stand in the order of the definition; one without a value is left out.
        for key in &self.0 {
            let Some(value) = rest.strip_prefix(&*key.label) else { continue };
            let (raw, escapes) = value_of(value);
            rest = value.get(raw.len() + 2..).unwrap_or_default();
            write_text(tag, &key.field, raw.len() - escapes, out);
            if escapes == 0 {
                out.extend_from_slice(raw);
            } else {
                unescape(raw, out);
            }
        }
    }
}

/// The value that `rest` begins with, still escaped, up to the quotation mark; and how many escapes are in it.
fn value_of(rest: &[u8]) -> (&[u8], usize) {
    let (mut at, mut escapes) = (0, 0);
    while let Some(found) =
        rest.get(at..).and_then(|rest| rest.iter().position(|b| matches!(b, b'"' | b'\\')))
    {
        at += found;
        if rest.get(at) == Some(&b'"') {
            break;
        }
        escapes += 1;
        at += 2;
    }
    (rest.get(..at).unwrap_or(rest), escapes)
}

fn unescape(raw: &[u8], out: &mut Vec<u8>) {
    let mut bytes = raw.iter();
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

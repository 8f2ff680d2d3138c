//! From the rendered labels of a series back to its attributes.
//!
//! Labels are held once, as Prometheus writes them: holding them a second time, as OTLP does, would cost an agent of
//! 10,000 checks more memory than all else it has. Reading them back costs about as much as copying them.

use crate::model::Definition;

use super::wire;
use crate::metrics::names::prometheus_label;

/// The attribute names of a metric, in both forms.
#[derive(Debug)]
pub(in crate::metrics) struct Keys(Box<[Key]>);

#[derive(Debug)]
struct Key {
    name: &'static str,
    /// How the label begins: `name="`.
    label: Box<[u8]>,
    /// The field `key` of a `KeyValue`.
    field: Box<[u8]>,
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
            Key { name, label: label.into(), field: field.into() }
        };
        Self(definition.attributes.iter().map(key).collect())
    }

    /// Writes each label of `labels` as a `KeyValue` in a field of `tag`.
    pub(super) fn write(&self, tag: u8, labels: &[u8], out: &mut Vec<u8>) {
        for (key, raw) in self.values(labels) {
            write_text(tag, &key.field, raw.text.len() - raw.escapes, out);
            raw.write(out);
        }
    }

    /// The attributes that are in `labels`.
    pub(in crate::metrics) fn pairs<'a>(
        &'a self,
        labels: &'a [u8],
    ) -> impl Iterator<Item = (&'static str, String)> + 'a {
        self.values(labels).map(|(key, raw)| {
            let mut value = Vec::with_capacity(raw.text.len());
            raw.write(&mut value);
            (key.name, String::from_utf8_lossy(&value).into_owned())
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

//! The few parts of protobuf's wire format that a request needs
//! (<https://protobuf.dev/programming-guides/encoding/>). Knows nothing of metrics.

/// How many bytes are left free for the length of a message that is still being written. A length that needs fewer is
/// padded, which the format allows: writing in one pass is worth more than these bytes, and compression takes them out.
const RESERVED: usize = 4;

/// The longest message whose length fits into what is reserved.
pub(super) const LONGEST: usize = (1 << (7 * RESERVED)) - 1;

/// The tag of a length-delimited field. Field numbers stay below 16, so that a tag is one byte.
pub(super) const fn message(field: u8) -> u8 {
    (field << 3) | 2
}

/// The tag of a field of eight bytes.
pub(super) const fn fixed(field: u8) -> u8 {
    (field << 3) | 1
}

/// The tag of a field of one small number.
pub(super) const fn varint(field: u8) -> u8 {
    field << 3
}

/// Writes a number in groups of seven bits, the lowest first.
pub(super) fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(low_bits(value) | 0x80);
        value >>= 7;
    }
    out.push(low_bits(value));
}

/// Writes the length of something.
pub(super) fn write_length(length: usize, out: &mut Vec<u8>) {
    write_varint(length as u64, out);
}

/// How many bytes [`write_length`] writes.
pub(super) const fn varint_len(value: usize) -> usize {
    let bits = usize::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

const fn low_bits(value: u64) -> u8 {
    (value & 0x7f) as u8
}

/// Writes a field whose content is known.
pub(super) fn write_bytes(tag: u8, content: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    write_length(content.len(), out);
    out.extend_from_slice(content);
}

/// Writes a field of eight bytes.
pub(super) fn write_fixed(tag: u8, value: u64, out: &mut Vec<u8>) {
    let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
    out.extend_from_slice(&[tag, a, b, c, d, e, f, g, h]);
}

/// Writes a field of numbers of eight bytes each.
pub(super) fn write_packed(tag: u8, values: impl ExactSizeIterator<Item = u64>, out: &mut Vec<u8>) {
    out.push(tag);
    write_length(8 * values.len(), out);
    for value in values {
        out.extend_from_slice(&value.to_le_bytes());
    }
}

/// A message that is being written, and where its content began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open(usize);

/// Begins a field whose content follows.
pub(super) fn open(tag: u8, out: &mut Vec<u8>) -> Open {
    out.extend_from_slice(&[tag, 0x80, 0x80, 0x80, 0]);
    Open(out.len())
}

/// Ends a field: everything since [`open`] is its content.
pub(super) fn close(Open(start): Open, out: &mut [u8]) {
    let mut rest = (out.len() - start) as u64;
    for place in out.iter_mut().take(start).skip(start - RESERVED) {
        *place |= low_bits(rest);
        rest >>= 7;
    }
}

/// As [`open`] and [`close`], for what is nearly always shorter than 16 KiB and comes in great numbers.
pub(super) fn write_message(tag: u8, out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&[tag, 0x80, 0]);
    let start = out.len();
    content(out);
    let length = out.len() - start;
    if length < 1 << 14 {
        if let Some([low, high]) = out.get_mut(start - 2..start) {
            *low |= low_bits(length as u64);
            *high = low_bits(length as u64 >> 7);
        }
    } else {
        let mut longer = Vec::new();
        write_length(length, &mut longer);
        out.splice(start - 2..start, longer);
    }
}

/// A field as it stands in a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    /// The tag, if it is one byte; no field of interest has a longer one.
    pub(super) tag: u8,
    /// What a length-delimited field holds; empty for others.
    pub(super) content: &'a [u8],
    /// All of it, tag and length included.
    pub(super) whole: &'a [u8],
}

/// The fields of `message` one after the other; `None` in place of what is no field, and then no more.
pub(super) fn fields(message: &[u8]) -> impl Iterator<Item = Option<Field<'_>>> {
    let mut rest = Some(message);
    std::iter::from_fn(move || {
        let before = rest.filter(|rest| !rest.is_empty())?;
        let field = read_field(before);
        rest = field.and_then(|field| before.get(field.whole.len()..));
        Some(field)
    })
}

fn read_field(message: &[u8]) -> Option<Field<'_>> {
    let (tag, mut at) = read_varint(message)?;
    let mut content = &[][..];
    match tag & 7 {
        0 => at += read_varint(message.get(at..)?)?.1,
        1 => at += 8,
        2 => {
            let (length, width) = read_varint(message.get(at..)?)?;
            at += width;
            content = message.get(at..at.checked_add(length)?)?;
            at += length;
        }
        5 => at += 4,
        _ => return None,
    }
    Some(Field { tag: u8::try_from(tag).unwrap_or(0), content, whole: message.get(..at)? })
}

/// A number and how many bytes it took.
fn read_varint(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f).checked_shl(7 * u32::try_from(index).ok()?)?;
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, index + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back(value in any::<u32>().prop_map(|value| value as usize)) {
            let mut out = Vec::new();
            write_length(value, &mut out);
            prop_assert_eq!(out.len(), varint_len(value));
            prop_assert_eq!(read_varint(&out), Some((value, out.len())));
        }

        #[test]
        fn messages_come_back(lengths in proptest::collection::vec(0_usize..40_000, 0..5)) {
            let mut out = Vec::new();
            let outer = open(message(1), &mut out);
            for length in &lengths {
                write_message(message(2), &mut out, |out| out.extend(vec![7; *length]));
            }
            close(outer, &mut out);
            let outer: Vec<_> = fields(&out).map(Option::unwrap).collect();
            prop_assert_eq!(outer.len(), 1);
            let inner: Vec<_> = fields(outer[0].content).map(|field| field.unwrap().content.len()).collect();
            prop_assert_eq!(inner, lengths);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let read: usize = fields(&bytes).flatten().map(|field| field.whole.len()).sum();
            prop_assert!(read <= bytes.len());
        }
    }
}

//! A batch as a file: its name, which says number, time and points, so that finding out what waits reads no batch; a mark,
//! the length, a checksum over name and content, and the content. Knows no directory.

use super::{Name, length};

/// What a file begins with, the version of its form included.
const MARK: &[u8; 8] = b"vsotlp\x00\x01";
/// Mark, length of the content, checksum.
pub(super) const HEAD: usize = 8 + 8 + 4;
/// Of a batch that is kept, and of one that is being written.
pub(super) const ENDING: &str = ".batch";
pub(super) const UNFINISHED: &str = ".new";

/// What a file with a name of ours is, by its beginning and its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Whole, so far as that can be told without reading it.
    Whole,
    /// Ours, and cut off, changed, or of another version.
    Damaged,
    /// Somebody else's.
    Foreign,
}

/// The name of a file.
pub(super) fn file_name(Name { number, made, points }: Name, ending: &str) -> String {
    format!("{number:016x}-{made}-{points}{ending}")
}

/// What the name of a file says; `None` where we would not write it so.
pub(super) fn parse(file: &str, ending: &str) -> Option<Name> {
    let mut parts = file.strip_suffix(ending)?.split('-');
    let number = u64::from_str_radix(parts.next()?, 16).ok()?;
    let made = parts.next()?.parse().ok()?;
    let points = parts.next()?.parse().ok()?;
    // Numbers grow by steps, and times are added to: neither may come near its end.
    let sane = number < u64::MAX / 2 && made < u64::from(u32::MAX) * 10_000;
    let name = Name { number, made, points };
    (parts.next().is_none() && sane && file_name(name, ending) == file).then_some(name)
}

/// What a batch begins with.
pub(super) fn head(name: Name, packed: &[u8]) -> Vec<u8> {
    let mut head = Vec::with_capacity(HEAD);
    head.extend_from_slice(MARK);
    head.extend_from_slice(&length(packed).to_le_bytes());
    head.extend_from_slice(&checksum(name, packed).to_le_bytes());
    head
}

/// What a file is that begins so and is so large.
pub(super) fn form(beginning: &[u8], size: u64) -> Form {
    let mark = beginning.get(..MARK.len());
    if mark == Some(MARK) {
        let content = beginning.get(8..16).and_then(|length| length.try_into().ok()).map(u64::from_le_bytes);
        let whole = content.and_then(|content| content.checked_add(length(&[0; HEAD]))) == Some(size);
        return if whole { Form::Whole } else { Form::Damaged };
    }
    let alike = beginning.iter().zip(MARK).filter(|(byte, ours)| byte == ours).count();
    // All of what is there of a mark that was cut off; most of one in which something was changed.
    let ours = if mark.is_none() { alike == beginning.len() } else { alike > MARK.len() / 2 };
    if ours { Form::Damaged } else { Form::Foreign }
}

fn checksum(Name { number, made, points }: Name, packed: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in [number, made, points] {
        hasher.update(&part.to_le_bytes());
    }
    hasher.update(packed);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn names_are_read_back(number in 0..u64::MAX / 2, made in 0..4_000_000_000_000_u64, points: u64) {
            let name = Name { number, made, points };
            for ending in [ENDING, UNFINISHED] {
                prop_assert_eq!(parse(&file_name(name, ending), ending), Some(name));
            }
        }

        #[test]
        fn no_name_of_a_file_is_too_strange(file in "\\PC{0,40}(\\.batch)?") {
            let _ = parse(&file, ENDING);
        }

        #[test]
        fn no_beginning_is_too_strange(bytes: Vec<u8>, size: u64) {
            prop_assert!(form(&bytes, size) != Form::Whole);
        }
    }

    #[test]
    fn a_name_is_ours_only_as_we_write_it() {
        for file in
            ["1-1-1.batch", "0000000000000001-01-1.batch", "000000000000000A-1-1.batch", "x.batch", ".batch"]
        {
            assert_eq!(parse(file, ENDING), None, "{file}");
        }
    }

    #[test]
    fn a_file_is_ours_by_its_beginning() {
        let whole = head(Name { number: 1, made: 1, points: 1 }, b"12345");
        let size = length(&whole) + 5;
        assert_eq!(form(&whole, size), Form::Whole);
        assert_eq!(form(&whole, size - 1), Form::Damaged);
        assert_eq!(
            (form(b"", 0), form(b"vso", 3), form(&whole[..12], 12)),
            (Form::Damaged, Form::Damaged, Form::Damaged)
        );
        for at in 0..8 {
            let mut changed = whole.clone();
            changed[at] ^= 0x10;
            assert_eq!(form(&changed, size), Form::Damaged, "{at}");
        }
        for foreign in [&b"x"[..], b"hello, world, this is a text", &[0; 20]] {
            assert_eq!(form(foreign, 20), Form::Foreign, "{foreign:?}");
        }
    }
}

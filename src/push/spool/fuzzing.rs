//! The parsers of what is in the directory, for [`crate::fuzzing`].

pub(in crate::push) fn name(bytes: &[u8]) {
    let _ = super::disk::parse(&String::from_utf8_lossy(bytes));
}

//! The parsers of this kind, for [`crate::fuzzing`].

pub(in crate::checks) fn greeting(bytes: &[u8]) {
    let _ = super::greeting::of(bytes);
}

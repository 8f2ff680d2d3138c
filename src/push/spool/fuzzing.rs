//! The parsers of what is in the directory, for [`crate::fuzzing`].

use super::form::{ENDING, UNFINISHED, form, parse};

pub(in crate::push) fn name(bytes: &[u8]) {
    let file = String::from_utf8_lossy(bytes);
    let _ = (parse(&file, ENDING), parse(&file, UNFINISHED));
    let _ = form(bytes, u64::try_from(bytes.len()).unwrap_or(0));
}

//! The parsers of this kind, for [`crate::fuzzing`].

use crate::model::Outcome;

pub(in crate::checks) fn answer(bytes: &[u8]) {
    if let Err(error) = redis::parse_redis_value(bytes) {
        let _ = super::failure::of(&error);
    }
    let _ = super::info::measure(&String::from_utf8_lossy(bytes), Outcome::pass());
}

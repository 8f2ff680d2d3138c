//! The parsers of this kind, for [`crate::fuzzing`].

use super::frame::{self, Frame};
use super::method;

pub(in crate::checks) fn frames(mut bytes: &[u8]) {
    let _ = method::read(bytes);
    while let Ok(Some((frame, length))) = frame::first(bytes) {
        assert!(length > 0, "a frame that takes no bytes is read for ever");
        if let Frame::Method(payload) = frame {
            let _ = method::read(payload);
        }
        bytes = bytes.get(length..).unwrap_or_default();
    }
}

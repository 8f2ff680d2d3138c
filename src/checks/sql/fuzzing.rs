//! The parsers of what both kinds share, for [`crate::fuzzing`].

use super::query::{self, Dialect};

pub(in crate::checks) fn statement(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for postgres in [true, false] {
        let dialect = Dialect { postgres, reads: &["select", "with", "values", "table"] };
        if let Ok(one) = query::statement(&text, dialect) {
            // What is one statement stays one.
            assert_eq!(query::statement(one, dialect), Ok(one));
        }
    }
}

//! The parsers of this kind, for [`crate::fuzzing`].

use crate::config::SecretUrl;

pub(in crate::checks) fn url(bytes: &[u8]) {
    let Ok(url) = url::Url::parse(&String::from_utf8_lossy(bytes)) else { return };
    // What names a file would read it.
    if !url.as_str().contains("ssl") {
        let _ = super::options::read(&SecretUrl::new(url), None);
    }
}

//! One gzip member at the fastest level: a page compresses ten times smaller, and a scrape is on a local network.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Compresses `page` onto the end of `out`.
pub(super) fn compress(page: &[u8], out: Vec<u8>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(out, Compression::fast());
    // Writing into a Vec cannot fail.
    let _ = encoder.write_all(page);
    encoder.finish().unwrap_or_default()
}

//! One gzip member at the fastest level: a page compresses ten times smaller, and a scrape is on a local network.

use std::io::Write;

use flate2::Compression;
#[cfg(feature = "otlp")]
use flate2::write::GzDecoder;
use flate2::write::GzEncoder;

/// Compresses `page` onto the end of `out`.
pub(crate) fn compress(page: &[u8], out: Vec<u8>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(out, Compression::fast());
    // Writing into a Vec cannot fail.
    let _ = encoder.write_all(page);
    encoder.finish().unwrap_or_default()
}

/// What [`compress`] made `packed` of, as far as it is whole.
#[cfg(feature = "otlp")]
pub(crate) fn uncompress(packed: &[u8]) -> Vec<u8> {
    let mut decoder = GzDecoder::new(Vec::new());
    let _ = decoder.write_all(packed);
    decoder.finish().unwrap_or_default()
}

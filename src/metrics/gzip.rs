//! One gzip member at the fastest level: a page compresses ten times smaller, and a scrape is on a local network.
//!
//! What the compressor needs is kept from page to page: a third of a megabyte, and to get it from the system anew took
//! longer than to compress a small page.

#[cfg(feature = "otlp")]
use std::io::Write;

#[cfg(feature = "otlp")]
use flate2::write::GzDecoder;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// Magic number, deflate, no name and no time, fastest, no system in particular.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff];
/// How much is put aside at least for what comes out.
const ROOM: usize = 4096;

/// Compresses one page after the other.
pub(super) struct Gzip(Compress);

impl Default for Gzip {
    fn default() -> Self {
        Self(Compress::new(Compression::fast(), false))
    }
}

impl Gzip {
    /// Compresses `page` onto the end of `out`.
    pub(super) fn compress(&mut self, page: &[u8], mut out: Vec<u8>) -> Vec<u8> {
        let Self(compress) = self;
        compress.reset();
        out.extend_from_slice(&HEADER);
        let mut rest = page;
        loop {
            out.reserve(ROOM.max(rest.len() / 8));
            let before = compress.total_in();
            let status = compress.compress_vec(rest, &mut out, FlushCompress::Finish);
            let taken = usize::try_from(compress.total_in() - before).unwrap_or(usize::MAX);
            rest = rest.get(taken..).unwrap_or_default();
            // An error would be one of how it is called here, and leaves a member that no reader accepts.
            if !matches!(status, Ok(Status::Ok | Status::BufError)) {
                break;
            }
        }
        let mut sum = Crc::new();
        sum.update(page);
        out.extend_from_slice(&sum.sum().to_le_bytes());
        out.extend_from_slice(&sum.amount().to_le_bytes());
        out
    }
}

/// Compresses `page` onto the end of `out`, once.
#[cfg(feature = "otlp")]
pub(crate) fn compress(page: &[u8], out: Vec<u8>) -> Vec<u8> {
    Gzip::default().compress(page, out)
}

/// What [`compress`] made `packed` of, as far as it is whole.
#[cfg(feature = "otlp")]
pub(crate) fn uncompress(packed: &[u8]) -> Vec<u8> {
    let mut decoder = GzDecoder::new(Vec::new());
    let _ = decoder.write_all(packed);
    decoder.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_page_comes_out_as_it_went_in(pages in proptest::collection::vec(("\\PC{0,80}", 0..5_000_usize), 1..4)) {
            let mut gzip = Gzip::default();
            for (text, times) in pages {
                let page = text.repeat(times).into_bytes();
                let packed = gzip.compress(&page, Vec::new());
                let mut unpacked = Vec::new();
                flate2::read::GzDecoder::new(&*packed).read_to_end(&mut unpacked).unwrap();
                prop_assert_eq!(unpacked, page);
            }
        }
    }
}

//! One gzip member at the fastest level: a page compresses ten times smaller, and a scrape is on a local network.
//!
//! Takes a page as a whole or part by part, so that nobody has to hold all of a large one. What the compressor needs is
//! kept from page to page: a third of a megabyte, and to get it from the system anew took longer than to compress a
//! small page.

use std::io::Write;

use flate2::write::GzDecoder;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// Magic number, deflate, no name and no time, fastest, no system in particular.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff];
/// How much is put aside at least for what comes out.
const ROOM: usize = 4096;

/// Compresses one page after the other.
pub(super) struct Gzip {
    compress: Compress,
    /// Of what came in since the member began.
    sum: Crc,
}

impl Default for Gzip {
    fn default() -> Self {
        Self { compress: Compress::new(Compression::fast(), false), sum: Crc::new() }
    }
}

impl Gzip {
    /// Compresses `page` onto the end of `out`.
    pub(super) fn compress(&mut self, page: &[u8], out: &mut Vec<u8>) {
        self.begin(out);
        self.end(page, out);
    }

    /// Begins a member at the end of `out`; what was begun before is forgotten.
    pub(super) fn begin(&mut self, out: &mut Vec<u8>) {
        self.compress.reset();
        self.sum.reset();
        out.extend_from_slice(&HEADER);
    }

    /// Takes in the next part of the page.
    pub(super) fn add(&mut self, part: &[u8], out: &mut Vec<u8>) {
        self.take(part, FlushCompress::None, out);
    }

    /// Takes in the last part of the page and ends the member.
    pub(super) fn end(&mut self, part: &[u8], out: &mut Vec<u8>) {
        self.take(part, FlushCompress::Finish, out);
        out.extend_from_slice(&self.sum.sum().to_le_bytes());
        out.extend_from_slice(&self.sum.amount().to_le_bytes());
    }

    fn take(&mut self, part: &[u8], flush: FlushCompress, out: &mut Vec<u8>) {
        let Self { compress, sum } = self;
        sum.update(part);
        let mut rest = part;
        loop {
            out.reserve(ROOM.max(rest.len() / 8));
            let before = compress.total_in();
            let status = compress.compress_vec(rest, out, flush);
            let taken = usize::try_from(compress.total_in() - before).unwrap_or(usize::MAX);
            rest = rest.get(taken..).unwrap_or_default();
            // An error would be one of how it is called here, and leaves a member that no reader accepts.
            let goes_on = matches!(status, Ok(Status::Ok | Status::BufError));
            // Before the last part, what is left inside comes out with the next one.
            if !goes_on || (rest.is_empty() && matches!(flush, FlushCompress::None)) {
                break;
            }
        }
    }
}

/// Compresses `page` onto the end of `out`, once.
pub(crate) fn compress(page: &[u8], mut out: Vec<u8>) -> Vec<u8> {
    Gzip::default().compress(page, &mut out);
    out
}

/// What `packed` was made of, as far as it is whole.
pub(crate) fn uncompress(packed: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    uncompress_into(packed, &mut out);
    out
}

/// The same, written to `out` piece by piece.
pub(super) fn uncompress_into(packed: &[u8], out: impl Write) {
    let mut decoder = GzDecoder::new(out);
    // What there is of a member that is not whole was written.
    let _ = decoder.write_all(packed).and_then(|()| decoder.try_finish());
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use proptest::prelude::*;

    fn unpacked(packed: &[u8]) -> Vec<u8> {
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(packed).read_to_end(&mut unpacked).unwrap();
        unpacked
    }

    proptest! {
        #[test]
        fn every_page_comes_out_as_it_went_in(pages in proptest::collection::vec(("\\PC{0,80}", 0..5_000_usize), 1..4)) {
            let (mut gzip, mut parts) = (Gzip::default(), Gzip::default());
            for (text, times) in pages {
                let page = text.repeat(times).into_bytes();
                let (mut whole, mut in_parts) = (Vec::new(), Vec::new());
                gzip.compress(&page, &mut whole);
                prop_assert_eq!(unpacked(&whole), page.as_slice());
                parts.begin(&mut in_parts);
                page.chunks(1_000).for_each(|part| parts.add(part, &mut in_parts));
                parts.end(&[], &mut in_parts);
                prop_assert_eq!(unpacked(&in_parts), page.as_slice());
                prop_assert_eq!(uncompress(&in_parts), page);
            }
        }
    }
}

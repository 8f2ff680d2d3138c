//! One gzip member at the fastest level: a page compresses ten times smaller, and a scrape is on a local network.
//!
//! Takes a page as a whole or part by part, so that nobody has to hold all of a large one. What the compressor needs is
//! kept from page to page: a third of a megabyte, and to get it from the system anew took longer than to compress a
//! small page.
//!
//! The end of a page is written each time that it goes out, so a page that is kept is a member without an end. The end
//! is a block that is not compressed, and the checksum of both together: one member, which every reader understands, of
//! several members some read only the first.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;

pub(super) use flate2::Crc as Sum;
use flate2::write::GzDecoder;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// Magic number, deflate, no name and no time, fastest, no system in particular.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff];
/// How much is put aside at least for what comes out.
const ROOM: usize = 4096;

/// The head of deflate's last block where it holds bytes as they are.
const LAST_BLOCK: u8 = 1;

/// A member that its end is missing from.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) bytes: Bytes,
    /// Of what is in it.
    pub(super) sum: Arc<Crc>,
}

impl Open {
    /// What comes behind the bytes when the page ends with `end`, of 64 KiB at most.
    pub(super) fn end(&self, end: &[u8]) -> Vec<u8> {
        let mut sum = Crc::new();
        sum.combine(&self.sum);
        sum.update(end);
        let length = u16::try_from(end.len()).unwrap_or(u16::MAX);
        let mut out = Vec::with_capacity(end.len() + 13);
        out.push(LAST_BLOCK);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(end);
        out.extend_from_slice(&sum.sum().to_le_bytes());
        out.extend_from_slice(&sum.amount().to_le_bytes());
        out
    }

    /// What it was made of, written to `out` piece by piece.
    pub(super) fn uncompress_into(&self, out: impl Write) {
        let mut decoder = GzDecoder::new(out);
        // Writing into memory cannot fail, and what is here is whole.
        let _ = decoder
            .write_all(&self.bytes)
            .and_then(|()| decoder.write_all(&self.end(&[])))
            .and_then(|()| decoder.try_finish());
    }

    /// What it was made of.
    pub(super) fn uncompress(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.uncompress_into(&mut out);
        out
    }
}

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

    /// Takes in the last part of the page but for its end, and gives the checksum for [`Open`].
    pub(super) fn leave_open(&mut self, part: &[u8], out: &mut Vec<u8>) -> Arc<Crc> {
        self.take(part, FlushCompress::Sync, out);
        let mut sum = Crc::new();
        sum.combine(&self.sum);
        Arc::new(sum)
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
            let done = match flush {
                // What is left inside comes out with the next part.
                FlushCompress::None => rest.is_empty(),
                // Where it did not fill what was put aside, nothing is left inside.
                FlushCompress::Sync => rest.is_empty() && out.len() < out.capacity(),
                _ => false,
            };
            if !goes_on || done {
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
#[cfg(any(feature = "otlp", test))]
pub(crate) fn uncompress(packed: &[u8]) -> Vec<u8> {
    let mut decoder = GzDecoder::new(Vec::new());
    // What there is of a member that is not whole was written.
    let _ = decoder.write_all(packed).and_then(|()| decoder.try_finish());
    std::mem::take(decoder.get_mut())
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
                prop_assert_eq!(uncompress(&in_parts), page.as_slice());
                let mut open = Vec::new();
                parts.begin(&mut open);
                page.chunks(1_000).for_each(|part| parts.add(part, &mut open));
                let sum = parts.leave_open(&[], &mut open);
                let open = Open { bytes: open.into(), sum };
                prop_assert_eq!(open.uncompress(), page.as_slice());
                for end in ["", "the end\n", &"end".repeat(20_000)] {
                    let whole = [&*open.bytes, &open.end(end.as_bytes())].concat();
                    let mut member = Vec::new();
                    // Not one of several.
                    flate2::read::GzDecoder::new(&*whole).read_to_end(&mut member).unwrap();
                    prop_assert_eq!(member, [&page, end.as_bytes()].concat());
                }
            }
        }
    }
}

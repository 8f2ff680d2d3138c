//! The body of an answer: read up to a limit, unpacked up to the same limit, without the mark that some put before it.

use std::io::{self, Read};

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_ENCODING, HeaderMap};

use super::connection::Connection;
use super::failure::Failed;

/// How some editors and frameworks begin a text in UTF-8.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads a body as it came; one longer than `most` bytes is a failure.
pub(super) async fn read(
    connection: &mut Connection,
    mut body: Incoming,
    most: usize,
) -> Result<Vec<u8>, Failed> {
    let least = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if least > most {
        return Err(Failed::TooLong(most));
    }
    let mut read = Vec::with_capacity(least);
    while let Some(part) = connection.part(&mut body).await.map_err(Failed::Http)? {
        if read.len() + part.len() > most {
            return Err(Failed::TooLong(most));
        }
        read.extend_from_slice(&part);
    }
    Ok(read)
}

/// What the body says, however the server has packed it without being asked to.
pub(super) fn text(mut body: Vec<u8>, headers: &HeaderMap, most: usize) -> Result<Vec<u8>, Failed> {
    let values = headers.get_all(CONTENT_ENCODING).iter();
    let names: Vec<&str> =
        values.flat_map(|value| value.to_str().unwrap_or("?").split(',')).map(str::trim).collect();
    // The last one was put on last.
    for name in names.into_iter().rev().filter(|name| !name.is_empty()) {
        body = match name.to_ascii_lowercase().as_str() {
            "identity" => body,
            "gzip" | "x-gzip" => unpacked(MultiGzDecoder::new(body.as_slice()), &body, most)?,
            // Some servers leave out what the standard puts around it.
            "deflate" if is_zlib(&body) => unpacked(ZlibDecoder::new(body.as_slice()), &body, most)?,
            "deflate" => unpacked(DeflateDecoder::new(body.as_slice()), &body, most)?,
            _ => return Err(Failed::UnknownEncoding),
        };
    }
    if body.starts_with(MARK) {
        body.drain(..MARK.len());
    }
    Ok(body)
}

fn unpacked(decoder: impl Read, packed: &[u8], most: usize) -> Result<Vec<u8>, Failed> {
    let mut text = Vec::new();
    if packed.is_empty() {
        return Ok(text);
    }
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let read: io::Result<usize> = decoder.take(limit).read_to_end(&mut text);
    match read {
        Ok(length) if length > most => Err(Failed::TooLong(most)),
        Ok(_) => Ok(text),
        Err(error) => Err(Failed::BrokenEncoding(error)),
    }
}

/// Whether deflated data have the head of zlib.
fn is_zlib(body: &[u8]) -> bool {
    match body {
        [method, flags, ..] => method & 0x0F == 8 && u16::from_be_bytes([*method, *flags]) % 31 == 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use hyper::header::HeaderValue;
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Cause, Reason, Verdict};

    const TEXT: &[u8] = b"{\"status\":\"ok\"}";

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn unpack(body: Vec<u8>, encoding: &'static str) -> Result<Vec<u8>, Failed> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        text(body, &headers, 1000)
    }

    #[test]
    fn a_packed_body_is_unpacked() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(TEXT).unwrap();
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::fast());
        raw.write_all(TEXT).unwrap();
        assert_eq!(unpack(gzip(TEXT), "gzip").unwrap(), TEXT);
        assert_eq!(unpack(gzip(TEXT), "X-GZIP").unwrap(), TEXT);
        assert_eq!(unpack(gzip(&gzip(TEXT)), "gzip, identity, gzip").unwrap(), TEXT);
        assert_eq!(unpack(zlib.finish().unwrap(), "deflate").unwrap(), TEXT);
        assert_eq!(unpack(raw.finish().unwrap(), "deflate").unwrap(), TEXT);
        assert_eq!(unpack(Vec::new(), "gzip").unwrap(), b"");
    }

    #[test]
    fn a_byte_order_mark_is_left_out() {
        let marked = [MARK, TEXT].concat();
        assert_eq!(text(marked.clone(), &HeaderMap::new(), 1000).unwrap(), TEXT);
        assert_eq!(unpack(gzip(&marked), "gzip").unwrap(), TEXT);
    }

    #[test]
    fn what_cannot_be_unpacked_says_why() {
        let cause = |outcome: Result<Vec<u8>, Failed>| {
            let outcome = outcome.unwrap_err().outcome();
            assert_eq!(outcome.verdict, Verdict::Fail(Reason::UnexpectedBody));
            outcome.cause
        };
        assert_eq!(cause(unpack(TEXT.to_vec(), "br")), Some(Cause::UnknownEncoding));
        assert_eq!(cause(unpack(TEXT.to_vec(), "gzip")), Some(Cause::BrokenEncoding));
        let mut cut = gzip(TEXT);
        cut.truncate(20);
        assert_eq!(cause(unpack(cut, "gzip")), Some(Cause::BrokenEncoding));
        assert_eq!(cause(unpack(gzip(&[b' '; 100_000]), "gzip")), Some(Cause::BodyTooLong));
    }

    proptest! {
        #[test]
        fn anything_is_unpacked_or_refused(body: Vec<u8>) {
            for encoding in ["gzip", "deflate"] {
                if let Ok(text) = unpack(body.clone(), encoding) {
                    prop_assert!(text.len() <= 1000);
                }
            }
        }
    }
}

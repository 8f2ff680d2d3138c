//! The frames of AMQP 0-9-1 and the fields in them: pure functions over bytes, which believe nothing that they read.

/// The longest frame, head and end included: what the server is told in tune-ok, and kept to before that too.
pub(super) const MOST: u32 = 128 * 1024;

/// What a client says first.
pub(super) const HEADER: &[u8; 8] = b"AMQP\x00\x00\x09\x01";

const METHOD: u8 = 1;
const CONTENT_HEADER: u8 = 2;
const CONTENT_BODY: u8 = 3;
const HEARTBEAT: u8 = 8;
const END: u8 = 0xCE;
/// The bytes of a frame that are not its payload.
const FRAMING: u32 = 8;

/// What is wrong with bytes that should be AMQP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// A protocol header where a frame should be: how a server says that it wants another version.
    Version,
    /// Nothing that begins a frame.
    NoFrame,
    /// Longer than agreed.
    TooLong,
    /// No end where the end should be.
    NoEnd,
    /// A method whose fields are not all there.
    Fields,
}

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// A method: its numbers and fields.
    Method(&'a [u8]),
    /// A part of a message.
    Content,
    Heartbeat,
}

/// The first frame in `bytes` and how many of them it takes; `None` where its end has not come yet.
pub(super) fn first(bytes: &[u8]) -> Result<Option<(Frame<'_>, usize)>, Broken> {
    match bytes.first() {
        None => return Ok(None),
        Some(&(METHOD | CONTENT_HEADER | CONTENT_BODY | HEARTBEAT)) => {}
        Some(_) if bytes.starts_with(b"AMQP") => return Err(Broken::Version),
        Some(_) if b"AMQP".starts_with(bytes) => return Ok(None),
        Some(_) => return Err(Broken::NoFrame),
    }
    let Some((&[kind, _, _, a, b, c, d], rest)) = bytes.split_first_chunk::<7>() else { return Ok(None) };
    let size = u32::from_be_bytes([a, b, c, d]);
    if size > MOST - FRAMING {
        return Err(Broken::TooLong);
    }
    let size = usize::try_from(size).map_err(|_| Broken::TooLong)?;
    let Some((payload, &[end, ..])) = rest.split_at_checked(size) else { return Ok(None) };
    if end != END {
        return Err(Broken::NoEnd);
    }
    let frame = match kind {
        METHOD => Frame::Method(payload),
        HEARTBEAT => Frame::Heartbeat,
        _ => Frame::Content,
    };
    Ok(Some((frame, bytes.len() - rest.len() + size + 1)))
}

/// A method as a frame.
pub(super) fn method(channel: u16, (class, number): (u16, u16), fields: &Writer) -> Vec<u8> {
    let size = u32::try_from(fields.0.len() + 4).unwrap_or(u32::MAX);
    let mut frame = Writer::new().octet(METHOD).word(channel).long(size).word(class).word(number).0;
    frame.extend_from_slice(&fields.0);
    frame.push(END);
    frame
}

/// The head of a message with a body of `size` bytes and no properties.
pub(super) fn content_header(channel: u16, class: u16, size: u32) -> Vec<u8> {
    const WEIGHT: u16 = 0;
    const NO_PROPERTIES: u16 = 0;
    let payload = Writer::new().word(class).word(WEIGHT).long(0).long(size).word(NO_PROPERTIES).0;
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut frame = Writer::new().octet(CONTENT_HEADER).word(channel).long(length).0;
    frame.extend_from_slice(&payload);
    frame.push(END);
    frame
}

/// Reads field after field; `None` where one is not there as a whole.
#[derive(Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn octet(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn word(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn long(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// A text of at most 255 bytes.
    pub(super) fn short_text(&mut self) -> Option<&'a [u8]> {
        let length = self.octet()?;
        self.take(usize::from(length))
    }

    /// A longer text, or the bytes of a table.
    pub(super) fn long_text(&mut self) -> Option<&'a [u8]> {
        let length = self.long()?;
        self.take(usize::try_from(length).ok()?)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

/// Writes field after field.
#[derive(Debug)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn octet(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    pub(super) fn word(mut self, value: u16) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(super) fn long(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// A text; what is beyond 255 bytes is left out.
    pub(super) fn short_text(self, text: &str) -> Self {
        let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
        let mut with = self.octet(length);
        with.0.extend(text.bytes().take(usize::from(length)));
        with
    }

    pub(super) fn long_text(self, text: &str) -> Self {
        self.long_bytes(text.as_bytes())
    }

    /// A table of these fields.
    pub(super) fn table(self, fields: &Self) -> Self {
        self.long_bytes(&fields.0)
    }

    fn long_bytes(self, bytes: &[u8]) -> Self {
        let mut with = self.long(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        with.0.extend_from_slice(bytes);
        with
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    #[test]
    fn tells_what_is_no_frame() {
        assert_eq!(first(b""), Ok(None));
        assert_eq!(first(b"AM"), Ok(None));
        assert_eq!(first(HEADER), Err(Broken::Version));
        assert_eq!(first(b"AMOR"), Err(Broken::NoFrame));
        assert_eq!(first(b"HTTP/1.1 400 Bad Request\r\n"), Err(Broken::NoFrame));
        assert_eq!(first(b"\x15\x03\x03\x00\x02\x02\x46"), Err(Broken::NoFrame));
        assert_eq!(first(b"\x01\x00\x00\x00\x01\xff\xf9"), Err(Broken::TooLong));
        assert_eq!(first(b"\x01\x00\x00\x00\x01\xff\xf8"), Ok(None));
        assert_eq!(first(b"\x01\x00\x00\xff\xff\xff\xff"), Err(Broken::TooLong));
        assert_eq!(first(b"\x08\x00\x00\x00\x00\x00\x00\x00"), Err(Broken::NoEnd));
        assert_eq!(first(b"\x08\x00\x00\x00\x00\x00\x00\xce\x01"), Ok(Some((Frame::Heartbeat, 8))));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(text in ".*", channel in any::<u16>(), number in any::<u32>()) {
            let fields = Writer::new().long_text(&text).octet(7).short_text("q").word(channel).long(number);
            let bytes = method(channel, (10, 40), &fields);
            for cut in 0..bytes.len() {
                prop_assert_eq!(first(&bytes[..cut]), Ok(None));
            }
            let Ok(Some((Frame::Method(payload), taken))) = first(&bytes) else { panic!("{bytes:?}") };
            prop_assert_eq!(taken, bytes.len());
            let mut reader = Reader(payload);
            prop_assert_eq!((reader.word(), reader.word()), (Some(10), Some(40)));
            prop_assert_eq!(reader.long_text(), Some(text.as_bytes()));
            prop_assert_eq!(reader.octet(), Some(7));
            prop_assert_eq!(reader.short_text(), Some(&b"q"[..]));
            prop_assert_eq!((reader.word(), reader.long()), (Some(channel), Some(number)));
            prop_assert_eq!(reader.octet(), None);
        }

        #[test]
        fn a_frame_is_no_longer_than_what_holds_it(mut bytes in any::<Vec<u8>>(), kind in 0_u8..10, size in 0_u8..40) {
            bytes.splice(0..0, [kind, 0, 0, 0, 0, 0, size]);
            if let Ok(Some((frame, taken))) = first(&bytes) {
                prop_assert!(taken <= bytes.len());
                prop_assert_eq!(taken, usize::from(size) + 8);
                prop_assert_eq!(first(&bytes[..taken]), Ok(Some((frame, taken))));
            }
        }

        #[test]
        fn a_short_text_is_cut_where_its_length_ends(text in ".{0,400}") {
            let written = Writer::new().short_text(&text).0;
            let read = Reader(&written).short_text();
            prop_assert_eq!(read, Some(&text.as_bytes()[..text.len().min(255)]));
        }
    }
}

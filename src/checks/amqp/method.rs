//! The methods of AMQP 0-9-1 that a look at a queue and at the broker's alarms takes, by their names in the
//! specification.

use super::alarm::Short;
use super::frame::{Broken, MOST, Reader, Writer, content_header, method};

/// Class and method.
type Number = (u16, u16);

const CONNECTION_START: Number = (10, 10);
const CONNECTION_START_OK: Number = (10, 11);
const CONNECTION_TUNE: Number = (10, 30);
const CONNECTION_TUNE_OK: Number = (10, 31);
const CONNECTION_OPEN: Number = (10, 40);
const CONNECTION_OPEN_OK: Number = (10, 41);
const CONNECTION_CLOSE: Number = (10, 50);
const CONNECTION_CLOSE_OK: Number = (10, 51);
const CONNECTION_BLOCKED: Number = (10, 60);
const CONNECTION_UNBLOCKED: Number = (10, 61);
const CHANNEL_OPEN: Number = (20, 10);
const CHANNEL_OPEN_OK: Number = (20, 11);
const CHANNEL_CLOSE: Number = (20, 40);
const CHANNEL_CLOSE_OK: Number = (20, 41);
const QUEUE_DECLARE: Number = (50, 10);
const QUEUE_DECLARE_OK: Number = (50, 11);
const BASIC_PUBLISH: Number = (60, 40);

/// The only channel, beside that of the connection itself.
const CHANNEL: u16 = 1;
const PASSIVE: u8 = 1;
const REPLY_SUCCESS: u16 = 200;
/// The capability in the tables of both sides: its name with the length before it, and that it is true.
const TELLS_ALARMS: &[u8] = b"\x12connection.blockedt\x01";

/// What the server may say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Start {
        /// Major and minor.
        version: (u8, u8),
        /// Whether it takes a user and a password.
        plain: bool,
        /// Whether it tells publishers when an alarm blocks them.
        tells_alarms: bool,
    },
    Tune {
        /// Its longest frame; 0 where it does not care.
        frame_max: u32,
    },
    OpenOk,
    Close(Refusal),
    CloseOk,
    /// It takes no messages for now.
    Blocked(Short),
    /// It takes them again.
    Unblocked,
    ChannelOpenOk,
    ChannelClose(Refusal),
    DeclareOk {
        messages: u32,
        consumers: u32,
    },
    /// Nothing that we asked for.
    Other(u16, u16),
}

/// Why the server ends a channel or a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// One of the specification's codes.
    pub(super) code: u16,
    /// Private.
    pub(super) text: String,
}

/// Reads the payload of a method frame. Fields behind those that matter are not looked at.
pub(super) fn read(payload: &[u8]) -> Result<Method, Broken> {
    fields(&mut Reader(payload)).ok_or(Broken::Fields)
}

fn fields(reader: &mut Reader<'_>) -> Option<Method> {
    Some(match (reader.word()?, reader.word()?) {
        CONNECTION_START => {
            let version = (reader.octet()?, reader.octet()?);
            let properties = reader.long_text()?;
            let mut mechanisms = reader.long_text()?.split(|byte| *byte == b' ');
            Method::Start {
                version,
                plain: mechanisms.any(|mechanism| mechanism == b"PLAIN"),
                tells_alarms: properties.windows(TELLS_ALARMS.len()).any(|part| part == TELLS_ALARMS),
            }
        }
        CONNECTION_TUNE => {
            let _channel_max = reader.word()?;
            Method::Tune { frame_max: reader.long()? }
        }
        CONNECTION_OPEN_OK => Method::OpenOk,
        CONNECTION_CLOSE => Method::Close(refusal(reader)?),
        CONNECTION_CLOSE_OK => Method::CloseOk,
        CONNECTION_BLOCKED => Method::Blocked(Short::said(reader.short_text()?)),
        CONNECTION_UNBLOCKED => Method::Unblocked,
        CHANNEL_OPEN_OK => Method::ChannelOpenOk,
        CHANNEL_CLOSE => Method::ChannelClose(refusal(reader)?),
        QUEUE_DECLARE_OK => {
            let _queue = reader.short_text()?;
            Method::DeclareOk { messages: reader.long()?, consumers: reader.long()? }
        }
        (class, number) => Method::Other(class, number),
    })
}

fn refusal(reader: &mut Reader<'_>) -> Option<Refusal> {
    let code = reader.word()?;
    let text = String::from_utf8_lossy(reader.short_text()?).into_owned();
    Some(Refusal { code, text })
}

/// Says who we are; `response` is the answer to the mechanism PLAIN.
pub(super) fn start_ok(response: &str) -> Vec<u8> {
    let text = |with: Writer, key, value| with.short_text(key).octet(b'S').long_text(value);
    // So that a refused login is said, rather than shown by closing the connection.
    let capability = |with: Writer, key| with.short_text(key).octet(b't').octet(1);
    let capabilities = capability(Writer::new(), "authentication_failure_close");
    let capabilities = capability(capabilities, "connection.blocked");
    let mut properties = text(Writer::new(), "product", "vitalsign");
    properties = text(properties, "version", env!("CARGO_PKG_VERSION"));
    properties = text(properties, "connection_name", "vitalsign");
    properties = properties.short_text("capabilities").octet(b'F').table(&capabilities);
    let fields = Writer::new().table(&properties).short_text("PLAIN").long_text(response).short_text("en_US");
    method(0, CONNECTION_START_OK, &fields)
}

/// One channel, frames no longer than both sides like, and a heartbeat every so many seconds.
pub(super) fn tune_ok(frame_max: u32, heartbeat: u16) -> Vec<u8> {
    let frame_max = if frame_max == 0 { MOST } else { frame_max.min(MOST) };
    method(0, CONNECTION_TUNE_OK, &Writer::new().word(CHANNEL).long(frame_max).word(heartbeat))
}

/// Asks for a virtual host.
pub(super) fn open(vhost: &str) -> Vec<u8> {
    method(0, CONNECTION_OPEN, &Writer::new().short_text(vhost).short_text("").octet(0))
}

/// Says good-bye.
pub(super) fn close() -> Vec<u8> {
    method(0, CONNECTION_CLOSE, &Writer::new().word(REPLY_SUCCESS).short_text("").word(0).word(0))
}

/// Agrees with the server's end of the connection.
pub(super) fn close_ok() -> Vec<u8> {
    method(0, CONNECTION_CLOSE_OK, &Writer::new())
}

/// Asks for a channel.
pub(super) fn channel_open() -> Vec<u8> {
    method(CHANNEL, CHANNEL_OPEN, &Writer::new().short_text(""))
}

/// Agrees with the server's end of the channel.
pub(super) fn channel_close_ok() -> Vec<u8> {
    method(CHANNEL, CHANNEL_CLOSE_OK, &Writer::new())
}

/// Asks how long a queue is; passive, so that it is not made.
pub(super) fn declare(queue: &str) -> Vec<u8> {
    let fields = Writer::new().word(0).short_text(queue).octet(PASSIVE).table(&Writer::new());
    method(CHANNEL, QUEUE_DECLARE, &fields)
}

/// Begins to publish a message. Its one byte of body is not in here, and without that it is none.
pub(super) fn begin_publish() -> Vec<u8> {
    let (class, _) = BASIC_PUBLISH;
    let fields = Writer::new().word(0).short_text("").short_text("vitalsign").octet(0);
    [method(CHANNEL, BASIC_PUBLISH, &fields), content_header(CHANNEL, class, 1)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::amqp::frame::{Frame, first};
    use proptest::prelude::{any, proptest};

    fn payload(frame: &[u8]) -> &[u8] {
        match first(frame) {
            Ok(Some((Frame::Method(payload), taken))) if taken == frame.len() => payload,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn reads_what_a_broker_says() {
        let start = Writer::new().octet(0).octet(9).table(&Writer::new().short_text("product"));
        let frame = method(0, CONNECTION_START, &start.long_text("AMQPLAIN PLAIN").long_text("en_US"));
        let said = |plain, tells_alarms| Ok(Method::Start { version: (0, 9), plain, tells_alarms });
        assert_eq!(read(payload(&frame)), said(true, false));
        for (octet, tells_alarms) in [(0, false), (1, true)] {
            let capabilities = Writer::new().short_text("connection.blocked").octet(b't').octet(octet);
            let properties = Writer::new().short_text("capabilities").octet(b'F').table(&capabilities);
            let start = Writer::new().octet(0).octet(9).table(&properties).long_text("AMQPLAIN");
            assert_eq!(read(payload(&method(0, CONNECTION_START, &start))), said(false, tells_alarms));
        }
        let blocked = method(0, CONNECTION_BLOCKED, &Writer::new().short_text("low on disk"));
        assert_eq!(read(payload(&blocked)), Ok(Method::Blocked(Short::Disk)));
        assert_eq!(read(payload(&method(0, CONNECTION_UNBLOCKED, &Writer::new()))), Ok(Method::Unblocked));

        let close = Writer::new().word(403).short_text("ACCESS_REFUSED").word(10).word(11);
        let refusal = Refusal { code: 403, text: "ACCESS_REFUSED".to_owned() };
        assert_eq!(read(payload(&method(0, CONNECTION_CLOSE, &close))), Ok(Method::Close(refusal.clone())));
        assert_eq!(read(payload(&method(1, CHANNEL_CLOSE, &close))), Ok(Method::ChannelClose(refusal)));

        let declared = Writer::new().short_text("jobs").long(42).long(2);
        let declared = method(1, QUEUE_DECLARE_OK, &declared);
        assert_eq!(read(payload(&declared)), Ok(Method::DeclareOk { messages: 42, consumers: 2 }));
        let cut = method(1, QUEUE_DECLARE_OK, &Writer::new().short_text("jobs").long(42));
        assert_eq!(read(payload(&cut)), Err(Broken::Fields));
        assert_eq!(read(&[0, 90, 0, 10]), Ok(Method::Other(90, 10)));
        assert_eq!(read(&[0]), Err(Broken::Fields));
    }

    #[test]
    fn a_frame_is_as_long_as_both_sides_like() {
        let frame_max = |offered| {
            let frame = tune_ok(offered, 12);
            let mut reader = Reader(payload(&frame));
            assert_eq!((reader.word(), reader.word(), reader.word()), (Some(10), Some(31), Some(1)));
            let frame_max = reader.long();
            assert_eq!(reader.word(), Some(12), "heartbeats");
            frame_max
        };
        assert_eq!(frame_max(0), Some(MOST));
        assert_eq!(frame_max(4096), Some(4096));
        assert_eq!(frame_max(u32::MAX), Some(MOST));
    }

    #[test]
    fn a_queue_is_declared_passively() {
        assert_eq!(payload(&declare("q")), b"\x00\x32\x00\x0a\x00\x00\x01q\x01\x00\x00\x00\x00");
    }

    proptest! {
        #[test]
        fn garbage_is_read_without_harm(class in 0_u16..60, number in 0_u16..70, rest in any::<Vec<u8>>()) {
            let bytes = [&class.to_be_bytes()[..], &number.to_be_bytes(), &rest].concat();
            let _ = read(&bytes);
            let _ = read(&rest);
        }
    }
}

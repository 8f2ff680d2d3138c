//! Just enough AMQP 0-9-1 to declare, fill, empty and look at queues. The agent's client is among what the tests
//! examine, so this one shares no code with it; it also needs no Erlang runtime to start per call.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

const ANSWERS: Duration = Duration::from_secs(60);
const FRAME_END: u8 = 0xCE;
const DURABLE: u8 = 0b10;
const PASSIVE: u8 = 0b1;

/// Class and method numbers, by their names in the specification.
type Method = (u16, u16);
const CONNECTION_START: Method = (10, 10);
const CONNECTION_START_OK: Method = (10, 11);
const CONNECTION_TUNE: Method = (10, 30);
const CONNECTION_TUNE_OK: Method = (10, 31);
const CONNECTION_OPEN: Method = (10, 40);
const CONNECTION_OPEN_OK: Method = (10, 41);
const CONNECTION_CLOSE: Method = (10, 50);
const CONNECTION_CLOSE_OK: Method = (10, 51);
const CHANNEL_OPEN: Method = (20, 10);
const CHANNEL_OPEN_OK: Method = (20, 11);
const QUEUE_DECLARE: Method = (50, 10);
const QUEUE_DECLARE_OK: Method = (50, 11);
const BASIC_CONSUME: Method = (60, 20);
const BASIC_CONSUME_OK: Method = (60, 21);
const BASIC_PUBLISH: Method = (60, 40);
const BASIC_ACK: Method = (60, 80);
const CONFIRM_SELECT: Method = (85, 10);
const CONFIRM_SELECT_OK: Method = (85, 11);

/// A connection with one channel, as guest.
#[derive(Debug)]
pub(crate) struct Amqp {
    stream: TcpStream,
}

impl Amqp {
    /// Connects, authenticates, opens a channel.
    pub(crate) fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(ANSWERS))?;
        stream.set_write_timeout(Some(ANSWERS))?;
        let mut amqp = Self { stream };
        amqp.stream.write_all(b"AMQP\x00\x00\x09\x01")?;
        amqp.receive(CONNECTION_START)?;
        let start_ok =
            Arguments::new().long(0).short("PLAIN").long_text("\0guest\0guest").short("en_US").bytes;
        amqp.send(0, CONNECTION_START_OK, &start_ok)?;
        let mut tune = amqp.receive(CONNECTION_TUNE)?;
        tune.truncate(6); // channels and frame size as offered,
        tune.extend([0, 0]); // no heartbeats
        amqp.send(0, CONNECTION_TUNE_OK, &tune)?;
        amqp.call(0, CONNECTION_OPEN, &Arguments::new().short("/").short("").octet(0), CONNECTION_OPEN_OK)?;
        amqp.call(1, CHANNEL_OPEN, &Arguments::new().short(""), CHANNEL_OPEN_OK)?;
        Ok(amqp)
    }

    /// Makes a durable queue, or finds it.
    pub(crate) fn declare(&mut self, queue: &str) -> io::Result<()> {
        self.declare_with(queue, DURABLE).map(drop)
    }

    /// Messages ready in a queue and its consumers; an error when there is no such queue.
    pub(crate) fn look(&mut self, queue: &str) -> io::Result<(u32, u32)> {
        let answer = self.declare_with(queue, PASSIVE)?;
        let (name, counts) = answer.split_first().ok_or(io::ErrorKind::UnexpectedEof)?;
        let number = |at: usize| {
            let bytes = counts.get(usize::from(*name) + at..)?.first_chunk::<4>()?;
            Some(u32::from_be_bytes(*bytes))
        };
        number(0).zip(number(4)).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// Publishes `n` messages and waits until the broker has confirmed them all.
    pub(crate) fn publish(&mut self, queue: &str, n: u64) -> io::Result<()> {
        self.call(1, CONFIRM_SELECT, &Arguments::new().octet(0), CONFIRM_SELECT_OK)?;
        for number in 1..=n {
            let body = format!("message {number}").into_bytes();
            let length = u64::try_from(body.len()).expect("a length");
            let to = Arguments::new().word(0).short("").short(queue).octet(0);
            self.send(1, BASIC_PUBLISH, &to.bytes)?;
            let header = [&60_u16.to_be_bytes()[..], &[0; 2], &length.to_be_bytes(), &[0; 2]].concat();
            self.frame(2, 1, &header)?;
            self.frame(3, 1, &body)?;
        }
        let mut confirmed = 0;
        while confirmed < n {
            let ack = self.receive(BASIC_ACK)?;
            confirmed = ack.first_chunk().copied().map_or(0, u64::from_be_bytes);
        }
        Ok(())
    }

    /// Consumes a queue until the connection ends: takes what is in it and acknowledges nothing.
    pub(crate) fn consume(&mut self, queue: &str) -> io::Result<()> {
        let from = Arguments::new().word(0).short(queue).short("").octet(0).long(0);
        self.call(1, BASIC_CONSUME, &from, BASIC_CONSUME_OK).map(drop)
    }

    /// Says good-bye, so that the broker does not complain.
    pub(crate) fn close(mut self) -> io::Result<()> {
        let reason = Arguments::new().word(200).short("").word(0).word(0);
        self.call(0, CONNECTION_CLOSE, &reason, CONNECTION_CLOSE_OK).map(drop)
    }

    fn declare_with(&mut self, queue: &str, flags: u8) -> io::Result<Vec<u8>> {
        let declare = Arguments::new().word(0).short(queue).octet(flags).long(0);
        self.call(1, QUEUE_DECLARE, &declare, QUEUE_DECLARE_OK)
    }

    fn call(
        &mut self,
        channel: u16,
        m: Method,
        arguments: &Arguments,
        answer: Method,
    ) -> io::Result<Vec<u8>> {
        self.send(channel, m, &arguments.bytes)?;
        self.receive(answer)
    }

    fn send(&mut self, channel: u16, (class, method): Method, arguments: &[u8]) -> io::Result<()> {
        self.frame(1, channel, &[&class.to_be_bytes(), &method.to_be_bytes(), arguments].concat())
    }

    fn frame(&mut self, kind: u8, channel: u16, payload: &[u8]) -> io::Result<()> {
        let size = u32::try_from(payload.len()).expect("a small frame");
        let head = [&[kind][..], &channel.to_be_bytes(), &size.to_be_bytes()].concat();
        self.stream.write_all(&[&head, payload, &[FRAME_END]].concat())
    }

    /// The arguments of the next method, which must be `wanted`.
    fn receive(&mut self, wanted: Method) -> io::Result<Vec<u8>> {
        let mut head = [0; 7];
        self.stream.read_exact(&mut head)?;
        let [_, _, _, size @ ..] = head;
        let mut payload = vec![0; usize::try_from(u32::from_be_bytes(size)).expect("a frame size") + 1];
        self.stream.read_exact(&mut payload)?;
        payload.pop();
        let arguments = payload.split_off(4.min(payload.len()));
        if payload == [wanted.0.to_be_bytes(), wanted.1.to_be_bytes()].concat() {
            return Ok(arguments);
        }
        let answer = String::from_utf8_lossy(&arguments).into_owned();
        Err(io::Error::other(format!("{payload:?} instead of {wanted:?}: {answer}")))
    }
}

/// A method's arguments, in the wire's types.
struct Arguments {
    bytes: Vec<u8>,
}

impl Arguments {
    fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    fn octet(mut self, value: u8) -> Self {
        self.bytes.push(value);
        self
    }

    fn word(mut self, value: u16) -> Self {
        self.bytes.extend(value.to_be_bytes());
        self
    }

    fn long(mut self, value: u32) -> Self {
        self.bytes.extend(value.to_be_bytes());
        self
    }

    fn short(self, text: &str) -> Self {
        let mut with = self.octet(u8::try_from(text.len()).expect("a short string"));
        with.bytes.extend(text.as_bytes());
        with
    }

    fn long_text(self, text: &str) -> Self {
        let mut with = self.long(u32::try_from(text.len()).expect("a string"));
        with.bytes.extend(text.as_bytes());
        with
    }
}

//! A connection to a broker: who says what when. Everything happens inside the future of the one who asks, so a dropped
//! run leaves nothing behind; nothing is kept in memory beyond one frame.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::alarm::Alarms;
use super::frame::{self, Broken, Frame};
use super::method::{self, Method, Refusal};
use crate::checks::net::Wire;

const VERSION: (u8, u8) = (0, 9);
const READ_AT_ONCE: usize = 4096;

/// How far a connection has come; what went wrong means something else at each stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Finding out whether the peer is a broker.
    Greeting,
    /// The credentials were sent.
    Login,
    /// The virtual host was asked for.
    Vhost,
    /// The queue is asked for.
    Queue,
}

/// Why it did not come further.
#[derive(Debug)]
pub(super) enum Failure {
    Io(io::Error),
    /// The peer ended the connection without a word.
    Ended,
    Broken(Broken),
    /// The peer said something in the wrong place.
    Unexpected(String),
    /// It takes no user and password.
    NoPlain,
    /// It ended the connection.
    Closed(Refusal),
    /// It ended the channel; the connection is still there.
    ChannelClosed(Refusal),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        // Also how TLS says that the peer just went.
        if error.kind() == io::ErrorKind::UnexpectedEof { Self::Ended } else { Self::Io(error) }
    }
}

impl From<Broken> for Failure {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// What is known of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Depth {
    /// Those that are ready: neither delivered nor waiting for an acknowledgement.
    pub(super) messages: u32,
    pub(super) consumers: u32,
}

/// See the module.
pub(super) struct Connection {
    wire: Box<dyn Wire>,
    buffer: Vec<u8>,
    stage: Stage,
    has_channel: bool,
    /// Whether the broker tells publishers when an alarm blocks them.
    tells_alarms: bool,
}

impl Connection {
    pub(super) fn new(wire: Box<dyn Wire>) -> Self {
        Self { wire, buffer: Vec::new(), stage: Stage::Greeting, has_channel: false, tells_alarms: false }
    }

    /// How far it has come.
    pub(super) fn stage(&self) -> Stage {
        self.stage
    }

    /// Greets, logs in and opens the virtual host. The broker sends a heartbeat every `heartbeat` seconds, by which it
    /// notices that we have gone: a blocked connection it does not read from.
    pub(super) async fn log_in(
        &mut self,
        response: &str,
        vhost: &str,
        heartbeat: u16,
    ) -> Result<(), Failure> {
        self.stage = Stage::Greeting;
        self.send(frame::HEADER).await?;
        match self.next().await? {
            Method::Start { version: VERSION, plain: true, tells_alarms } => self.tells_alarms = tells_alarms,
            Method::Start { version: VERSION, plain: false, .. } => return Err(Failure::NoPlain),
            Method::Start { .. } => return Err(Failure::Broken(Broken::Version)),
            other => return Err(unexpected(&other)),
        }
        self.send(&method::start_ok(response)).await?;
        self.stage = Stage::Login;
        let frame_max = match self.next().await? {
            Method::Tune { frame_max } => frame_max,
            other => return Err(unexpected(&other)),
        };
        self.stage = Stage::Vhost;
        self.send(&[method::tune_ok(frame_max, heartbeat), method::open(vhost)].concat()).await?;
        match self.next().await? {
            Method::OpenOk => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Looks at a queue.
    pub(super) async fn look(&mut self, queue: &str) -> Result<Depth, Failure> {
        self.stage = Stage::Queue;
        self.open_channel().await?;
        self.send(&method::declare(queue)).await?;
        match self.next().await? {
            Method::DeclareOk { messages, consumers } => Ok(Depth { messages, consumers }),
            other => Err(unexpected(&other)),
        }
    }

    async fn open_channel(&mut self) -> Result<(), Failure> {
        if !self.has_channel {
            self.send(&method::channel_open()).await?;
            match self.next().await? {
                Method::ChannelOpenOk => self.has_channel = true,
                other => return Err(unexpected(&other)),
            }
        }
        Ok(())
    }

    /// Says good-bye, and finds out on the way whether an alarm keeps messages out.
    ///
    /// A broker tells only those who publish. So a message is begun and never ended: the broker throws it away with the
    /// connection, and nobody needs the right to publish. If there is an alarm, it says so and reads no further, and our
    /// good-bye stays unread; else the good-bye is answered. Either comes at once.
    pub(super) async fn close_and_hear_alarms(&mut self) -> Result<Alarms, Failure> {
        if !self.tells_alarms {
            return self.close().await.map(|()| Alarms::Untold);
        }
        self.open_channel().await?;
        self.send(&[method::begin_publish(), method::close()].concat()).await?;
        loop {
            match self.receive().await? {
                Method::Blocked(short) => return Ok(Alarms::Raised(short)),
                Method::CloseOk => break,
                _ => {}
            }
        }
        self.wire.shutdown().await?;
        Ok(Alarms::None)
    }

    /// Says good-bye, so that the broker does not complain in its log of a client that just went.
    pub(super) async fn close(&mut self) -> Result<(), Failure> {
        self.send(&method::close()).await?;
        while self.next().await? != Method::CloseOk {}
        self.wire.shutdown().await?;
        Ok(())
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.wire.write_all(bytes).await?;
        self.wire.flush().await?;
        Ok(())
    }

    /// The next method that is an answer. The end of the channel or the connection is agreed to and is a failure.
    async fn next(&mut self) -> Result<Method, Failure> {
        loop {
            match self.receive().await? {
                Method::Blocked(_) | Method::Unblocked => {}
                Method::Close(refusal) => {
                    let _ = self.send(&method::close_ok()).await;
                    return Err(Failure::Closed(refusal));
                }
                Method::ChannelClose(refusal) => {
                    let _ = self.send(&method::channel_close_ok()).await;
                    return Err(Failure::ChannelClosed(refusal));
                }
                answer => return Ok(answer),
            }
        }
    }

    /// The next method.
    async fn receive(&mut self) -> Result<Method, Failure> {
        loop {
            if let Some((frame, taken)) = frame::first(&self.buffer)? {
                let method = match frame {
                    Frame::Method(payload) => Some(method::read(payload)?),
                    Frame::Heartbeat => None,
                    Frame::Content => return Err(Failure::Unexpected("a message".to_owned())),
                };
                self.buffer.drain(..taken);
                if let Some(method) = method {
                    return Ok(method);
                }
            } else {
                self.buffer.reserve(READ_AT_ONCE);
                if self.wire.read_buf(&mut self.buffer).await? == 0 {
                    return Err(Failure::Ended);
                }
            }
        }
    }
}

fn unexpected(method: &Method) -> Failure {
    Failure::Unexpected(format!("{method:?}"))
}

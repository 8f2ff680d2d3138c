//! The messages of a connection to PostgreSQL: sent in one piece, and received one by one.
//!
//! The bytes are the crate postgres-protocol's business, but it makes room for what a message announces before it is
//! there. So the announced length is compared with what the run may still take in first, and a message is read only when
//! it is whole. What a server says without being asked (notices, notifications, parameters) is dropped here, and counts.

use std::io;

use bytes::BytesMut;
use postgres_protocol::message::backend::{Header, Message};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::failure::{Error, Said};
use crate::checks::net::{Allowance, Wire};

/// The bytes of a message before what its length counts: its type.
const TYPE: usize = 1;

/// See the module.
pub(super) struct Messages {
    wire: Box<dyn Wire>,
    allowance: Allowance,
    buffer: BytesMut,
}

impl Messages {
    /// Over `wire`, of which `allowance` is.
    pub(super) fn new(wire: Box<dyn Wire>, allowance: Allowance) -> Self {
        Self { wire, allowance, buffer: BytesMut::new() }
    }

    /// Begins another run.
    pub(super) fn renew(&mut self) {
        self.allowance.renew();
        if self.buffer.is_empty() {
            // It keeps the room of the largest message otherwise.
            self.buffer = BytesMut::new();
        }
    }

    /// Sends what `put` writes.
    pub(super) async fn send(
        &mut self,
        put: impl FnOnce(&mut BytesMut) -> io::Result<()>,
    ) -> Result<(), Error> {
        let mut messages = BytesMut::new();
        // What cannot be written has a NUL in it.
        put(&mut messages).map_err(|error| Error::Protocol(error.to_string()))?;
        self.wire.write_all(&messages).await?;
        self.wire.flush().await?;
        Ok(())
    }

    /// The next message that is an answer, or an error of the server.
    pub(super) async fn next(&mut self) -> Result<Message, Error> {
        loop {
            match self.receive().await? {
                Message::NoticeResponse(_)
                | Message::NotificationResponse(_)
                | Message::ParameterStatus(_) => {}
                Message::ErrorResponse(body) => return Err(Error::Server(Said::read(&body)?)),
                answer => return Ok(answer),
            }
        }
    }

    async fn receive(&mut self) -> Result<Message, Error> {
        while !self.holds_one()? {
            if self.wire.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
        let message = Message::parse(&mut self.buffer).map_err(|error| Error::Protocol(error.to_string()))?;
        message.ok_or_else(|| Error::Protocol("half a message".to_owned()))
    }

    /// Whether a message is there as a whole.
    fn holds_one(&self) -> Result<bool, Error> {
        let header = Header::parse(&self.buffer).map_err(|error| Error::Protocol(error.to_string()))?;
        let Some(header) = header else { return Ok(false) };
        let length = usize::try_from(header.len()).unwrap_or(usize::MAX).saturating_add(TYPE);
        let missing = length.saturating_sub(self.buffer.len());
        if missing > self.allowance.left() { Err(self.allowance.exceeded().into()) } else { Ok(missing == 0) }
    }

    /// Ends our side of the connection.
    pub(super) async fn shut_down(&mut self) -> io::Result<()> {
        self.wire.shutdown().await
    }
}

//! A session: connected, encrypted where that is wanted, logged in, and asked.
//!
//! Everything happens inside the future of the one who asks, so a dropped run leaves nothing behind. Phases: `resolve` (not
//! for addresses), `connect`, `tls`, `auth`, `request`.

use std::io;
use std::path::Path;

use bytes::BytesMut;
use postgres_protocol::IsNull;
use postgres_protocol::message::backend::{DataRowBody, Message, RowDescriptionBody};
use postgres_protocol::message::frontend::{self, BindError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::encryption::{Attempt, Encryption};
use super::failure::Error;
use super::login::Login;
use super::messages::Messages;
use crate::checks::Run;
use crate::checks::net::{self, Address, Limited, Wire};
use crate::model::Phase;

/// In a transaction: what a server says of itself when it waits for the next message.
const IN_TRANSACTION: u8 = b'T';
/// Of a portal's rows the first.
const ONE_ROW: i32 = 1;

/// Where a server listens.
pub(super) enum Place {
    Port(Address),
    Socket(Box<Path>),
}

/// See the module.
pub(super) struct Session {
    messages: Messages,
    /// Whether the server has TLS, if it was asked.
    pub(super) offered: Option<bool>,
}

/// The first row of an answer, and what its columns are.
pub(super) struct Row {
    pub(super) columns: RowDescriptionBody,
    pub(super) values: DataRowBody,
}

impl Session {
    /// Connects to `place` and logs in.
    pub(super) async fn open(
        run: &Run,
        place: &Place,
        encryption: &Encryption,
        attempt: Attempt,
        login: &Login,
    ) -> Result<Self, Error> {
        let (wire, allowance, offered): (Box<dyn Wire>, _, _) = match place {
            Place::Socket(path) => {
                let connected = run.phase(Phase::Connect, UnixStream::connect(path)).await;
                let stream = Limited::new(connected.map_err(Error::Socket)?);
                let allowance = stream.allowance();
                (Box::new(stream), allowance, None)
            }
            Place::Port(address) => {
                let mut stream = net::connect(run, address).await.map_err(Error::Unconnected)?;
                let allowance = stream.allowance();
                match encryption.client.as_ref().filter(|_| attempt != Attempt::Plain) {
                    None => (Box::new(stream), allowance, None),
                    Some(client) => {
                        if run.phase(Phase::Tls, offers_tls(&mut stream)).await? {
                            let stream = client.connect(run, stream).await.map_err(Error::Tls)?;
                            (Box::new(stream), allowance, Some(true))
                        } else if attempt == Attempt::Either {
                            (Box::new(stream), allowance, Some(false))
                        } else {
                            return Err(Error::NoTls);
                        }
                    }
                }
            }
        };
        let mut messages = Messages::new(wire, allowance);
        run.phase(Phase::Auth, login.log_in(&mut messages)).await?;
        Ok(Self { messages, offered })
    }

    /// Begins another run.
    pub(super) fn renew(&mut self) {
        self.messages.renew();
    }

    /// Runs `begin`, which must begin a transaction, and in it `query`, which is one statement; ends the transaction. Gives
    /// the first row.
    ///
    /// The query goes alone as an unnamed prepared statement, of which the server takes exactly one, and only after the
    /// server has said that a transaction is going on: so no text can leave it. What the query has set ends with it.
    pub(super) async fn ask(&mut self, begin: &str, query: &str) -> Result<Option<Row>, Error> {
        self.messages.send(|buffer| frontend::query(begin, buffer)).await?;
        let begun = loop {
            match self.messages.next().await {
                Ok(Message::ReadyForQuery(body)) => break body.status(),
                Ok(Message::CommandComplete(_)) => {}
                Ok(_) => return Err(Error::unexpected("the beginning of a transaction")),
                Err(error @ Error::Server(_)) => {
                    if self.messages.send(|buffer| frontend::query("ROLLBACK", buffer)).await.is_ok() {
                        let _ = self.settle(2).await;
                    }
                    return Err(error);
                }
                Err(error) => return Err(error),
            }
        };
        if begun != IN_TRANSACTION {
            return Err(Error::Protocol("the server has begun no transaction".to_owned()));
        }
        self.messages
            .send(|buffer| {
                frontend::parse("", query, [], buffer)?;
                bind(buffer)?;
                frontend::describe(b'P', "", buffer)?;
                frontend::execute("", ONE_ROW, buffer)?;
                frontend::sync(buffer);
                frontend::query("ROLLBACK", buffer)
            })
            .await?;
        // Until the query is over, and until the transaction is.
        match self.answer().await {
            Ok(row) => self.settle(2).await.map(|()| row),
            Err(error @ Error::Server(_)) => {
                let _ = self.settle(2).await;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// The first row of what was asked; where it says that there is no more to come.
    async fn answer(&mut self) -> Result<Option<Row>, Error> {
        let (mut columns, mut values) = (None, None);
        loop {
            match self.messages.next().await? {
                Message::ParseComplete | Message::BindComplete | Message::NoData => {}
                Message::RowDescription(body) if columns.is_none() => columns = Some(body),
                Message::DataRow(body) if values.is_none() => values = Some(body),
                Message::CommandComplete(_) | Message::PortalSuspended => break,
                _ => return Err(Error::unexpected("the answer to the query")),
            }
        }
        Ok(columns.zip(values).map(|(columns, values)| Row { columns, values }))
    }

    /// Waits until the server has said as many times that it waits for the next message. An error that comes on the way is
    /// of what undoes what was done.
    async fn settle(&mut self, mut times: usize) -> Result<(), Error> {
        while times > 0 {
            match self.messages.next().await? {
                Message::ReadyForQuery(_) => times -= 1,
                Message::CommandComplete(_) => {}
                _ => return Err(Error::unexpected("the end of the transaction")),
            }
        }
        Ok(())
    }

    /// Ends it politely. The answer is there, whatever becomes of the good-bye.
    pub(super) async fn close(mut self) {
        let bye = |buffer: &mut BytesMut| {
            frontend::terminate(buffer);
            Ok(())
        };
        if self.messages.send(bye).await.is_ok() {
            let _ = self.messages.shut_down().await;
        }
    }
}

/// Makes a portal of the statement, without parameters, whose values come as text.
fn bind(buffer: &mut BytesMut) -> io::Result<()> {
    let nothing = |_: (), _: &mut BytesMut| Ok(IsNull::Yes);
    frontend::bind("", "", [], [], nothing, [], buffer).map_err(|error| match error {
        BindError::Serialization(error) => error,
        BindError::Conversion(error) => io::Error::other(error),
    })
}

/// Asks the server whether it has TLS. What it says first may be an answer to that, or not PostgreSQL at all.
async fn offers_tls(stream: &mut net::Stream) -> Result<bool, Error> {
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    let asked = async {
        stream.write_all(&request).await?;
        stream.read_u8().await
    };
    match asked.await.map_err(Error::Request)? {
        b'S' => Ok(true),
        b'N' => Ok(false),
        _ => Err(Error::NotPostgres),
    }
}

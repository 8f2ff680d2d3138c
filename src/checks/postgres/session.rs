//! A connection to a server and the relay that carries it: the driver would connect to one address of a name after the
//! other, and takes the name for TLS from where it connects to.
//!
//! A Unix socket of the server's own needs no relay. Phases: `resolve` (not for addresses), `connect`, `tls`, `auth`.

use std::future::Future;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Error};

use super::handshake::Handshake;
use crate::checks::Run;
use crate::checks::net::{self, Address, Relay, Unconnected};
use crate::model::Phase;

/// See the module.
pub(super) struct Session {
    connection: PgConnection,
    relay: Option<Relay>,
}

/// Why there is no session.
pub(super) enum NoSession {
    Unconnected(Unconnected),
    Refused(Error),
}

/// What has to go on for as long as something is done with the connection.
pub(super) struct Carrier<'a>(Option<&'a mut Relay>);

impl Session {
    /// Connects to `address`, or without one to the socket in `options`, and logs in.
    pub(super) async fn open(
        run: &Run,
        options: &PgConnectOptions,
        address: Option<&Address>,
    ) -> Result<Self, NoSession> {
        let Some(address) = address else {
            let connection = run.phase(Phase::Connect, options.connect()).await;
            return Ok(Self { connection: connection.map_err(NoSession::Refused)?, relay: None });
        };
        let stream = net::connect(run, address).await.map_err(NoSession::Unconnected)?;
        let mut handshake = Handshake::new(run);
        // The driver goes to `directory/.s.PGSQL.port`, and keeps the host's name for TLS.
        let file = format!(".s.PGSQL.{}", options.get_port());
        let relay = Relay::new(stream, &file, Box::new(move |said| handshake.hear(said)));
        let (mut relay, directory) = relay.map_err(|error| NoSession::Refused(Error::Io(error)))?;
        let options = options.clone().socket(directory);
        let connected = Carrier(Some(&mut relay)).during(options.connect()).await;
        run.leave_phase();
        relay.dismiss_witness();
        Ok(Self { connection: connected.map_err(NoSession::Refused)?, relay: Some(relay) })
    }

    /// The connection, and what carries it.
    pub(super) fn split(&mut self) -> (&mut PgConnection, Carrier<'_>) {
        (&mut self.connection, Carrier(self.relay.as_mut()))
    }

    /// Ends it politely.
    pub(super) async fn close(self) {
        let Self { connection, mut relay } = self;
        // The answer is there, whatever becomes of the good-bye.
        let _ = Carrier(relay.as_mut()).during(connection.close()).await;
        if let Some(relay) = relay {
            relay.finish().await;
        }
    }
}

impl Carrier<'_> {
    /// Does `work` with the connection.
    pub(super) async fn during<T>(self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let Some(relay) = self.0 else { return work.await };
        let done = relay.during(work).await;
        done.map_err(|error| match (error, relay.take_error()) {
            // Of an error on the way the driver sees only that the connection ended.
            (Error::Io(_), Some(error)) => Error::Io(error),
            (error, _) => error,
        })
    }
}

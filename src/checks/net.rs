//! From a host name and a port to an open TCP connection that takes in a [limited](limit) number of bytes.
//!
//! Costs one look-up, which an address needs none of, and one connection. Knows no protocol.

mod address;
mod limit;
mod race;

use std::fmt;
use std::io;
use std::time::Duration;

#[cfg(any(feature = "amqp", feature = "http", feature = "postgres", feature = "redis"))]
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::Run;
use crate::model::{Cause, Phase};
use crate::reasons::{self, Failure};
use crate::resolver;

pub(super) use address::Address;
#[cfg(any(feature = "http", feature = "postgres", feature = "redis"))]
pub(super) use limit::Allowance;
pub(super) use limit::Limited;
#[cfg(feature = "http")]
pub(super) use limit::MOST;

/// What bytes go through: TCP, TLS on it, or a socket of the machine.
#[cfg(any(feature = "amqp", feature = "http", feature = "postgres", feature = "redis"))]
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

#[cfg(any(feature = "amqp", feature = "http", feature = "postgres", feature = "redis"))]
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// An open connection.
pub(super) type Stream = Limited<TcpStream>;

/// Why there is no connection.
#[derive(Debug)]
pub(super) struct Unconnected {
    pub(super) failure: Failure,
    /// The system's words; private.
    pub(super) error: io::Error,
}

impl fmt::Display for Unconnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

/// Looks up and connects to the first address that answers.
pub(super) async fn connect(run: &Run, to: &Address) -> Result<Stream, Unconnected> {
    let addresses = match resolver::address(&to.host, to.port) {
        Some(address) => vec![address],
        None => {
            let found = run.phase(Phase::Resolve, resolver::look_up(&to.host, to.port, patience(run)));
            found.await.map_err(|unresolved| Unconnected {
                failure: Cause::from(unresolved).into(),
                error: io::Error::new(io::ErrorKind::NotFound, unresolved),
            })?
        }
    };
    let connected = run.phase(Phase::Connect, race::connect(&addresses)).await;
    connected.map(Limited::new).map_err(|error| Unconnected { failure: reasons::of_io(&error), error })
}

/// Until when a check waits that wants to answer itself, rather than be cut off at its deadline: shortly before it.
#[must_use]
pub(super) fn patience(run: &Run) -> Instant {
    let spare = (run.timeout() / 50).min(Duration::from_millis(20));
    run.deadline().checked_sub(spare).unwrap_or_else(|| run.deadline())
}

/// An address of this machine that refuses connections, as long as the socket is kept: a port that was only looked for
/// may be another test's by the time it is used.
#[cfg(test)]
pub(super) fn closed() -> (tokio::net::TcpSocket, std::net::SocketAddr) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn an_address_is_not_looked_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let run = Run::new(Duration::from_secs(20));
        connect(&run, &Address { host: "127.0.0.1".to_owned(), port }).await.unwrap();
        let phases: Vec<_> = run.phases().into_iter().map(|(phase, _)| phase).collect();
        assert_eq!(phases, [Phase::Connect]);
    }

    #[tokio::test]
    async fn a_name_is_looked_up_and_its_addresses_raced() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let run = Run::new(Duration::from_secs(20));
        connect(&run, &Address { host: "localhost".to_owned(), port }).await.unwrap();
        let phases: Vec<_> = run.phases().into_iter().map(|(phase, _)| phase).collect();
        assert_eq!(phases, [Phase::Resolve, Phase::Connect]);

        let (_closed, closed) = closed();
        let addresses = [closed, listener.local_addr().unwrap()];
        race::connect(&addresses).await.unwrap();
    }

    #[tokio::test]
    async fn an_unknown_name_is_dns() {
        let run = Run::new(Duration::from_secs(60));
        let address = Address { host: "no-such-host.invalid".to_owned(), port: 80 };
        assert_eq!(connect(&run, &address).await.unwrap_err().failure, Cause::NoSuchHost.into());
    }

    #[test]
    fn patience_ends_before_the_deadline() {
        let run = Run::new(Duration::from_secs(5));
        assert_eq!(run.deadline() - patience(&run), Duration::from_millis(20));
        let short = Run::new(Duration::from_millis(100));
        assert_eq!(short.deadline() - patience(&short), Duration::from_millis(2));
    }
}

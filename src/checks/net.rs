//! From a host name and a port to an open TCP connection, for the kinds that speak their protocol themselves.
//!
//! Costs one look-up, which an address needs none of, and one connection. Knows no protocol. The addresses of a name
//! are tried in turn, each for its part of the time that is left, so that one that swallows packets does not hide a
//! second one that answers; never two at once.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};

use super::Run;
use crate::model::{Phase, Reason};
use crate::reasons::{self, Failure};

/// Where to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// A host name, or an IP address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Address {
    /// Reads `host:port`; an IPv6 address stands in brackets.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let (host, port) = text.rsplit_once(':').ok_or("write it as host:port")?;
        let port =
            port.parse().ok().filter(|port| *port != 0).ok_or("the port is a number from 1 to 65535")?;
        let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        match bracketed {
            Some(inside) if inside.parse::<std::net::Ipv6Addr>().is_ok() => {
                Ok(Self { host: inside.to_owned(), port })
            }
            Some(_) => Err("only an IPv6 address stands in brackets"),
            None if host.contains(':') => Err("an IPv6 address stands in brackets: [::1]:80"),
            None if host.is_empty() => Err("the host is missing"),
            None if host.contains(|c: char| c.is_whitespace() || "/@?#[]".contains(c)) => {
                Err("write it as host:port, without scheme or path")
            }
            None => Ok(Self { host: host.to_owned(), port }),
        }
    }
}

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

/// Looks up and connects, within the time of `run`.
pub(super) async fn connect(run: &Run, to: &Address) -> Result<TcpStream, Unconnected> {
    if let Ok(ip) = to.host.parse::<IpAddr>() {
        return run.phase(Phase::Connect, connect_to(SocketAddr::new(ip, to.port))).await.map_err(failed);
    }
    let name = (to.host.as_str(), to.port);
    let found = run.phase(Phase::Resolve, async { lookup_host(name).await.map(Iterator::collect::<Vec<_>>) });
    let addresses = found.await.map_err(|error| Unconnected { failure: Reason::Dns.into(), error })?;
    run.phase(Phase::Connect, connect_in_turn(&addresses, run.deadline())).await
}

async fn connect_in_turn(addresses: &[SocketAddr], deadline: Instant) -> Result<TcpStream, Unconnected> {
    let mut last = Unconnected {
        failure: Reason::Dns.into(),
        error: io::Error::new(io::ErrorKind::NotFound, "no address"),
    };
    let mut left = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    for address in addresses {
        let part = deadline.saturating_duration_since(Instant::now()) / left.max(1);
        left = left.saturating_sub(1);
        last = match timeout(part, connect_to(*address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failed(error),
            Err(_) => Unconnected { failure: Reason::Timeout.into(), error: io::ErrorKind::TimedOut.into() },
        };
    }
    Err(last)
}

async fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
    TcpStream::connect(address).await
}

fn failed(error: io::Error) -> Unconnected {
    Unconnected { failure: reasons::of_io(&error), error }
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
pub(super) fn closed() -> (tokio::net::TcpSocket, SocketAddr) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[test]
    fn reads_addresses() {
        let address = |host: &str, port| Ok(Address { host: host.to_owned(), port });
        assert_eq!(Address::parse("db.internal:5432"), address("db.internal", 5432));
        assert_eq!(Address::parse("127.0.0.1:80"), address("127.0.0.1", 80));
        assert_eq!(Address::parse("[::1]:80"), address("::1", 80));
        for wrong in ["db", "db:", "db:0", "db:70000", ":80", "::1:80", "[db]:80", "http://db:80", "a b:80"] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
    }

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
    async fn a_name_is_looked_up_and_its_addresses_tried_in_turn() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let run = Run::new(Duration::from_secs(20));
        connect(&run, &Address { host: "localhost".to_owned(), port }).await.unwrap();
        let phases: Vec<_> = run.phases().into_iter().map(|(phase, _)| phase).collect();
        assert_eq!(phases, [Phase::Resolve, Phase::Connect]);

        let (_closed, closed) = closed();
        let addresses = [closed, listener.local_addr().unwrap()];
        connect_in_turn(&addresses, run.deadline()).await.unwrap();
    }

    #[tokio::test]
    async fn an_unknown_name_is_dns() {
        let run = Run::new(Duration::from_secs(60));
        let address = Address { host: "no-such-host.invalid".to_owned(), port: 80 };
        assert_eq!(connect(&run, &address).await.unwrap_err().failure.reason, Reason::Dns);
    }

    #[test]
    fn patience_ends_before_the_deadline() {
        let run = Run::new(Duration::from_secs(5));
        assert_eq!(run.deadline() - patience(&run), Duration::from_millis(20));
        let short = Run::new(Duration::from_millis(100));
        assert_eq!(short.deadline() - patience(&short), Duration::from_millis(2));
    }
}

//! Both questions for one name to one server: over UDP, and over TCP where the answer does not fit.
//!
//! Costs one socket with a port of its own, which only the server that was asked can answer to. Takes in 64 KiB an answer
//! over TCP, some hundred datagrams, and some dozens of addresses, whatever a server says.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout_at};

use crate::model::Cause;
use crate::reasons;

use super::message::{Family, Reply, question, reply};

/// How long the addresses of one family wait for those of the other (RFC 8305's resolution delay).
const OTHER_FAMILY: Duration = Duration::from_millis(50);
/// More than any server sends over UDP to one who did not say that it takes more than 512.
const DATAGRAM: usize = 4096;

/// Datagrams that answer nothing until the server counts as of no use: more than go astray.
const MOST_STRAYS: usize = 256;

/// What is known of a name so far.
#[derive(Clone, Debug)]
pub(super) struct Answers {
    v6: Known,
    v4: Known,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Known {
    Unasked,
    /// There may be none.
    Addresses(Vec<IpAddr>),
    NoSuchName,
}

/// Why a server is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Useless {
    /// It answered that it cannot or will not say.
    Failed,
    /// It did not answer.
    Silent,
    /// It was not asked: this process has no descriptor for a socket.
    NoDescriptor,
}

/// What a name turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Addresses(Vec<IpAddr>),
    NoAddress,
    NoSuchName,
}

impl Answers {
    /// Nothing yet; without `ipv6` its addresses are not asked for.
    pub(super) fn new(ipv6: bool) -> Self {
        let v6 = if ipv6 { Known::Unasked } else { Known::Addresses(Vec::new()) };
        Self { v6, v4: Known::Unasked }
    }

    fn missing(&self) -> impl Iterator<Item = Family> {
        let missing = |known: &Known, family| (*known == Known::Unasked).then_some(family);
        missing(&self.v6, Family::V6).into_iter().chain(missing(&self.v4, Family::V4))
    }

    fn has_addresses(&self) -> bool {
        [&self.v6, &self.v4].iter().any(|known| matches!(known, Known::Addresses(all) if !all.is_empty()))
    }

    /// Takes in an answer; one that says nothing of the name is handed back.
    fn take(&mut self, family: Family, reply: Reply) -> Result<(), Reply> {
        let known = match reply {
            Reply::Addresses(addresses) => Known::Addresses(addresses),
            Reply::NoSuchName => Known::NoSuchName,
            other => return Err(other),
        };
        match family {
            Family::V6 => self.v6 = known,
            Family::V4 => self.v4 = known,
        }
        Ok(())
    }

    /// What is known now, with nothing more to come; `None` where that is too little.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        let addresses = [&self.v6, &self.v4].into_iter().filter_map(|known| match known {
            Known::Addresses(addresses) => Some(addresses.iter().copied()),
            Known::Unasked | Known::NoSuchName => None,
        });
        let addresses: Vec<_> = addresses.flatten().collect();
        match (&self.v6, &self.v4) {
            _ if !addresses.is_empty() => Some(Verdict::Addresses(addresses)),
            // Some servers say so of a name that has only addresses of the other family; those would be known by now.
            (Known::NoSuchName, _) | (_, Known::NoSuchName) => Some(Verdict::NoSuchName),
            (Known::Unasked, _) | (_, Known::Unasked) => None,
            _ => Some(Verdict::NoAddress),
        }
    }
}

/// Asks `server` what `answers` does not hold yet. Addresses of one family are enough when those of the other are late.
pub(super) async fn ask(
    server: SocketAddr,
    name: &str,
    tcp: bool,
    answers: &mut Answers,
    until: Instant,
) -> Result<(), Useless> {
    let (mut failed, mut cut) = (false, Vec::new());
    if tcp {
        cut.extend(answers.missing());
    } else {
        let asked = by_datagram(server, name, answers, &mut cut, &mut failed, until).await;
        if let Err(error) = asked
            && cut.is_empty()
        {
            return useful(answers, if failed { Useless::Failed } else { because(&error) });
        }
    }
    for family in cut {
        match timeout_at(until, by_stream(server, name, family)).await {
            Ok(Ok(reply)) => failed |= answers.take(family, reply).is_err(),
            Ok(Err(error)) => return useful(answers, because(&error)),
            Err(_) => return useful(answers, Useless::Silent),
        }
    }
    useful(answers, if failed { Useless::Failed } else { Useless::Silent })
}

fn useful(answers: &Answers, otherwise: Useless) -> Result<(), Useless> {
    if answers.verdict().is_some() { Ok(()) } else { Err(otherwise) }
}

fn because(error: &io::Error) -> Useless {
    match reasons::of_io(error).cause {
        Some(Cause::NoFileDescriptor) => Useless::NoDescriptor,
        _ => Useless::Silent,
    }
}

async fn by_datagram(
    server: SocketAddr,
    name: &str,
    answers: &mut Answers,
    cut: &mut Vec<Family>,
    failed: &mut bool,
    mut until: Instant,
) -> io::Result<()> {
    let any: IpAddr =
        if server.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    let first = fastrand::u16(..);
    let mut open: Vec<(Family, u16)> =
        answers.missing().zip([first, first.wrapping_add(fastrand::u16(1..))]).collect();
    for (family, id) in &open {
        let question = question(*id, name, *family).ok_or(io::ErrorKind::InvalidInput)?;
        socket.send(&question).await?;
    }
    let (mut space, mut strays) = (vec![0; DATAGRAM], 0);
    while !open.is_empty() {
        let came =
            timeout_at(until, socket.recv(&mut space)).await.map_err(|_| io::ErrorKind::TimedOut)??;
        let came = space.get(..came).unwrap_or_default();
        let answered = open.iter().enumerate().find_map(|(place, (family, id))| {
            reply(came, *id, name, *family).map(|reply| (place, *family, reply))
        });
        let Some((place, family, reply)) = answered else {
            strays += 1;
            if strays > MOST_STRAYS {
                *failed = true;
                return Err(io::ErrorKind::InvalidData.into());
            }
            continue;
        };
        open.swap_remove(place);
        match answers.take(family, reply) {
            Ok(()) if answers.has_addresses() => until = until.min(Instant::now() + OTHER_FAMILY),
            Ok(()) => {}
            Err(Reply::Cut) => cut.push(family),
            Err(_) => *failed = true,
        }
    }
    Ok(())
}

async fn by_stream(server: SocketAddr, name: &str, family: Family) -> io::Result<Reply> {
    let id = fastrand::u16(..);
    let question = question(id, name, family).ok_or(io::ErrorKind::InvalidInput)?;
    let length = u16::try_from(question.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut stream = TcpStream::connect(server).await?;
    stream.write_all(&[&length.to_be_bytes(), question.as_slice()].concat()).await?;
    let mut answer = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut answer).await?;
    match reply(&answer, id, name, family) {
        Some(Reply::Cut) | None => Err(io::ErrorKind::InvalidData.into()),
        Some(reply) => Ok(reply),
    }
}

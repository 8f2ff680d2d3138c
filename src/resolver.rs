//! From a host name to its addresses, without a thread: the one resolver of everything in this process that connects.
//!
//! Looks into /etc/hosts and asks the servers of /etc/resolv.conf, both as they are now, in the way of glibc: search
//! domains, `ndots`, `attempts`, `timeout`, `rotate`, at most three servers, TCP for what does not fit. Keeps nothing:
//! each look-up is a test of DNS. Differs from glibc where a check gains by it: a server that does not answer leaves time
//! for the next one within the run's own time, and a name server that swallows one family's question delays the other's
//! addresses only by a moment.
//!
//! Costs one socket and two datagrams a look-up, and no thread, so that it ends when it is dropped; `getaddrinfo` does
//! not, and a few names whose server hangs then take the threads that all others need. How many are in flight is
//! [bounded](places). Does not know NSS: what only its modules know (mDNS, LDAP, the machine's own name by
//! `nss-myhostname`) has no address here.
//!
//! The protocol's bytes are the crate simple-dns' business. hickory-resolver was weighed: a dozen crates and half a minute
//! more to build, a cache and a task for each connection that are not wanted here, `rotate` left out, a name in
//! /etc/hosts with one family's address asked for the other's, and the domain of this machine searched for every name.

mod ask;
mod conf;
mod files;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod hosts;
mod message;
mod places;
mod search;

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::{Instant, timeout_at};

use crate::metrics::{Refresh, Store};
use crate::model::{Cause, Definition, Instrument};

use ask::{Answers, Useless, Verdict, ask};
use conf::Conf;
use files::Files;
use places::Places;

/// Look-ups in flight, of each of two sorts.
const MOST: usize = 256;
/// Where name servers listen.
const PORT: u16 = 53;

static ACTIVE: Definition = Definition {
    name: "vitalsign.resolver.active_lookups",
    instrument: Instrument::UpDownCounter,
    unit: "{lookup}",
    attributes: &[],
    help: "Number of host names that are being looked up",
};
static WAITING: Definition = Definition {
    name: "vitalsign.resolver.waiting_lookups",
    instrument: Instrument::UpDownCounter,
    unit: "{lookup}",
    attributes: &[],
    help: "Number of host names that wait for others to be looked up, because name servers are slow to answer",
};

/// The metrics that this part fills.
pub(crate) static DEFINITIONS: &[&Definition] = &[&ACTIVE, &WAITING];

/// Why a host name has no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unresolved {
    NoSuchHost,
    NoAddress,
    ServerFailed,
    ServerSilent,
    /// This process has no descriptor to ask with.
    NoDescriptor,
}

impl From<Unresolved> for Cause {
    fn from(unresolved: Unresolved) -> Self {
        match unresolved {
            Unresolved::NoSuchHost => Self::NoSuchHost,
            Unresolved::NoAddress => Self::NoAddress,
            Unresolved::ServerFailed => Self::NameServerFailed,
            Unresolved::ServerSilent => Self::NameServerSilent,
            Unresolved::NoDescriptor => Self::NoFileDescriptor,
        }
    }
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Cause::from(*self).sentence().unwrap_or_default())
    }
}

impl Error for Unresolved {}

/// Looks `host` up, which may also be an address; answers before `until`. The addresses are in the order in which they
/// should be tried: the families take turns, IPv6 first. There is at least one.
pub(crate) async fn look_up(host: &str, port: u16, until: Instant) -> Result<Vec<SocketAddr>, Unresolved> {
    SYSTEM.look_up(host, port, until).await
}

/// The address that `host` is, which then needs no look-up.
pub(crate) fn address(host: &str, port: u16) -> Option<SocketAddr> {
    let mut address = hosts::address(host)?;
    address.set_port(port);
    Some(address)
}

/// Gives what keeps the metrics up to date.
pub(crate) fn show(store: &Store) -> Refresh {
    let (active, waiting) = (store.gauge(&ACTIVE, &[]), store.gauge(&WAITING, &[]));
    Box::new(move |_| {
        active.set(SYSTEM.places.active() as f64);
        waiting.set(SYSTEM.places.waiting() as f64);
        None
    })
}

static SYSTEM: LazyLock<Resolver> =
    LazyLock::new(|| Resolver::new(Files::new("/etc/hosts", "/etc/resolv.conf"), PORT, MOST));

struct Resolver {
    files: Files,
    port: u16,
    places: Places,
    /// Which server is first, where they take turns.
    turn: AtomicUsize,
}

impl Resolver {
    fn new(files: Files, port: u16, most: usize) -> Self {
        Self { files, port, places: Places::new(most), turn: AtomicUsize::new(0) }
    }

    async fn look_up(&self, host: &str, port: u16, until: Instant) -> Result<Vec<SocketAddr>, Unresolved> {
        let mut addresses = match hosts::address(host) {
            Some(address) => vec![address],
            None => self.find(host, until).await?,
        };
        for address in &mut addresses {
            address.set_port(port);
        }
        Ok(take_turns(addresses))
    }

    async fn find(&self, host: &str, until: Instant) -> Result<Vec<SocketAddr>, Unresolved> {
        let known = self.files.known();
        if let Some(found) = known.hosts.find(host) {
            return Ok(found);
        }
        let asked = self.places.take(host, async {
            let found = self.search(host, &known.conf, until).await;
            let answered = found != Err(Unresolved::ServerSilent);
            (found, answered)
        });
        // Waiting for a place may take all the time.
        timeout_at(until, asked).await.unwrap_or(Err(Unresolved::ServerSilent))
    }

    /// Asks for one candidate after the other, until one has addresses.
    async fn search(&self, host: &str, conf: &Conf, until: Instant) -> Result<Vec<SocketAddr>, Unresolved> {
        let first = if conf.rotate { self.turn.fetch_add(1, Ordering::Relaxed) } else { 0 };
        let (mut exists, mut failed) = (false, false);
        for name in search::candidates(host, conf) {
            match self.ask_for(&name, conf, first, until).await {
                Ok(Verdict::Addresses(all)) => {
                    return Ok(all.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect());
                }
                Ok(Verdict::NoAddress) => exists = true,
                Ok(Verdict::NoSuchName) => {}
                // It may have an answer for another domain.
                Err(Useless::Failed) => failed = true,
                Err(Useless::Silent) => return Err(Unresolved::ServerSilent),
                Err(Useless::NoDescriptor) => return Err(Unresolved::NoDescriptor),
            }
        }
        Err(match (failed, exists) {
            (true, _) => Unresolved::ServerFailed,
            (false, true) => Unresolved::NoAddress,
            (false, false) => Unresolved::NoSuchHost,
        })
    }

    /// Asks one server after the other, and again, until one knows.
    async fn ask_for(
        &self,
        name: &str,
        conf: &Conf,
        first: usize,
        until: Instant,
    ) -> Result<Verdict, Useless> {
        let mut answers = Answers::new(conf.ipv6);
        let mut useless = Useless::Silent;
        let servers = conf.servers.len();
        let mut tries = u32::try_from(servers).unwrap_or(u32::MAX).saturating_mul(conf.attempts);
        for _ in 0..conf.attempts {
            for server in conf.servers.iter().cycle().skip(first % servers.max(1)).take(servers) {
                let now = Instant::now();
                let part = until.saturating_duration_since(now) / tries.max(1);
                tries = tries.saturating_sub(1);
                let mut server = *server;
                server.set_port(self.port);
                match ask(server, name, conf.tcp, &mut answers, now + part.min(conf.timeout)).await {
                    Ok(()) | Err(Useless::Silent) => {}
                    Err(Useless::Failed) => useless = Useless::Failed,
                    Err(Useless::NoDescriptor) => return Err(Useless::NoDescriptor),
                }
                if let Some(verdict) = answers.verdict() {
                    return Ok(verdict);
                }
            }
            // Whoever says that it cannot is not asked again at once.
            if useless == Useless::Failed {
                break;
            }
        }
        Err(useless)
    }
}

/// Orders addresses so that a family that does not work costs one attempt: the families take turns, IPv6 first.
fn take_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let (v6, v4): (Vec<_>, Vec<_>) = addresses.into_iter().partition(SocketAddr::is_ipv6);
    let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
    let mut all = Vec::with_capacity(v6.len() + v4.len());
    loop {
        let (next_v6, next_v4) = (v6.next(), v4.next());
        if next_v6.is_none() && next_v4.is_none() {
            return all;
        }
        all.extend(next_v6.into_iter().chain(next_v4));
    }
}

#[cfg(test)]
mod tests;

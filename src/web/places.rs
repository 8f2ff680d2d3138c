//! Who is connected, and who gives way when places are short.
//!
//! A new connection is always taken: it may be a probe, which nobody knows before its request was read. So an old one
//! goes: the one that did nothing for the longest time, of the address that has the most. An address that has more than
//! its share gives way to itself; everyone else it leaves alone. Nobody is spared for what is being done for him: then those
//! who just came would have to go, and probes are among them.
//!
//! Costs a lock and two steps in a small tree each time something moves on a connection.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::metrics::{Counter, Gauge, Store};
use crate::model::{Definition, Instrument};

use super::limits::Limits;

pub(super) static CONNECTIONS: Definition = Definition {
    name: "vitalsign.web.connections",
    instrument: Instrument::UpDownCounter,
    unit: "{connection}",
    attributes: &[],
    help: "Number of connections of clients to this process",
};
pub(super) static LIMIT: Definition = Definition {
    name: "vitalsign.web.connections.limit",
    instrument: Instrument::Gauge,
    unit: "{connection}",
    attributes: &[],
    help: "Number of connections of clients that this process keeps; for one more, the one that was idle for longest is closed",
};
pub(super) static CLOSED: Definition = Definition {
    name: "vitalsign.web.closed_connections",
    instrument: Instrument::Counter,
    unit: "{connection}",
    attributes: &["reason"],
    help: "Number of connections of clients that this process closed against their will, by reason",
};
pub(super) static FAILURES: Definition = Definition {
    name: "vitalsign.web.accept_failures",
    instrument: Instrument::Counter,
    unit: "{failure}",
    attributes: &[],
    help: "Number of times that the system gave no new connection, most often for want of file descriptors",
};

/// Why a connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    HeadTimeout,
    BodyTimeout,
    WriteTimeout,
    IdleTimeout,
    /// All places were taken.
    NoPlace,
    /// Its address had its share.
    PeerShare,
    NoFileDescriptor,
}

impl Reason {
    const ALL: [Self; 7] = [
        Self::HeadTimeout,
        Self::BodyTimeout,
        Self::WriteTimeout,
        Self::IdleTimeout,
        Self::NoPlace,
        Self::PeerShare,
        Self::NoFileDescriptor,
    ];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::HeadTimeout => "head_timeout",
            Self::BodyTimeout => "body_timeout",
            Self::WriteTimeout => "write_timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::NoPlace => "no_place",
            Self::PeerShare => "peer_share",
            Self::NoFileDescriptor => "no_file_descriptor",
        }
    }
}

/// Everyone who is connected.
pub(super) struct Places {
    most: usize,
    share: usize,
    table: Mutex<Table>,
    connections: Gauge,
    closed: [Counter; Reason::ALL.len()],
    failures: Counter,
    _limit: Gauge,
}

#[derive(Default)]
struct Table {
    /// The connections of each address, by when something moved on them last.
    peers: HashMap<IpAddr, BTreeMap<u64, oneshot::Sender<Reason>>>,
    taken: usize,
    moves: u64,
}

/// The place of one connection, free again when this goes.
pub(super) struct Place {
    places: Arc<Places>,
    peer: IpAddr,
    moved: u64,
}

impl Places {
    pub(super) fn new(limits: &Limits, store: &Store) -> Arc<Self> {
        let limit = store.gauge(&LIMIT, &[]);
        #[expect(clippy::cast_precision_loss, reason = "there are not that many")]
        limit.set(limits.connections as f64);
        let connections = store.gauge(&CONNECTIONS, &[]);
        connections.set(0.0);
        Arc::new(Self {
            most: limits.connections.max(1),
            share: limits.connections_per_peer.max(limits.connections.div_ceil(2)),
            table: Mutex::default(),
            connections,
            closed: Reason::ALL.map(|reason| store.counter(&CLOSED, &[reason.word()])),
            failures: store.counter(&FAILURES, &[]),
            _limit: limit,
        })
    }

    /// How many connections may come before those that came before had their turn.
    pub(super) fn at_once(&self) -> usize {
        (self.most / 4).clamp(1, 32)
    }

    /// A place for a connection from `address`, and who tells it to give way.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> (Place, oneshot::Receiver<Reason>) {
        let (peer, (way, leave)) = (network(address), oneshot::channel());
        let mut table = self.table.lock();
        if table.peers.get(&peer).is_some_and(|own| own.len() >= self.share) {
            table.close_oldest(peer, Reason::PeerShare);
        } else if table.taken >= self.most {
            table.give_way(Reason::NoPlace);
        }
        let moved = table.next();
        table.peers.entry(peer).or_default().insert(moved, way);
        table.taken += 1;
        self.show(&table);
        drop(table);
        (Place { places: Arc::clone(self), peer, moved }, leave)
    }

    /// Closes the connection that is needed least; false where there is none.
    pub(super) fn give_way(&self, reason: Reason) -> bool {
        let mut table = self.table.lock();
        let gone = table.give_way(reason);
        self.show(&table);
        gone
    }

    fn show(&self, table: &Table) {
        #[expect(clippy::cast_precision_loss, reason = "there are not that many")]
        self.connections.set(table.taken as f64);
    }

    /// Counts a connection that was closed.
    pub(super) fn count(&self, reason: Reason) {
        if let Some(counter) = self.closed.get(reason as usize) {
            counter.increment();
        }
    }

    /// Counts a connection that the system did not give.
    pub(super) fn count_failure(&self) {
        self.failures.increment();
    }
}

impl Table {
    const fn next(&mut self) -> u64 {
        self.moves += 1;
        self.moves
    }

    fn give_way(&mut self, reason: Reason) -> bool {
        let oldest = |(peer, own): (&IpAddr, &BTreeMap<u64, _>)| {
            Some((own.len(), Reverse(*own.keys().next()?), *peer))
        };
        let peer = self.peers.iter().filter_map(oldest).max();
        peer.is_some_and(|(.., peer)| self.close_oldest(peer, reason))
    }

    fn close_oldest(&mut self, peer: IpAddr, reason: Reason) -> bool {
        let Some(own) = self.peers.get_mut(&peer) else { return false };
        let Some((_, way)) = own.pop_first() else { return false };
        if own.is_empty() {
            self.peers.remove(&peer);
        }
        self.taken -= 1;
        // It may just have ended by itself.
        let _ = way.send(reason);
        true
    }
}

impl Place {
    /// Something moved: it gives way after all others of its address.
    pub(super) fn moved(&mut self) {
        let mut table = self.places.table.lock();
        let moved = table.next();
        let Some(own) = table.peers.get_mut(&self.peer) else { return };
        // One that is to give way has no place any more.
        let Some(way) = own.remove(&self.moved) else { return };
        own.insert(moved, way);
        self.moved = moved;
    }

    pub(super) fn places(&self) -> &Places {
        &self.places
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.places.table.lock();
        if let Some(own) = table.peers.get_mut(&self.peer) {
            let freed = own.remove(&self.moved).is_some();
            if own.is_empty() {
                table.peers.remove(&self.peer);
            }
            table.taken -= usize::from(freed);
        }
        self.places.show(&table);
    }
}

/// What counts as one address: of IPv6 the network, which one client has as a whole.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests;

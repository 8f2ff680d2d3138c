//! Who gives way to whom.

use std::net::Ipv4Addr;

use super::*;

/// Places for so many, of whom half may come from one address.
fn places(connections: usize) -> (Arc<Places>, Store) {
    let store = Store::new();
    let limits =
        Limits { connections, connections_per_peer: connections / 2, ..Limits::within(Some(1024), 0) };
    (Places::new(&limits, &store), store)
}

/// A client at one of several addresses.
struct Client(Place, oneshot::Receiver<Reason>);

fn client(places: &Arc<Places>, address: u8) -> Client {
    let (place, leave) = places.take(Ipv4Addr::new(10, 0, 0, address).into());
    Client(place, leave)
}

impl Client {
    fn gives_way(&mut self) -> Option<Reason> {
        self.1.try_recv().ok()
    }
}

#[test]
fn the_oldest_of_who_has_the_most_gives_way() {
    let (places, _store) = places(6);
    let mut lone = client(&places, 1);
    let mut many: Vec<_> = [2, 3, 2, 3, 2].map(|address| client(&places, address)).into();
    let _more = client(&places, 4);
    assert_eq!(many[0].gives_way(), Some(Reason::NoPlace), "the oldest of address 2, which has three");
    many[1].0.moved();
    let _more = client(&places, 5);
    assert_eq!(many[2].gives_way(), Some(Reason::NoPlace), "the oldest of all addresses that have two");
    assert_eq!(lone.gives_way(), None, "the oldest of all, but it has no others");
}

#[test]
fn an_address_that_has_its_share_gives_way_to_itself() {
    let (places, _store) = places(8);
    let mut others = [1, 2].map(|address| client(&places, address));
    let mut own = [3, 3, 3, 3].map(|address| client(&places, address));
    let _one_more = client(&places, 3);
    assert_eq!(own[0].gives_way(), Some(Reason::PeerShare), "although there is room");
    assert!(own[1..].iter_mut().chain(&mut others).all(|client| client.gives_way().is_none()));
}

#[test]
fn whoever_just_came_stays() {
    let (places, _store) = places(4);
    let mut all: Vec<_> = (0..200).map(|address| client(&places, address)).collect();
    let (gone, left) = all.split_at_mut(196);
    assert!(gone.iter_mut().all(|client| client.gives_way() == Some(Reason::NoPlace)));
    assert!(left.iter_mut().all(|client| client.gives_way().is_none()));
}

#[test]
fn a_place_is_free_once_whoever_had_it_is_gone() {
    let (places, _store) = places(4);
    let (mut first, second) = (client(&places, 1), client(&places, 1));
    drop(second);
    for _ in 0..10 {
        drop(client(&places, 2));
    }
    let third = client(&places, 1);
    assert_eq!(first.gives_way(), None);
    let fourth = client(&places, 1);
    assert_eq!(first.gives_way(), Some(Reason::PeerShare));
    // It takes nobody's place when it then ends.
    first.0.moved();
    drop(first);
    assert_eq!(places.table.lock().taken, 2);
    drop((third, fourth));
    assert!(places.table.lock().peers.is_empty());
}

#[test]
fn a_network_of_ipv6_is_one_address() {
    let network = |text: &str| network(text.parse().unwrap());
    assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
    assert_ne!(network("2001:db8:0:1::1"), network("2001:db8::1"));
    assert_eq!(network("::ffff:10.0.0.1"), network("10.0.0.1"));
    assert_ne!(network("10.0.0.1"), network("10.0.0.2"));
}

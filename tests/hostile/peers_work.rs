//! That the hostile peers are hostile: a test against a peer that cannot be reached, or is kind, would prove nothing.

use std::{
    collections::BTreeSet,
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use crate::peers::{
    Behaviour, End, Peer, Peers, Step, amqp, dns, endless, http, postgres, redis, say, tcp, tls,
};

const SOON: Duration = Duration::from_secs(60);

fn every_peer() -> Vec<Peer> {
    let inside = [("errors", b"-ERR no\r\n".to_vec())];
    [
        tcp::peers(),
        redis::peers(),
        postgres::peers(),
        postgres::tls_peers(),
        amqp::peers(),
        http::peers(),
        http::second_peers(),
        tls::peers("rediss", &[], &inside),
        tls::peers("pgs", &postgres::before_tls(), &inside),
    ]
    .concat()
}

fn connect(peers: &Peers, end: End) -> TcpStream {
    let peer = Peer::new("any", Behaviour::Silent, vec![say(&b"hello"[..]), Step::Hear], end);
    let stream = TcpStream::connect(peers.start(&peer).addr).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let mut hello = [0; 5];
    (&stream).read_exact(&mut hello).unwrap();
    (&stream).write_all(b"go on").unwrap();
    stream
}

#[test]
fn a_peer_does_what_it_is_said_to() {
    let peers = Peers::new();
    let mut much = vec![0; 8 << 20];
    connect(&peers, endless(&b"abc"[..])).read_exact(&mut much).unwrap();
    assert!(much.starts_with(b"abcabc"));
    connect(&peers, End::Random(1)).read_exact(&mut much).unwrap();
    let first = much.clone();
    connect(&peers, End::Random(1)).read_exact(&mut much).unwrap();
    assert_eq!(first, much, "not the same bytes of the same seed");
    connect(&peers, End::Slow(b"abc".into())).read_exact(&mut much[..2]).unwrap();
    assert!(much.starts_with(b"ab"));

    for end in [End::Close, End::HalfClose] {
        assert_eq!(connect(&peers, end).read(&mut much).unwrap(), 0);
    }
    assert_eq!(connect(&peers, End::Reset).read(&mut much).unwrap_err().kind(), ErrorKind::ConnectionReset);
    for end in [End::Silent, End::Deaf] {
        let mut stream = connect(&peers, end);
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        assert_eq!(stream.read(&mut much).unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}

#[test]
fn peers_end_with_their_test() {
    let peers = Peers::new();
    let mut stream = connect(&peers, End::Silent);
    let addr = stream.peer_addr().unwrap();
    drop(peers);
    assert!(!matches!(stream.read(&mut [0; 8]), Ok(1..)), "it still says something");
    assert_eq!(TcpStream::connect(addr).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

/// A name is a check's name and a port of its own.
#[test]
fn every_peer_has_a_name_of_its_own() {
    let all = every_peer();
    let names: BTreeSet<&str> = all.iter().map(|peer| peer.name.as_str()).collect();
    assert_eq!(names.len(), all.len());
    assert!(all.len() > 250, "{}", all.len());
    let kinds: BTreeSet<Behaviour> =
        all.iter().map(|peer| peer.behaviour).chain(dns::labels().into_iter().map(|(_, how)| how)).collect();
    assert_eq!(kinds, Behaviour::ALL.into());
}

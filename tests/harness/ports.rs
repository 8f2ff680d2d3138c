//! Free TCP ports on 127.0.0.1.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddrV4, TcpListener},
};

use parking_lot::Mutex;

/// Below the range from which the kernel takes the ports of outgoing connections, so that no client of a
/// parallel test can take a port between this look and the server's own bind.
const RANGE: std::ops::Range<u16> = 11_000..32_000;

/// A port on 127.0.0.1 that nobody listens on and that this process has not given out before.
pub(crate) fn free() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock();
    for _ in 0..1_000 {
        let port = fastrand::u16(RANGE);
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        if !given.contains(&port) && TcpListener::bind(address).is_ok() {
            given.insert(port);
            return port;
        }
    }
    panic!("no free port on 127.0.0.1 between {} and {}", RANGE.start, RANGE.end);
}

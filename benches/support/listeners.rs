//! Something to check: ports that take connections.

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener};

use super::background;

/// A port that takes every connection and lets go of it at once.
pub fn open() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    background(move || listener.incoming().for_each(drop));
    address
}

/// A port that takes every connection and never says a word.
pub fn mute() -> SocketAddr {
    /// Far more than are open at once; older ones were given up by the other side.
    const HELD: usize = 4096;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    background(move || {
        let mut held = VecDeque::new();
        for connection in listener.incoming() {
            held.push_back(connection);
            if held.len() > HELD {
                held.pop_front();
            }
        }
    });
    address
}

//! Ports that take connections: something to check, and something to compare an agent's answers with.

use std::collections::VecDeque;
use std::io::{Read, Write};
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

/// A port that answers every request of one client with so many bytes, kept ready: what a system needs to move them.
pub fn ready(bytes: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n").into_bytes();
    answer.resize(answer.len() + bytes, b'x');
    background(move || {
        let (mut client, _) = listener.accept().unwrap();
        client.set_nodelay(true).unwrap();
        // A request is short, and comes as one piece.
        while client.read(&mut [0; 1024]).is_ok_and(|length| length > 0) {
            client.write_all(&answer).unwrap();
        }
    });
    address
}

//! The tunnel that a proxy opens on the method CONNECT: one request and the head of its answer. Nothing of either is
//! shown but the status.

use std::fmt::Write;

use hyper::header::HeaderValue;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::failure::Failed;
use crate::checks::net::{Address, Wire};

/// The most bytes that a proxy may take for its answer.
const HEAD: usize = 16 << 10;

/// Has the proxy at the other end of `wire` connect to `address`.
pub(super) async fn open(
    wire: &mut Box<dyn Wire>,
    address: &Address,
    authorization: Option<&HeaderValue>,
) -> Result<(), Failed> {
    wire.write_all(&request(address, authorization)).await.map_err(Failed::ProxyBroke)?;
    wire.flush().await.map_err(Failed::ProxyBroke)?;
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > HEAD {
            return Err(Failed::ProxyAnswer);
        }
        if wire.read_buf(&mut head).await.map_err(Failed::ProxyBroke)? == 0 {
            return Err(if head.is_empty() { Failed::ProxyClosed } else { Failed::ProxyAnswer });
        }
    }
    match status(&head) {
        // What the server says comes after it was spoken to.
        Some(200..=299) if head.ends_with(b"\r\n\r\n") => Ok(()),
        Some(status @ 300..=599) => Err(Failed::Proxy(status)),
        _ => Err(Failed::ProxyAnswer),
    }
}

fn request(Address { host, port }: &Address, authorization: Option<&HeaderValue>) -> Vec<u8> {
    let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    let mut head = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
    let _ = write!(head, "User-Agent: {}\r\n", super::question::AGENT);
    let mut head = head.into_bytes();
    if let Some(value) = authorization {
        head.extend_from_slice(b"Proxy-Authorization: ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// The status in the first line of an answer.
pub(super) fn status(head: &[u8]) -> Option<u16> {
    let line = head.strip_prefix(b"HTTP/1.")?;
    let digits = std::str::from_utf8(line.get(2..5)?).ok()?;
    line.get(1).filter(|space| **space == b' ')?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_status() {
        assert_eq!(status(b"HTTP/1.1 200 OK\r\n\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.0 407\r\n\r\n"), Some(407));
        for odd in ["HTTP/2 200\r\n", "SSH-2.0", "HTTP/1.1 abc", "HTTP/1.", ""] {
            assert_eq!(status(odd.as_bytes()), None, "{odd}");
        }
    }

    #[test]
    fn asks_for_an_address() {
        let asked = request(&Address { host: "::1".to_owned(), port: 443 }, None);
        assert!(asked.starts_with(b"CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n"));
        assert!(asked.ends_with(b"\r\n\r\n"));
    }
}

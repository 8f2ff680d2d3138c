//! An HTTP client that keeps its connection and reads nothing but what it must, so that it measures the other side.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

pub struct Client {
    stream: BufReader<TcpStream>,
    /// The body of the last answer.
    pub body: Vec<u8>,
}

impl Client {
    /// Connects; none while nobody listens.
    pub fn try_new(address: &str) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Some(Self { stream: BufReader::with_capacity(64 * 1024, stream), body: Vec::new() })
    }

    /// Asks for `path` and reads the whole answer; how long that took.
    pub fn get(&mut self, path: &str, gzip: bool) -> Duration {
        let accept = if gzip { "accept-encoding: gzip\r\n" } else { "" };
        let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\n{accept}\r\n");
        let started = Instant::now();
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut length, mut chunked) = (0, false);
        loop {
            let line = self.line();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            }
            chunked |= line == "transfer-encoding: chunked";
            if line.is_empty() {
                break;
            }
        }
        if chunked {
            self.body.clear();
            while self.chunk() {}
        } else {
            self.take(0, length);
        }
        started.elapsed()
    }

    /// Reads one chunk of a body, and whether it was not the last one.
    fn chunk(&mut self) -> bool {
        let length = usize::from_str_radix(&self.line(), 16).unwrap();
        self.take(self.body.len(), length);
        assert_eq!(self.line(), "");
        length > 0
    }

    /// Reads so many bytes as the body from `start` on. What is there already is written over: to clear megabytes
    /// first would be counted as the other side's time.
    fn take(&mut self, start: usize, length: usize) {
        self.body.resize(start + length, 0);
        self.stream.read_exact(&mut self.body[start..]).unwrap();
    }

    /// Reads a line, in small letters, without its end.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.trim_end().to_ascii_lowercase()
    }
}

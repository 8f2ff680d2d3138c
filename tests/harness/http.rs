//! A small blocking HTTP/1.1 client: one request per connection, the answer as it came over the wire.

use std::{
    fmt::Write as _,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

const ANSWERS: Duration = Duration::from_secs(60);

/// An answer, body unchunked but not decompressed.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    /// The status code.
    pub(crate) status: u16,
    /// Names in lower case, values trimmed, in the order of arrival.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// The first header of that name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body in UTF-8")
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        let text = self.text();
        serde_json::from_str(text).unwrap_or_else(|e| panic!("no JSON: {e}\n{text}"))
    }
}

/// `GET path`; fails the test when there is no answer.
#[track_caller]
pub(crate) fn get(addr: SocketAddr, path: &str) -> Response {
    get_with(addr, path, &[])
}

/// `GET path` with headers.
#[track_caller]
pub(crate) fn get_with(addr: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut raw = format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n");
    for (name, value) in headers {
        let _ = write!(raw, "{name}: {value}\r\n");
    }
    raw.push_str("\r\n");
    request(addr, raw.as_bytes())
}

/// Sends these very bytes; fails the test when there is no answer.
#[track_caller]
pub(crate) fn request(addr: SocketAddr, raw: &[u8]) -> Response {
    send(addr, raw).unwrap_or_else(|e| {
        let first = String::from_utf8_lossy(raw).lines().next().unwrap_or_default().to_owned();
        panic!("{first:?} to {addr}: {e}")
    })
}

/// Sends these very bytes and reads one answer.
pub(crate) fn send(addr: SocketAddr, raw: &[u8]) -> io::Result<Response> {
    let mut stream = TcpStream::connect_timeout(&addr, ANSWERS)?;
    stream.set_read_timeout(Some(ANSWERS))?;
    stream.set_write_timeout(Some(ANSWERS))?;
    stream.write_all(raw)?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut response = head(&mut reader)?;
        match response.status {
            101 => return Ok(response),
            100..200 => {} // the real answer is still to come
            204 | 304 => return Ok(response),
            _ if raw.starts_with(b"HEAD ") => return Ok(response),
            _ => {
                response.body = body(&mut reader, &response)?;
                return Ok(response);
            }
        }
    }
}

fn head(reader: &mut impl BufRead) -> io::Result<Response> {
    let status_line = line(reader)?;
    let status = status_line
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split(' ').nth(1)?.parse().ok())
        .ok_or_else(|| malformed(&status_line))?;
    let mut headers = Vec::new();
    loop {
        let header = line(reader)?;
        if header.is_empty() {
            return Ok(Response { status, headers, body: Vec::new() });
        }
        let (name, value) = header.split_once(':').ok_or_else(|| malformed(&header))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn body(reader: &mut impl BufRead, response: &Response) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if response.header("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
        loop {
            let size_line = line(reader)?;
            let digits = size_line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(digits, 16).map_err(|_| malformed(&size_line))?;
            if size == 0 {
                while !line(reader)?.is_empty() {} // trailers
                return Ok(body);
            }
            read_exactly(reader, size, &mut body)?;
            let end = line(reader)?;
            if !end.is_empty() {
                return Err(malformed(&end));
            }
        }
    }
    match response.header("content-length") {
        Some(length) => read_exactly(reader, length.parse().map_err(|_| malformed(length))?, &mut body)?,
        None => drop(reader.read_to_end(&mut body)?),
    }
    Ok(body)
}

fn read_exactly(reader: &mut impl BufRead, size: usize, into: &mut Vec<u8>) -> io::Result<()> {
    let limit = u64::try_from(size).expect("a size");
    let read = reader.take(limit).read_to_end(into)?;
    if read == size { Ok(()) } else { Err(cut_short()) }
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    match line.strip_suffix("\r\n") {
        Some(line) => Ok(line.to_owned()),
        None if line.is_empty() => Err(cut_short()),
        None => Err(malformed(&line)),
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed answer at {what:?}"))
}

fn cut_short() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the answer was cut short")
}

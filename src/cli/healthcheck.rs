//! `healthcheck`: asks an endpoint once, for containers that have no other program. Plain HTTP only: what it asks is on
//! the same machine.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::output::{complain, print};

pub(super) fn healthcheck(url: &str, timeout: u16) -> ExitCode {
    match ask(url, Duration::from_secs(timeout.max(1).into())) {
        Ok((200, body)) => {
            print(&body);
            ExitCode::SUCCESS
        }
        Ok((status, body)) => {
            complain(&format!("status {status}\n{body}"));
            ExitCode::FAILURE
        }
        Err(message) => {
            complain(&message);
            ExitCode::FAILURE
        }
    }
}

fn ask(url: &str, timeout: Duration) -> Result<(u16, String), String> {
    /// More than any answer about health.
    const MOST: u64 = 1024 * 1024;
    let url =
        url::Url::parse(url).map_err(|error| format!("not a url: {error}; write http://host:port/path"))?;
    if url.scheme() != "http" {
        return Err(format!("cannot ask over {}: write http://host:port/path", url.scheme()));
    }
    let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(80));
    let deadline = Instant::now() + timeout;
    let left = || {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err("no answer in time".to_owned()) } else { Ok(left) }
    };
    let no_answer = |error: std::io::Error| format!("no answer from {host}:{port}: {error}");
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let addresses: Vec<_> = (bare, port).to_socket_addrs().map_err(no_answer)?.collect();
    let mut refused = format!("no answer from {host}:{port}: the name has no address");
    for address in addresses {
        let mut stream = match TcpStream::connect_timeout(&address, left()?) {
            Ok(stream) => stream,
            Err(error) => {
                refused = no_answer(error);
                continue;
            }
        };
        let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let request = format!("GET {target} HTTP/1.1\r\nhost: {host}:{port}\r\nconnection: close\r\n\r\n");
        stream.set_write_timeout(Some(left()?)).map_err(no_answer)?;
        stream.write_all(request.as_bytes()).map_err(no_answer)?;
        stream.set_read_timeout(Some(left()?)).map_err(no_answer)?;
        let mut answer = Vec::new();
        stream.take(MOST).read_to_end(&mut answer).map_err(no_answer)?;
        return understand(&String::from_utf8_lossy(&answer));
    }
    Err(refused)
}

fn understand(answer: &str) -> Result<(u16, String), String> {
    let status = answer.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    status.map(|status| (status, body.to_owned())).ok_or_else(|| "the answer is not http".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn understands_answers_and_refuses_the_rest() {
        let answer = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\nno";
        assert_eq!(understand(answer), Ok((503, "no".to_owned())));
        for garbage in ["", "HTTP/1.", "HTTP/1.1 abc", "SSH-2.0-x\r\n", "HTTP/1.1 é00"] {
            assert!(understand(garbage).is_err(), "{garbage}");
        }
    }
}

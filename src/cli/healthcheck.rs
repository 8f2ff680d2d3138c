//! `healthcheck`: asks an endpoint once, for containers that have no other program. Plain HTTP only: what it asks is on
//! the same machine. Unless told an endpoint it looks into the configuration for where the agent listens, and at nothing
//! else there: an agent that runs is not unhealthy because its file has been spoiled since.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use url::Url;

use crate::agent;

use super::output::{complain, print};
use super::{Options, Refused};

pub(super) fn healthcheck(options: &Options, url: Option<String>, timeout: u16) -> ExitCode {
    let urls = match url.map_or_else(|| configured(options), |url| endpoint(&url).map(|url| vec![url])) {
        Ok(urls) => urls,
        Err(refused) => return refused.code(),
    };
    let deadline = Instant::now() + Duration::from_secs(timeout.max(1).into());
    let mut refused = String::new();
    for url in urls {
        match ask(&url, deadline) {
            Ok((200, body)) => return print(&body, ExitCode::SUCCESS),
            Ok((status, body)) => {
                complain(&format!("status {status}\n{body}"));
                return ExitCode::FAILURE;
            }
            Err(message) => refused = message,
        }
    }
    complain(&refused);
    ExitCode::FAILURE
}

/// The endpoint that was written on the command line.
fn endpoint(text: &str) -> Result<Url, Refused> {
    let problem = match Url::parse(text) {
        Ok(url) if url.scheme() == "http" => return Ok(url),
        Ok(url) => format!("cannot ask over {}: write http://host:port/path", url.scheme()),
        Err(error) => format!("not a url: {error}; write http://host:port/path"),
    };
    complain(&problem);
    Err(Refused::Usage)
}

/// Where the configuration says that the agent listens, in the order in which to try.
fn configured(options: &Options) -> Result<Vec<Url>, Refused> {
    let configured = agent::listens(options.document()?).map_err(|problems| {
        complain(&problems);
        Refused::Configuration
    })?;
    let addresses = options.listen(configured)?;
    let Some(address) = addresses.into_iter().find(|address| address.port() != 0) else {
        complain(&"the configuration lets the system choose the port: write http://host:port/health/live");
        return Err(Refused::Usage);
    };
    Ok(reached_at(address)
        .into_iter()
        .filter_map(|at| format!("http://{at}/health/live").parse().ok())
        .collect())
}

/// Where something that listens at `address` is reached from this machine.
fn reached_at(address: SocketAddr) -> Vec<SocketAddr> {
    let (v4, v6) = (IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST));
    let hosts = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => vec![v4],
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => vec![v4, v6],
        host => vec![host],
    };
    hosts.into_iter().map(|host| SocketAddr::new(host, address.port())).collect()
}

fn ask(url: &Url, deadline: Instant) -> Result<(u16, String), String> {
    /// More than any answer about health.
    const MOST: u64 = 1024 * 1024;
    let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(80));
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
    fn every_interface_is_reached_by_the_loopback_one() {
        let reached = |text| {
            reached_at(crate::config::listen_address(text).unwrap())
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(reached(":80"), ["127.0.0.1:80", "[::1]:80"]);
        assert_eq!(reached("0.0.0.0:80"), ["127.0.0.1:80"]);
        assert_eq!(reached("192.0.2.1:80"), ["192.0.2.1:80"]);
    }

    #[test]
    fn understands_answers_and_refuses_the_rest() {
        let answer = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\nno";
        assert_eq!(understand(answer), Ok((503, "no".to_owned())));
        for garbage in ["", "HTTP/1.", "HTTP/1.1 abc", "SSH-2.0-x\r\n", "HTTP/1.1 é00"] {
            assert!(understand(garbage).is_err(), "{garbage}");
        }
    }
}

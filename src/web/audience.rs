//! Who asks: details, measurements and targets are for those on this machine, everyone else gets states and reasons.
//!
//! A browser on this machine connects from this machine whatever page it shows: a page from elsewhere whose name has
//! been made to resolve to 127.0.0.1 would read everything. The browser says that name in `Host`, so the name must be
//! one of this machine too.

use std::net::{IpAddr, SocketAddr};

use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, header};

/// The other end of the connection, as the server noted it with the request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// How much an answer may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// Names, states, times and classes of reasons.
    Public,
    /// Everything that is no secret.
    Operator,
}

impl Audience {
    /// Who sent a request. A request that a proxy passed on is as public as the proxy, so its headers end the trust
    /// that a local connection has; so does a name for this server that is not one of this machine.
    pub(super) fn of(parts: &Parts) -> Self {
        let local =
            parts.extensions.get::<Peer>().is_some_and(|peer| peer.0.ip().to_canonical().is_loopback());
        let passed_on = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
        let passed_on = passed_on.iter().any(|name| parts.headers.contains_key(*name));
        if local && !passed_on && is_asked_as_loopback(parts.uri.authority(), &parts.headers) {
            Self::Operator
        } else {
            Self::Public
        }
    }
}

/// Whether every name that the request has for this server is one that only this machine has, and there is one.
fn is_asked_as_loopback(authority: Option<&Authority>, headers: &HeaderMap) -> bool {
    let authority = authority.map(|authority| is_loopback(authority.as_str()));
    let hosts = headers.get_all(header::HOST).iter().map(|host| host.to_str().is_ok_and(is_loopback));
    let mut names = authority.into_iter().chain(hosts).peekable();
    names.peek().is_some() && names.all(|own| own)
}

/// Whether `host`, with or without a port, is `localhost` or an address of the loopback interface.
fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let host = authority.host();
    let address = host.strip_prefix('[').and_then(|inside| inside.strip_suffix(']')).unwrap_or(host);
    let local = |address: IpAddr| address.to_canonical().is_loopback();
    host.strip_suffix('.').unwrap_or(host).eq_ignore_ascii_case("localhost")
        || address.parse().is_ok_and(local)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn audience(peer: Option<&str>, uri: &str, headers: &[(&'static str, &str)]) -> Audience {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut parts = request.body(()).unwrap().into_parts().0;
        if let Some(peer) = peer {
            parts.extensions.insert(Peer(peer.parse().unwrap()));
        }
        Audience::of(&parts)
    }

    #[test]
    fn only_direct_local_callers_see_everything() {
        let audience = |peer: Option<&str>, header: Option<&'static str>| {
            let passed_on = header.map(|name| (name, "203.0.113.7"));
            let headers: Vec<_> = [("host", "localhost:10464")].into_iter().chain(passed_on).collect();
            audience(peer, "/health", &headers)
        };
        assert_eq!(audience(Some("127.0.0.1:4000"), None), Audience::Operator);
        assert_eq!(audience(Some("[::1]:4000"), None), Audience::Operator);
        assert_eq!(audience(Some("[::ffff:127.0.0.1]:4000"), None), Audience::Operator);
        assert_eq!(audience(Some("127.0.0.1:4000"), Some("x-forwarded-for")), Audience::Public);
        assert_eq!(audience(Some("10.0.0.7:4000"), None), Audience::Public);
        assert_eq!(audience(None, None), Audience::Public);
    }

    #[test]
    fn a_page_whose_name_leads_here_sees_what_everyone_sees() {
        let of = |uri: &str, hosts: &[&str]| {
            let headers: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
            audience(Some("127.0.0.1:4000"), uri, &headers)
        };
        for own in [
            "localhost",
            "LocalHost:10464",
            "localhost.",
            "127.0.0.1",
            "127.8.9.1:80",
            "[::1]",
            "[::1]:10464",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert_eq!(of("/health", &[own]), Audience::Operator, "{own}");
        }
        for other in [
            "rebound.example",
            "rebound.example:10464",
            "localhost.rebound.example",
            "127.0.0.1.rebound.example",
            "10.0.0.7",
            "0.0.0.0",
            "[::]",
            "::1",
            "localhost@rebound.example",
            "",
        ] {
            assert_eq!(of("/health", &[other]), Audience::Public, "{other}");
        }
        assert_eq!(of("/health", &[]), Audience::Public, "no name at all");
        assert_eq!(of("/health", &["localhost", "rebound.example"]), Audience::Public);
        assert_eq!(of("http://rebound.example/health", &["localhost"]), Audience::Public);
        assert_eq!(of("http://localhost/health", &["localhost"]), Audience::Operator);
    }
}

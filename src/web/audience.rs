//! Who asks: details, measurements and targets are for those on this machine, everyone else gets states and reasons.

use std::net::SocketAddr;

use axum::http::{Extensions, HeaderMap};

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
    /// that a local connection has.
    pub(super) fn of(extensions: &Extensions, headers: &HeaderMap) -> Self {
        let local = extensions.get::<Peer>().is_some_and(|peer| peer.0.ip().to_canonical().is_loopback());
        let passed_on = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
        if local && !passed_on.iter().any(|name| headers.contains_key(*name)) {
            Self::Operator
        } else {
            Self::Public
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audience(peer: Option<&str>, header: Option<&'static str>) -> Audience {
        let (mut extensions, mut headers) = (Extensions::new(), HeaderMap::new());
        if let Some(peer) = peer {
            extensions.insert(Peer(peer.parse().unwrap()));
        }
        if let Some(header) = header {
            headers.insert(header, "203.0.113.7".parse().unwrap());
        }
        Audience::of(&extensions, &headers)
    }

    #[test]
    fn only_direct_local_callers_see_everything() {
        assert_eq!(audience(Some("127.0.0.1:4000"), None), Audience::Operator);
        assert_eq!(audience(Some("[::1]:4000"), None), Audience::Operator);
        assert_eq!(audience(Some("[::ffff:127.0.0.1]:4000"), None), Audience::Operator);
        assert_eq!(audience(Some("127.0.0.1:4000"), Some("x-forwarded-for")), Audience::Public);
        assert_eq!(audience(Some("10.0.0.7:4000"), None), Audience::Public);
        assert_eq!(audience(None, None), Audience::Public);
    }
}

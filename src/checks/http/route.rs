//! The way to a server: look-up, connection, the tunnel of a proxy, TLS.
//!
//! Every step is a phase of the run. A proxy counts as `connect`.

use hyper::header::HeaderValue;
use url::{Host, Url};

use super::connection::Connection;
use super::failure::Failed;
use super::settings::Version;
use super::tunnel;
use crate::checks::Run;
use crate::checks::net::{self, Address, Stream, Unconnected, Wire};
use crate::checks::tls::client::{Client, Handshake};
use crate::checks::tls::settings::Settings as Tls;
use crate::model::{Outcome, Phase};

const HTTP1: &[u8] = b"http/1.1";
const HTTP2: &[u8] = b"h2";

/// How servers are reached.
pub(super) struct Route {
    tls: Client,
    version: Version,
    proxy: Option<Proxy>,
    /// How many bytes a connection may bring in one run.
    most: usize,
}

struct Proxy {
    address: Address,
    tls: Option<Client>,
    authorization: Option<HeaderValue>,
}

impl Route {
    /// The way to the host of `url`, over `proxy` where there is one, for a body of at most `max_body` bytes. What comes
    /// around it (heads, chunks, frames, TLS) may be as much again.
    pub(super) fn new(
        url: &Url,
        proxy: Option<&Url>,
        tls: &Tls,
        version: Version,
        max_body: usize,
    ) -> Result<Self, &'static str> {
        let protocols: &[&[u8]] = match version {
            Version::Auto => &[HTTP2, HTTP1],
            Version::Http1 => &[HTTP1],
            Version::Http2 => &[HTTP2],
        };
        let client = tls.client(&address(url)?.host, protocols)?;
        let proxy = proxy.map(|url| {
            let address = address(url)?;
            let tls = match url.scheme() {
                "https" => Some(tls.client_on_the_way(&address.host)?),
                _ => None,
            };
            Ok::<_, &'static str>(Proxy { tls, address, authorization: super::question::basic(url) })
        });
        Ok(Self {
            tls: client,
            version,
            proxy: proxy.transpose()?,
            most: max_body.saturating_mul(2).saturating_add(net::MOST),
        })
    }

    /// Says in the details what was left out.
    pub(super) fn tell(&self, url: &Url, outcome: Outcome) -> Outcome {
        if url.scheme() == "https" { self.tls.tell(outcome) } else { outcome }
    }

    /// What a proxy wants to know of a request without TLS, which it gets itself; none where it gets none.
    pub(super) fn seen_by_proxy(&self, url: &Url) -> Option<Option<&HeaderValue>> {
        let proxy = self.proxy.as_ref().filter(|_| url.scheme() == "http")?;
        Some(proxy.authorization.as_ref())
    }

    /// Connects to the server of `url`; notes in `expiry` what its certificates say, whether they were believed or not.
    pub(super) async fn reach(
        &self,
        run: &Run,
        url: &Url,
        expiry: &mut Option<i64>,
    ) -> Result<Connection, Failed> {
        let address = address(url).map_err(|_| Failed::Address)?;
        let secure = url.scheme() == "https";
        let peer = self.proxy.as_ref().map_or(&address, |proxy| &proxy.address);
        let stream = net::connect(run, peer).await.map_err(|error| self.unconnected(error))?;
        let stream = stream.allow(self.most);
        let allowance = stream.allowance();
        let wire = match &self.proxy {
            None => Box::new(stream),
            Some(proxy) => proxy.pass(run, stream, &address, secure).await?,
        };
        if !secure {
            let second = self.version == Version::Http2 && self.proxy.is_none();
            run.begin_phase(Phase::Request);
            return Connection::open(wire, second, allowance).await.map_err(Failed::Http);
        }
        let Handshake { stream, expiry: seen } = self.tls.shake_hands(run, wire).await;
        *expiry = seen.or(*expiry);
        let stream = stream.map_err(Failed::Tls)?;
        let agreed = stream.protocol();
        let second = self.version == Version::Http2 || agreed == Some(HTTP2);
        run.begin_phase(Phase::Request);
        Connection::open(Box::new(stream), second, allowance).await.map_err(Failed::Http)
    }

    fn unconnected(&self, error: Unconnected) -> Failed {
        if self.proxy.is_some() { Failed::ProxyUnconnected(error) } else { Failed::Unconnected(error) }
    }
}

impl Proxy {
    /// Passes through the proxy at the other end of `stream` to `address` where it is `secure`; else the proxy itself is
    /// asked for the whole address.
    async fn pass(
        &self,
        run: &Run,
        stream: Stream,
        address: &Address,
        secure: bool,
    ) -> Result<Box<dyn Wire>, Failed> {
        let mut wire: Box<dyn Wire> = match &self.tls {
            None => Box::new(stream),
            Some(tls) => Box::new(tls.connect(run, stream).await.map_err(Failed::Tls)?),
        };
        if secure {
            let tunnel = tunnel::open(&mut wire, address, self.authorization.as_ref());
            run.phase(Phase::Connect, tunnel).await?;
        }
        Ok(wire)
    }
}

/// Where the host of `url` listens.
fn address(url: &Url) -> Result<Address, &'static str> {
    let host = match url.host() {
        Some(Host::Domain(name)) if !name.is_empty() => name.to_owned(),
        Some(Host::Ipv4(ip)) => ip.to_string(),
        Some(Host::Ipv6(ip)) => ip.to_string(),
        _ => return Err("the host is missing"),
    };
    let port = url.port_or_known_default().filter(|port| *port != 0);
    Ok(Address { host, port: port.ok_or("the port is a number from 1 to 65535")? })
}

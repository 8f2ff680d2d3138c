//! The way to a server: look-up, connection, the tunnel of a proxy, TLS.
//!
//! Every step is a phase of the run. A proxy counts as `connect`.

use hyper::header::HeaderValue;
use url::{Host, Url};

use super::connection::{Connection, Wire};
use super::failure::Failed;
use super::settings::Version;
use super::tunnel;
use crate::checks::Run;
use crate::checks::net::{self, Address};
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
}

struct Proxy {
    address: Address,
    tls: Option<Client>,
    authorization: Option<HeaderValue>,
}

impl Route {
    /// The way to the host of `url`, over `proxy` where there is one.
    pub(super) fn new(
        url: &Url,
        proxy: Option<&Url>,
        tls: &Tls,
        version: Version,
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
        Ok(Self { tls: client, version, proxy: proxy.transpose()? })
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
        let wire = match &self.proxy {
            None => Box::new(net::connect(run, &address).await.map_err(Failed::Unconnected)?),
            Some(proxy) => proxy.reach(run, &address, secure).await?,
        };
        if !secure {
            let second = self.version == Version::Http2 && self.proxy.is_none();
            run.begin_phase(Phase::Request);
            return Connection::open(wire, second).await.map_err(Failed::Http);
        }
        let Handshake { stream, expiry: seen } = self.tls.shake_hands(run, wire).await;
        *expiry = seen.or(*expiry);
        let stream = stream.map_err(Failed::Tls)?;
        let agreed = stream.protocol();
        let second = self.version == Version::Http2 || agreed == Some(HTTP2);
        run.begin_phase(Phase::Request);
        Connection::open(Box::new(stream), second).await.map_err(Failed::Http)
    }
}

impl Proxy {
    /// Connects to `address` where it is `secure`; else to the proxy itself, which is asked for the whole address.
    async fn reach(&self, run: &Run, address: &Address, secure: bool) -> Result<Box<dyn Wire>, Failed> {
        let stream = net::connect(run, &self.address).await.map_err(Failed::ProxyUnconnected)?;
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

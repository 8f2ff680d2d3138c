//! The client's side of a handshake, for the kinds that own the connection under it.
//!
//! No session is kept: every handshake is a whole one, because a resumed one would show no certificate.

mod asked;
mod stream;

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use self::asked::Asked;
pub(in crate::checks) use self::stream::Stream;
use crate::checks::Run;
#[cfg(any(feature = "amqp", feature = "http", feature = "redis"))]
use crate::model::Outcome;
use crate::model::Phase;
use crate::tls::{self, Identity, Trust, Verifier};

/// What a handshake needs.
pub(in crate::checks) struct Client {
    config: ClientConfig,
    verifier: Verifier,
    name: ServerName<'static>,
    #[cfg(any(feature = "amqp", feature = "http", feature = "redis"))]
    insecure: bool,
}

/// How a handshake ended.
pub(in crate::checks) struct Handshake<S> {
    pub(in crate::checks) stream: io::Result<Stream<S>>,
    /// When the first certificate ends that the server was believed for, in Unix seconds; of one that was not believed
    /// when its own one does.
    #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "only http tells it so far"))]
    pub(in crate::checks) expiry: Option<i64>,
}

impl Client {
    /// For a server that proves to be `host`, with one of `protocols` above TLS.
    pub(in crate::checks) fn new(
        host: &str,
        trust: &Trust,
        identity: Option<&Identity>,
        protocols: &[&[u8]],
    ) -> Result<Self, &'static str> {
        let mut config = tls::client_config(trust, identity)?;
        config.resumption = Resumption::disabled();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(Self {
            config,
            verifier: Verifier::new(trust),
            name: Self::name(host)?,
            #[cfg(any(feature = "amqp", feature = "http", feature = "redis"))]
            insecure: *trust == Trust::Anyone,
        })
    }

    /// `host` as a name that a certificate can be for.
    pub(super) fn name(host: &str) -> Result<ServerName<'static>, &'static str> {
        ServerName::try_from(host.to_owned()).map_err(|_| "the host is no name and no address")
    }

    /// Shakes hands over `stream`.
    pub(in crate::checks) async fn connect<S>(&self, run: &Run, stream: S) -> io::Result<Stream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.shake_hands(run, stream).await.stream
    }

    /// Shakes hands over `stream`, and tells how old the certificates are.
    pub(in crate::checks) async fn shake_hands<S>(&self, run: &Run, stream: S) -> Handshake<S>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let verifier = Arc::new(self.verifier.again());
        let asked = Arc::new(Asked::new(Arc::clone(&self.config.client_auth_cert_resolver)));
        let mut config = self.config.clone();
        config.dangerous().set_certificate_verifier(Arc::<Verifier>::clone(&verifier));
        config.client_auth_cert_resolver = Arc::<Asked>::clone(&asked);
        let connector = TlsConnector::from(Arc::new(config));
        let stream = run.phase(Phase::Tls, connector.connect(self.name.clone(), stream)).await;
        let stream = match stream {
            Ok(stream) => Ok(Stream::new(stream, asked)),
            Err(error) => Err(asked.explain(error)),
        };
        Handshake { stream, expiry: verifier.expiry() }
    }

    /// Says in the details that nobody has looked at the certificate, where that is so.
    #[cfg(any(feature = "amqp", feature = "http", feature = "redis"))]
    pub(in crate::checks) fn tell(&self, outcome: Outcome) -> Outcome {
        if self.insecure { outcome.detail("certificate_verified", false) } else { outcome }
    }
}

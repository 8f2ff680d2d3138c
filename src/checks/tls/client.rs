//! The client's side of a handshake, for the kinds that own the connection under it.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::checks::Run;
use crate::model::Phase;

/// What a handshake needs.
pub(in crate::checks) struct Client {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Client {
    /// For a server that proves to be `host` in the way that `config` asks for.
    pub(in crate::checks) fn new(host: &str, config: ClientConfig) -> Result<Self, &'static str> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| "the host is no name and no address")?;
        Ok(Self { config: Arc::new(config), name })
    }

    /// Shakes hands over `stream`.
    pub(in crate::checks) async fn connect(
        &self,
        run: &Run,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        run.phase(Phase::Tls, connector.connect(self.name.clone(), stream)).await
    }
}

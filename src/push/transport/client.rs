//! The HTTP client under both transports: one connection, rustls, no redirects, no proxies.

use std::error::Error;
use std::time::Duration;

use reqwest::Client;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use rustls::ClientConfig;
use tokio::time::Instant;

use super::{Answer, Failure};
use crate::model::{Cause, Reason};
use crate::push::settings::{Exporter, Protocol};
use crate::reasons;
use crate::resolver::{self, Unresolved};
use crate::tls::{self, Trust};

/// Makes the client that `exporter` asks for; connects nowhere. The system's roots are read only where TLS is spoken.
pub(super) fn client(exporter: &Exporter) -> Result<Client, String> {
    tls::install_provider();
    let mut builder = Client::builder()
        .dns_resolver(Names(exporter.timeout))
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .pool_max_idle_per_host(1)
        .timeout(exporter.timeout)
        .user_agent(concat!("vitalsign/", env!("CARGO_PKG_VERSION")));
    if exporter.protocol == Protocol::Grpc {
        builder = builder.http2_prior_knowledge();
    } else {
        builder = builder.http1_only();
    }
    let secure = exporter.endpoint.expose().scheme() == "https";
    let config = if secure { secured(exporter)? } else { no_roots() };
    let built = builder.tls_backend_preconfigured(config).build();
    built.map_err(|_| "the client for OTLP cannot be made".to_owned())
}

fn secured(exporter: &Exporter) -> Result<ClientConfig, String> {
    let trust = Trust::Known(exporter.roots.clone());
    let mut config = tls::client_config(&trust, exporter.identity.as_ref())
        .map_err(|problem| format!("otlp: client_key_file {problem}"))?;
    let protocol = if exporter.protocol == Protocol::Grpc { "h2" } else { "http/1.1" };
    config.alpn_protocols = vec![protocol.into()];
    Ok(config)
}

/// For a collector without TLS, which needs none of it.
fn no_roots() -> ClientConfig {
    ClientConfig::builder().with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()
}

/// What an error of the client means. A request that failed on the way may be sent again.
pub(super) fn later(error: &reqwest::Error) -> Answer {
    let failure = match (unresolved(error), reasons::of_source(error)) {
        _ if error.is_timeout() => Reason::Timeout.into(),
        (Some(unresolved), _) => Cause::from(unresolved).into(),
        (None, Some(failure)) => failure,
        (None, None) if error.is_connect() => Reason::Unreachable.into(),
        // The connection ended before the answer.
        (None, None) => Reason::ConnectionReset.into(),
    };
    Answer::Later { after: None, failure: Failure::of(failure) }
}

fn unresolved(error: &reqwest::Error) -> Option<Unresolved> {
    std::iter::successors(error.source(), |cause| (*cause).source())
        .find_map(|cause| cause.downcast_ref().copied())
}

/// Looks names up as the checks do, so that a name without address is told apart.
struct Names(Duration);

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let until = Instant::now() + self.0;
        Box::pin(async move {
            let addresses: Addrs = Box::new(resolver::look_up(name.as_str(), 0, until).await?.into_iter());
            Ok(addresses)
        })
    }
}

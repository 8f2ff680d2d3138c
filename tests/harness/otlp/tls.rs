//! TLS in front of a collector, for clients with a certificate of our authority alone.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls::{RootCertStore, crypto::ring::default_provider, server::WebPkiClientVerifier};

use crate::harness::{
    scratch::Scratch,
    tls::{self, Authority},
    user::User,
};

/// A running proxy, and the files that a client needs.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) addr: SocketAddr,
    pub(crate) ca: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    _files: Scratch,
    _front: tls::Front,
}

/// Starts one in front of `behind`, that agrees on this protocol.
pub(crate) fn front(behind: SocketAddr, alpn: &'static str) -> Front {
    let (authority, tomorrow) = (Authority::new(), SystemTime::now() + Duration::from_hours(24));
    let (server, client) = (authority.certify("localhost", tomorrow), authority.certify("agent", tomorrow));
    let mut roots = RootCertStore::empty();
    roots.add(authority.root().clone()).unwrap();
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(default_provider()));
    let mut settings =
        tls::showing(tls::server().with_client_cert_verifier(clients.build().unwrap()), &server);
    settings.alpn_protocols = vec![alpn.into()];
    let front = tls::Front::start(behind, settings);
    let files = Scratch::new("tls", User::oneself());
    let file = |name: &str, text: &str| files.write(name, text, User::oneself());
    Front {
        addr: front.addr,
        ca: file("ca.pem", authority.pem()),
        certificate: file("client.pem", &client.cert.pem()),
        key: file("client.key", &client.signing_key.serialize_pem()),
        _files: files,
        _front: front,
    }
}

//! TLS in front of a collector: decrypts and passes on, for clients with a certificate of our authority alone.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring::default_provider,
    pki_types::{PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};
use tokio_rustls::TlsAcceptor;

use crate::harness::{scratch::Scratch, user::User};

/// A running proxy, and the files that a client needs.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) addr: SocketAddr,
    pub(crate) ca: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    _files: Scratch,
    _runtime: Runtime,
}

/// Starts one in front of `behind`, that agrees on this protocol.
#[expect(clippy::disallowed_methods, reason = "tests have no supervisor")]
pub(crate) fn front(behind: SocketAddr, alpn: &'static str) -> Front {
    let (ca_key, mut ca) = (KeyPair::generate().unwrap(), CertificateParams::new(Vec::new()).unwrap());
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = ca.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let leaf = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        (certificate, key)
    };
    let (server, server_key) = leaf("localhost");
    let (client, client_key) = leaf("agent");

    let mut roots = RootCertStore::empty();
    roots.add(root.der().clone()).unwrap();
    let provider = Arc::new(default_provider());
    let clients =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let key = PrivateKeyDer::from_pem_slice(server_key.serialize_pem().as_bytes()).unwrap();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![server.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![alpn.into()];

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let (addr, acceptor) = (listener.local_addr().unwrap(), TlsAcceptor::from(Arc::new(config)));
    runtime.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut outside = acceptor.accept(stream).await.ok()?;
                let mut inside = TcpStream::connect(behind).await.ok()?;
                copy_bidirectional(&mut outside, &mut inside).await.ok()
            });
        }
    });
    let files = Scratch::new("tls", User::oneself());
    let file = |name: &str, text: &str| files.write(name, text, User::oneself());
    Front {
        addr,
        ca: file("ca.pem", &root.pem()),
        certificate: file("client.pem", &client.pem()),
        key: file("client.key", &client_key.serialize_pem()),
        _files: files,
        _runtime: runtime,
    }
}

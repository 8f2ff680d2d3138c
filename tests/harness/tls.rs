//! TLS: an authority of the tests' own, whose certificates end when a test wants it, and a front that decrypts and passes
//! on.

use std::{net::SocketAddr, sync::Arc, time::SystemTime};

use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, CertifiedKey, DnType, IsCa, Issuer, KeyPair};
use rustls::{
    ConfigBuilder, ServerConfig,
    crypto::{CryptoProvider, ring::default_provider},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WantsServerCert,
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};
use tokio_rustls::TlsAcceptor;

/// Signs certificates.
pub(crate) struct Authority {
    root: CertificateDer<'static>,
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let (key, mut params) = (KeyPair::generate().unwrap(), CertificateParams::new(Vec::new()).unwrap());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).unwrap();
        Self { root: root.der().clone(), pem: root.pem(), issuer: Issuer::new(params, key) }
    }

    /// Its own certificate.
    pub(crate) fn root(&self) -> &CertificateDer<'static> {
        &self.root
    }

    /// The same in PEM, for those who are to trust it.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for `name`, until then.
    pub(crate) fn certify(&self, name: &str, until: SystemTime) -> CertifiedKey<KeyPair> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_after = until.into();
        // With the name of its issuer it would count as signed by itself.
        params.distinguished_name.push(DnType::CommonName, name);
        let signing_key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&signing_key, &self.issuer).unwrap();
        CertifiedKey { cert, signing_key }
    }
}

/// The beginning of every server's settings.
pub(crate) fn server() -> ConfigBuilder<ServerConfig, rustls::WantsVerifier> {
    let provider: Arc<CryptoProvider> = Arc::new(default_provider());
    ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap()
}

/// The end of them: the server shows `certified`.
pub(crate) fn showing(
    settings: ConfigBuilder<ServerConfig, WantsServerCert>,
    certified: &CertifiedKey<KeyPair>,
) -> ServerConfig {
    let key = PrivateKeyDer::from_pem_slice(certified.signing_key.serialize_pem().as_bytes()).unwrap();
    settings.with_single_cert(vec![certified.cert.der().clone()], key).unwrap()
}

/// A proxy with TLS outside and none inside.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) addr: SocketAddr,
    settings: Arc<Mutex<Arc<ServerConfig>>>,
    _runtime: Runtime,
}

impl Front {
    /// Starts one in front of `behind`.
    #[expect(clippy::disallowed_methods, reason = "tests have no supervisor")]
    pub(crate) fn start(behind: SocketAddr, settings: ServerConfig) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let addr = listener.local_addr().unwrap();
        let settings = Arc::new(Mutex::new(Arc::new(settings)));
        let now = Arc::clone(&settings);
        runtime.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let acceptor = TlsAcceptor::from(Arc::clone(&now.lock()));
                tokio::spawn(async move {
                    let mut outside = acceptor.accept(stream).await.ok()?;
                    let mut inside = TcpStream::connect(behind).await.ok()?;
                    copy_bidirectional(&mut outside, &mut inside).await.ok()
                });
            }
        });
        Self { addr, settings, _runtime: runtime }
    }

    /// What it does from the next connection on.
    pub(crate) fn change(&self, settings: ServerConfig) {
        *self.settings.lock() = Arc::new(settings);
    }
}

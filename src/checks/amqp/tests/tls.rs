//! Brokers behind TLS, with a certificate that is known, unknown or for someone else, and without one.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::tls::{Trust, install_provider};

/// A server with a certificate for `name`, and the root to trust it by.
fn server(name: &str) -> (TlsAcceptor, CertificateDer<'static>) {
    install_provider();
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate.clone()], key).unwrap();
    (TlsAcceptor::from(Arc::new(config)), certificate)
}

/// Settings with TLS that trust `roots`.
async fn listen_tls(roots: Vec<CertificateDer<'static>>) -> (TcpListener, Settings) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = Url::parse(&format!("amqps://me:hush@127.0.0.1:{port}/shop")).unwrap();
    let tls = Tls { trust: Trust::Known(roots), ..Tls::default() };
    let settings = Settings::from_url(&url, None, &tls).ok().unwrap();
    (listener, Settings { queue: Some("jobs".to_owned()), ..settings })
}

async fn ask(acceptor: &TlsAcceptor, roots: Vec<CertificateDer<'static>>) -> (Outcome, Run) {
    let (listener, settings) = listen_tls(roots).await;
    let run = Run::new(TIMEOUT);
    let outcome = run_against(&AmqpCheck { settings }, &run, &listener, async |stream: TcpStream| {
        let Ok(mut stream) = acceptor.accept(stream).await else { return };
        for answer in well() {
            let _ = stream.read(&mut [0; 4096]).await.unwrap();
            stream.write_all(&answer).await.unwrap();
            stream.flush().await.unwrap();
        }
    })
    .await;
    (outcome, run)
}

#[tokio::test]
async fn a_good_certificate_passes() {
    let (server, root) = server("127.0.0.1");
    let (outcome, run) = ask(&server, vec![root]).await;
    passes(&outcome);
    assert_eq!(measured(&outcome), [("messages", 42.0), ("consumers", 3.0)]);
    assert_eq!(phases(&run), [Phase::Connect, Phase::Tls, Phase::Auth, Phase::Request]);
}

#[tokio::test]
async fn an_unknown_authority_and_another_name_fail() {
    let (known, _) = server("127.0.0.1");
    let (other, other_root) = server("other.example");
    fails(&ask(&known, vec![other_root.clone()]).await.0, Reason::Tls);
    let (outcome, run) = ask(&other, vec![other_root]).await;
    fails(&outcome, Reason::Tls);
    assert_eq!(phases(&run), [Phase::Connect, Phase::Tls]);
}

#[tokio::test]
async fn a_broker_without_tls_fails() {
    let (listener, settings) = listen_tls(Vec::new()).await;
    let run = Run::new(TIMEOUT);
    let outcome = run_against(&AmqpCheck { settings }, &run, &listener, async |mut stream: TcpStream| {
        stream.write_all(HEADER).await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        pending::<()>().await;
    })
    .await;
    fails(&outcome, Reason::Tls);
}

#[tokio::test]
async fn a_broker_with_tls_is_not_what_plain_amqp_finds() {
    let (server, _) = server("127.0.0.1");
    let (listener, settings) = listen().await;
    let run = Run::new(TIMEOUT);
    let outcome = run_against(&AmqpCheck { settings }, &run, &listener, async |stream: TcpStream| {
        let _ = server.accept(stream).await;
    })
    .await;
    fails(&outcome, Reason::Protocol);
}

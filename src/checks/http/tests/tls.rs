//! Certificates that are good, old, unknown or for someone else.

use std::sync::Arc;
use std::time::SystemTime;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::tls::Trust;

/// A root, and what it has signed.
struct Authority {
    root: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        Self::called("one authority")
    }

    fn called(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = (SystemTime::now() + days(365)).into();
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap().der().clone();
        Self { root, issuer: Issuer::new(params, key) }
    }

    /// A server with a certificate for `name` until `until`.
    fn server(&self, name: &str, until: SystemTime, protocols: &[&str]) -> TlsAcceptor {
        self.server_with(name, until, protocols, &[])
    }

    /// The same, which shows further certificates.
    fn server_with(
        &self,
        name: &str,
        until: SystemTime,
        protocols: &[&str],
        further: &[CertificateDer<'static>],
    ) -> TlsAcceptor {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = (SystemTime::now() - days(30)).into();
        params.not_after = until.into();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        crate::tls::install_provider();
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert([&[certificate][..], further].concat(), key)
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

fn days(count: u64) -> Duration {
    Duration::from_secs(count * 86_400)
}

fn unix(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as f64
}

/// Asks `acceptor`, trusting `roots`.
async fn ask(acceptor: &TlsAcceptor, roots: Vec<CertificateDer<'static>>) -> (Outcome, Run) {
    let (listener, mut settings) = listen().await;
    settings.url.set_scheme("https").unwrap();
    settings.tls.trust = Trust::Known(roots);
    let run = Run::new(TIMEOUT);
    let outcome =
        run_against(&HttpCheck::new(settings).unwrap(), &run, &listener, async |stream: TcpStream| {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let mut asked = Vec::new();
                while !asked.ends_with(b"\r\n\r\n") && stream.read_buf(&mut asked).await.is_ok_and(|n| n > 0)
                {
                }
                let _ = stream.write_all(OK.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        })
        .await;
    (outcome, run)
}

#[tokio::test]
async fn a_good_certificate_passes_and_shows_its_end() {
    let authority = Authority::new();
    let until = SystemTime::now() + days(90);
    let server = authority.server("127.0.0.1", until, &["http/1.1"]);
    let (outcome, run) = ask(&server, vec![authority.root.clone()]).await;
    passes(&outcome);
    assert_eq!(number(&outcome, &CERTIFICATE_EXPIRY), Some(unix(until)));
    let (name, left) = &outcome.measurements[0];
    assert_eq!(name.as_str(), "certificate_days");
    assert!((89.0..=90.0).contains(left), "{left}");
    assert_eq!(phases(&run), [Phase::Connect, Phase::Tls, Phase::Request]);
}

#[tokio::test]
async fn a_certificate_that_nobody_needs_does_not_count() {
    // An authority that older clients trust vouches for ours, for three days more.
    let (ours, older) = (Authority::called("ours"), Authority::called("older"));
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "ours");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_after = (SystemTime::now() + days(3)).into();
    let cross = params.signed_by(ours.issuer.key(), &older.issuer).unwrap().der().clone();
    let until = SystemTime::now() + days(90);
    let server = ours.server_with("127.0.0.1", until, &[], &[cross]);

    let (outcome, _) = ask(&server, vec![ours.root.clone()]).await;
    passes(&outcome);
    assert_eq!(number(&outcome, &CERTIFICATE_EXPIRY), Some(unix(until)));
    // Where only the older one is trusted, it does.
    let (outcome, _) = ask(&server, vec![older.root.clone()]).await;
    assert_eq!(outcome.verdict, Verdict::Warn(Reason::Threshold), "{outcome:?}");
}

#[tokio::test]
async fn a_certificate_near_its_end_is_a_warning() {
    let authority = Authority::new();
    let server = authority.server("127.0.0.1", SystemTime::now() + days(3), &[]);
    let (outcome, _) = ask(&server, vec![authority.root.clone()]).await;
    assert_eq!(outcome.verdict, Verdict::Warn(Reason::Threshold));
    assert!(message(&outcome).starts_with("a certificate expires in "), "{outcome:?}");
}

#[tokio::test]
async fn an_expired_certificate_fails_and_shows_its_end() {
    let authority = Authority::new();
    let until = SystemTime::now() - days(1);
    let (outcome, run) = ask(&authority.server("127.0.0.1", until, &[]), vec![authority.root.clone()]).await;
    fails(&outcome, Reason::Tls);
    assert_eq!(outcome.cause, Some(Cause::CertificateExpired));
    assert_eq!(number(&outcome, &CERTIFICATE_EXPIRY), Some(unix(until)));
    assert_eq!(status(&outcome), 0.0);
    assert_eq!(phases(&run), [Phase::Connect, Phase::Tls]);
}

#[tokio::test]
async fn an_unknown_authority_and_another_name_fail() {
    let authority = Authority::new();
    let until = SystemTime::now() + days(90);
    for (name, cause) in
        [("another", Cause::CertificateUnknownIssuer), ("one authority", Cause::CertificateBadSignature)]
    {
        let known = vec![Authority::called(name).root];
        let (outcome, _) = ask(&authority.server("127.0.0.1", until, &[]), known).await;
        fails(&outcome, Reason::Tls);
        assert_eq!(outcome.cause, Some(cause));
    }
    let (outcome, _) =
        ask(&authority.server("other.example", until, &[]), vec![authority.root.clone()]).await;
    fails(&outcome, Reason::Tls);
    assert_eq!(outcome.cause, Some(Cause::CertificateWrongName));
}

#[tokio::test]
async fn a_server_without_tls_fails() {
    let (listener, mut settings) = listen().await;
    settings.url.set_scheme("https").unwrap();
    let check = HttpCheck::new(settings).unwrap();
    let outcome = run_against(&check, &Run::new(TIMEOUT), &listener, async |mut stream: TcpStream| {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream.read(&mut [0; 512]).await
    })
    .await;
    fails(&outcome, Reason::Tls);
    assert_eq!(outcome.cause, Some(Cause::PlaintextAnswer));
}

#[tokio::test]
async fn a_server_with_tls_is_not_http() {
    let authority = Authority::new();
    let server = authority.server("127.0.0.1", SystemTime::now() + days(90), &[]);
    let (listener, settings) = listen().await;
    let check = HttpCheck::new(settings).unwrap();
    let outcome = run_against(&check, &Run::new(TIMEOUT), &listener, async |stream: TcpStream| {
        let _ = server.accept(stream).await;
    })
    .await;
    fails(&outcome, Reason::Protocol);
}

#[tokio::test]
async fn a_server_that_never_shakes_hands_is_a_timeout_in_tls() {
    let (listener, mut settings) = listen().await;
    settings.url.set_scheme("https").unwrap();
    let check = HttpCheck::new(settings).unwrap();
    let run = Run::new(TIMEOUT);
    let outcome = run_against(&check, &run, &listener, async |mut stream: TcpStream| {
        stream.read_u8().await.unwrap();
        // It has begun to shake hands: the clock goes on to the time limit.
        tokio::time::pause();
        pending::<()>().await;
    })
    .await;
    fails(&outcome, Reason::Timeout);
    assert_eq!(run.last_phase(), Some(Phase::Tls));
}

/// Runs a check of `service.invalid` through a proxy that answers `CONNECT` with `answer` and then speaks for it.
async fn ask_through_proxy(answer: &str) -> (Outcome, String) {
    let authority = Authority::new();
    let server = authority.server("service.invalid", SystemTime::now() + days(90), &[]);
    let (listener, mut settings) = listen().await;
    settings.proxy = Some(SecretUrl::new(settings.url.clone()));
    settings.url = "https://service.invalid/".parse().unwrap();
    settings.tls.trust = Trust::Known(vec![authority.root.clone()]);
    let tunnel = Mutex::new(String::new());
    let check = HttpCheck::new(settings).unwrap();
    let outcome = run_against(&check, &Run::new(TIMEOUT), &listener, async |mut stream: TcpStream| {
        *tunnel.lock() = request(&mut stream).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
        if let Ok(mut stream) = server.accept(stream).await {
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") && stream.read_buf(&mut asked).await.is_ok_and(|n| n > 0) {}
            let _ = stream.write_all(OK.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    })
    .await;
    (outcome, tunnel.into_inner())
}

#[tokio::test]
async fn a_proxy_opens_a_tunnel() {
    let (outcome, tunnel) = ask_through_proxy("HTTP/1.1 200 OK\r\n\r\n").await;
    passes(&outcome);
    assert!(tunnel.starts_with("CONNECT service.invalid:443 HTTP/1.1\r\n"), "{tunnel}");
    assert!(number(&outcome, &CERTIFICATE_EXPIRY).is_some());
}

#[tokio::test]
async fn a_proxy_that_opens_none_is_told_from_the_server_and_says_why() {
    for (status, reason, cause) in [
        (407, Reason::Auth, Cause::ProxyAuthRequired),
        (403, Reason::Denied, Cause::ProxyRefused),
        (502, Reason::Unreachable, Cause::ProxyCannotConnect),
        (503, Reason::Unreachable, Cause::ProxyCannotConnect),
        (200, Reason::Protocol, Cause::ProxyAnswer),
    ] {
        let more = if status == 200 { "SSH-2.0" } else { "" };
        let answer = format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n{more}");
        let (outcome, _) = ask_through_proxy(&answer).await;
        fails(&outcome, reason);
        assert_eq!(outcome.cause, Some(cause));
        assert_eq!(super::status(&outcome), 0.0);
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_told_from_the_server() {
    let (_closed, address) = net::closed();
    let (listener, mut settings) = listen().await;
    settings.proxy = Some(SecretUrl::new(format!("http://{address}").parse().unwrap()));
    let outcome = HttpCheck::new(settings).unwrap().run(&Run::new(TIMEOUT)).await;
    fails(&outcome, Reason::ConnectionRefused);
    assert_eq!(outcome.cause, Some(Cause::ProxyUnreachable));
    drop(listener);
}

#[tokio::test]
async fn a_proxy_that_wants_credentials_without_a_tunnel_is_told_from_the_server() {
    let through = |settings: &mut Settings| settings.proxy = Some(SecretUrl::new(settings.url.clone()));
    let (outcome, _) = answered(through, &["HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"]).await;
    fails(&outcome, Reason::Auth);
    assert_eq!(outcome.cause, Some(Cause::ProxyAuthRequired));
    assert_eq!(super::status(&outcome), 407.0);
}

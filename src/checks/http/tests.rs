//! The kind against servers that behave and misbehave. The servers speak bytes, so that they can misbehave.

mod answers;
mod configured;
mod failures;
mod redirects;
mod tls;

use std::future::{Future, pending};
use std::time::Duration;

use hyper::header::{HOST, HeaderName, HeaderValue};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::pattern::{Pattern, Place};
use super::settings::{Settings, Verb, Version};
use super::status::{Codes, Statuses};
use super::*;
use crate::config::{OneOrMany, Secret, SecretUrl};
use crate::model::Cause;

const TIMEOUT: Duration = Duration::from_secs(20);
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"status\":\"ok\"}";

/// A listener on a free port of this machine, and the settings that ask it.
async fn listen() -> (TcpListener, Settings) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, Settings::new(format!("http://127.0.0.1:{port}/ping?token=hush").parse().unwrap()))
}

/// Runs the check while `serve` gets one connection after the other.
async fn run_against<F: Future>(
    check: &HttpCheck,
    run: &Run,
    listener: &TcpListener,
    serve: impl Fn(TcpStream) -> F,
) -> Outcome {
    tokio::select! {
        outcome = check.run(run) => outcome,
        () = async {
            loop {
                serve(listener.accept().await.unwrap().0).await;
            }
        } => unreachable!(),
    }
}

/// Reads a request at least to the end of its head.
async fn request(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await.unwrap() == 0 {
            break;
        }
    }
    String::from_utf8(head).unwrap()
}

/// Runs a check against a server that gives these answers, one a connection; also what it was asked.
async fn answered(adapt: impl FnOnce(&mut Settings), answers: &[&str]) -> (Outcome, Vec<String>) {
    let (listener, mut settings) = listen().await;
    adapt(&mut settings);
    let check = HttpCheck::new(settings).unwrap();
    let asked = Mutex::new(Vec::new());
    let outcome = run_against(&check, &Run::new(TIMEOUT), &listener, async |mut stream: TcpStream| {
        let request = request(&mut stream).await;
        let answer = answers[asked.lock().len().min(answers.len() - 1)];
        asked.lock().push(request);
        let _ = stream.write_all(answer.as_bytes()).await;
    })
    .await;
    (outcome, asked.into_inner())
}

/// Lets whatever else runs on this runtime go as far as it can, however slow the machine is.
async fn others() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

fn status(outcome: &Outcome) -> f64 {
    number(outcome, &STATUS_CODE).unwrap()
}

fn number(outcome: &Outcome, definition: &Definition) -> Option<f64> {
    outcome.numbers.iter().find(|number| number.definition.name == definition.name).map(|number| number.value)
}

fn message(outcome: &Outcome) -> &str {
    outcome.message.as_deref().unwrap_or_default()
}

fn passes(outcome: &Outcome) {
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome:?}");
}

fn fails(outcome: &Outcome, reason: Reason) {
    assert_eq!(outcome.verdict, Verdict::Fail(reason), "{outcome:?}");
    assert!(reason == Reason::Timeout || Http.reasons().contains(&reason));
    assert!(!format!("{outcome:?}").contains("hush"), "{outcome:?}");
}

fn phases(run: &Run) -> Vec<Phase> {
    run.phases().into_iter().map(|(phase, _)| phase).collect()
}

#[tokio::test]
async fn asks_once_and_says_who_asks() {
    let (outcome, asked) = answered(|_| (), &[OK]).await;
    passes(&outcome);
    assert_eq!(status(&outcome), 200.0);
    assert_eq!(number(&outcome, &CERTIFICATE_EXPIRY), None);
    assert_eq!(asked.len(), 1);
    assert!(asked[0].starts_with("GET /ping?token=hush HTTP/1.1\r\n"), "{asked:?}");
    assert!(asked[0].contains(concat!("user-agent: vitalsign/", env!("CARGO_PKG_VERSION"))), "{asked:?}");
}

#[tokio::test]
async fn sends_what_it_is_told_to() {
    let (outcome, asked) = answered(
        |settings| {
            settings.method = Verb::Post;
            settings.headers.insert(HeaderName::from_static("x-key"), HeaderValue::from_static("k1"));
            settings.headers.insert(HeaderName::from_static("user-agent"), HeaderValue::from_static("probe"));
            settings.body = Some(Secret::new("{}"));
        },
        &[OK],
    )
    .await;
    passes(&outcome);
    assert!(asked[0].starts_with("POST /ping"), "{asked:?}");
    for line in ["x-key: k1\r\n", "user-agent: probe\r\n", "content-length: 2\r\n"] {
        assert!(asked[0].contains(line), "{asked:?}");
    }
    assert!(!asked[0].contains("vitalsign"), "{asked:?}");
}

#[tokio::test]
async fn judges_the_status() {
    let (outcome, _) = answered(|_| (), &["HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"]).await;
    fails(&outcome, Reason::UnexpectedStatus);
    assert_eq!(message(&outcome), "status 503, expected 2xx");
    assert_eq!(status(&outcome), 503.0);

    let teapot = "HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n";
    let (outcome, _) =
        answered(|s| s.expect.status = Statuses(OneOrMany(vec![Codes::parse("4xx").unwrap()])), &[teapot])
            .await;
    passes(&outcome);
}

#[tokio::test]
async fn judges_headers_and_body() {
    let adapt = |settings: &mut Settings| {
        let length = HeaderName::from_static("content-length");
        settings.expect.header.push((length, Pattern::parse("/^15$/").unwrap()));
        let ok = serde_json::Value::from("ok").into();
        settings.expect.json.push((Place::parse("$.status").unwrap(), ok));
        settings.expect.not_body = Some(Pattern::parse("maintenance").unwrap());
    };
    let (outcome, _) = answered(adapt, &[OK]).await;
    passes(&outcome);

    let down = OK.replace("ok", "no");
    let (outcome, _) = answered(adapt, &[&down]).await;
    fails(&outcome, Reason::UnexpectedBody);
    assert_eq!(message(&outcome), "\"$.status\" is not \"ok\"");
    assert_eq!(status(&outcome), 200.0);

    let html = "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<html></html>..";
    let (outcome, _) = answered(adapt, &[html]).await;
    fails(&outcome, Reason::UnexpectedBody);
    assert_eq!(message(&outcome), "the body is not JSON");
}

#[tokio::test]
async fn measures() {
    let json = "HTTP/1.1 200 OK\r\n\r\n{\"orders\":{\"open\":12}}";
    let measure = |settings: &mut Settings| {
        let name = Name::new("open_orders").unwrap();
        settings.expect.measure.push((name, Place::parse("$.orders.open").unwrap()));
    };
    let (outcome, _) = answered(measure, &[json]).await;
    passes(&outcome);
    assert_eq!(outcome.measurements, [(Name::new("open_orders").unwrap(), 12.0)]);
}

#[tokio::test]
async fn a_connection_is_fresh_unless_it_is_to_be_reused() {
    for (reuse, expected) in [(false, 3), (true, 1)] {
        let (listener, mut settings) = listen().await;
        settings.reuse = reuse;
        let check = HttpCheck::new(settings).unwrap();
        let connections = Mutex::new(0);
        let server = async |mut stream: TcpStream| {
            *connections.lock() += 1;
            while !request(&mut stream).await.is_empty() {
                stream.write_all(OK.as_bytes()).await.unwrap();
            }
        };
        let runs = async {
            for _ in 0..3 {
                passes(&check.run(&Run::new(TIMEOUT)).await);
                others().await;
            }
        };
        tokio::select! {
            () = runs => (),
            () = async { loop { server(listener.accept().await.unwrap().0).await } } => unreachable!(),
        }
        assert_eq!(*connections.lock(), expected, "reuse: {reuse}");
    }
}

#[tokio::test]
async fn goes_through_a_proxy() {
    let (outcome, asked) = answered(
        |settings| {
            let mut proxy = settings.url.clone();
            proxy.set_username("me").unwrap();
            proxy.set_password(Some("hush")).unwrap();
            proxy.set_path("");
            settings.proxy = Some(SecretUrl::new(proxy));
            settings.url = Url::parse("http://service.invalid/ping").unwrap();
        },
        &[OK],
    )
    .await;
    passes(&outcome);
    assert!(asked[0].starts_with("GET http://service.invalid/ping HTTP/1.1\r\n"), "{asked:?}");
    assert!(asked[0].contains("proxy-authorization: Basic "), "{asked:?}");
}

/// Runs a check against a server of version 2 without TLS; also what it was asked.
async fn asked_by_version_2(adapt: impl FnOnce(&mut Settings)) -> (Outcome, hyper::http::request::Parts) {
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let (listener, mut settings) = listen().await;
    settings.version = Version::Http2;
    adapt(&mut settings);
    let check = HttpCheck::new(settings).unwrap();
    let asked = Mutex::new(None);
    let outcome = run_against(&check, &Run::new(TIMEOUT), &listener, async |stream: TcpStream| {
        let service = hyper::service::service_fn(|request: hyper::Request<_>| {
            *asked.lock() = Some(request.into_parts().0);
            async { Ok::<_, hyper::Error>(Response::new(http_body_util::Full::new(Bytes::from("fine")))) }
        });
        let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = server.serve_connection(TokioIo::new(stream), service).await;
    })
    .await;
    (outcome, asked.into_inner().unwrap())
}

#[tokio::test]
async fn speaks_the_version_it_is_told_to() {
    let post = |settings: &mut Settings| {
        settings.method = Verb::Post;
        settings.body = Some(Secret::new("a body"));
        settings.expect.body = Some(Pattern::parse("fine").unwrap());
    };
    let (outcome, asked) = asked_by_version_2(post).await;
    passes(&outcome);
    assert!(outcome.details.contains(&("http_version".into(), "2".into())), "{outcome:?}");
    assert_eq!(asked.headers["content-length"], "6");
    assert_eq!(asked.uri.path_and_query().unwrap(), "/ping?token=hush");
}

#[tokio::test]
async fn a_host_that_is_configured_is_asked_for_in_both_versions() {
    let named = |settings: &mut Settings| {
        settings.headers.insert(HOST, HeaderValue::from_static("shop.example:81"));
    };
    let (outcome, asked) = answered(named, &[OK]).await;
    passes(&outcome);
    assert_eq!(asked[0].matches("host: ").count(), 1, "{asked:?}");
    assert!(asked[0].contains("host: shop.example:81\r\n"), "{asked:?}");

    let (outcome, asked) = asked_by_version_2(named).await;
    passes(&outcome);
    assert_eq!(asked.uri.authority().unwrap(), "shop.example:81");
    assert!(!asked.headers.contains_key("host"), "{asked:?}");
}

#[tokio::test]
async fn tells_its_phases_apart() {
    let (listener, settings) = listen().await;
    let serve = async |mut stream: TcpStream| {
        request(&mut stream).await;
        stream.write_all(OK.as_bytes()).await.unwrap();
    };
    let run = Run::new(TIMEOUT);
    passes(&run_against(&HttpCheck::new(settings).unwrap(), &run, &listener, serve).await);
    assert_eq!(phases(&run), [Phase::Connect, Phase::Request]);

    let port = listener.local_addr().unwrap().port();
    let mut settings = Settings::new(format!("http://localhost:{port}/").parse().unwrap());
    settings.expect.body = Some(Pattern::parse("ok").unwrap());
    let run = Run::new(TIMEOUT);
    passes(&run_against(&HttpCheck::new(settings).unwrap(), &run, &listener, serve).await);
    assert_eq!(phases(&run), [Phase::Resolve, Phase::Connect, Phase::Request, Phase::Transfer]);
}

#[test]
fn every_address_can_be_asked_or_is_refused() {
    for url in ["http://[::1]:80/", "https://user:hush@example.org/", "http://xn--bcher-kva.example/"] {
        assert!(HttpCheck::new(Settings::new(url.parse().unwrap())).is_ok(), "{url}");
    }
}

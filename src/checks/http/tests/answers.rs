//! Answers that are well, but not as one would write them oneself.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

/// Runs a check that wants `ok` at `$.status` against a server that answers with this head and body.
async fn wants_ok(head: &str, body: &[u8]) -> Outcome {
    let (listener, mut settings) = listen().await;
    let ok = serde_json::Value::from("ok").into();
    settings.expect.json.push((Place::parse("$.status").unwrap(), ok));
    let check = HttpCheck::new(settings).unwrap();
    let answer =
        [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{head}\r\n", body.len()).as_bytes(), body]
            .concat();
    run_against(&check, &Run::new(TIMEOUT), &listener, async |mut stream: TcpStream| {
        assert!(!request(&mut stream).await.contains("accept-encoding"));
        let _ = stream.write_all(&answer).await;
    })
    .await
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn an_answer_may_be_packed_though_nobody_asked_for_it() {
    passes(&wants_ok("Content-Encoding: gzip\r\n", &gzip(b"{\"status\":\"ok\"}")).await);
    let outcome = wants_ok("Content-Encoding: br\r\n", b"whatever").await;
    fails(&outcome, Reason::UnexpectedBody);
    assert_eq!(outcome.cause, Some(Cause::UnknownEncoding));
    assert!(outcome.details.contains(&("status".into(), 200_u32.into())), "{outcome:?}");
    // Four megabytes in four kilobytes.
    let outcome = wants_ok("Content-Encoding: gzip\r\n", &gzip(&vec![b' '; 4 << 20])).await;
    fails(&outcome, Reason::UnexpectedBody);
    assert_eq!(outcome.cause, Some(Cause::BodyTooLong));
}

#[tokio::test]
async fn an_answer_may_begin_with_a_byte_order_mark() {
    passes(&wants_ok("", b"\xEF\xBB\xBF{\"status\":\"ok\"}").await);
}

#[tokio::test]
async fn an_answer_may_have_hundreds_of_headers() {
    let head: String =
        (0..500).map(|n| format!("x-trace-{n}: 0123456789abcdef0123456789abcdef\r\n")).collect();
    passes(&wants_ok(&head, b"{\"status\":\"ok\"}").await);
    let outcome = wants_ok(&head.repeat(10), b"{\"status\":\"ok\"}").await;
    fails(&outcome, Reason::Protocol);
    assert_eq!(outcome.cause, Some(Cause::HeadTooLarge));
}

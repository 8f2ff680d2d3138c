//! Servers that refuse, hang, lie or break off.

use super::*;

/// Runs a check with this limit against `serve`.
async fn misbehaves<F: Future>(
    adapt: impl FnOnce(&mut Settings),
    timeout: Duration,
    serve: impl Fn(TcpStream) -> F,
) -> (Outcome, Run) {
    let (listener, mut settings) = listen().await;
    adapt(&mut settings);
    let run = Run::new(timeout);
    let outcome = run_against(&HttpCheck::new(settings).unwrap(), &run, &listener, serve).await;
    (outcome, run)
}

fn wants_ok(settings: &mut Settings) {
    settings.expect.body = Some(Pattern::parse("ok").unwrap());
}

#[tokio::test]
async fn nothing_listens() {
    let (_listener, mut settings) = listen().await;
    let (_closed, address) = net::closed();
    settings.url.set_port(Some(address.port())).unwrap();
    let outcome = HttpCheck::new(settings).unwrap().run(&Run::new(TIMEOUT)).await;
    fails(&outcome, Reason::ConnectionRefused);
    assert_eq!(status(&outcome), 0.0);
}

#[tokio::test]
async fn nobody_knows_the_name() {
    let settings = Settings::new(Url::parse("http://no-such-host.invalid/?token=hush").unwrap());
    let run = Run::new(Duration::from_secs(60));
    let outcome = HttpCheck::new(settings).unwrap().run(&run).await;
    fails(&outcome, Reason::Dns);
    assert!(phases(&run).contains(&Phase::Resolve));
}

#[tokio::test]
async fn a_server_that_never_answers_is_a_timeout_without_status() {
    let serve = async |mut stream: TcpStream| {
        request(&mut stream).await;
        // Nothing can happen any more: the clock goes on to the time limit.
        tokio::time::pause();
        pending::<()>().await;
    };
    let (outcome, run) = misbehaves(|_| (), TIMEOUT, serve).await;
    fails(&outcome, Reason::Timeout);
    assert_eq!(status(&outcome), 0.0);
    assert_eq!(run.last_phase(), Some(Phase::Request));
}

#[tokio::test]
async fn a_dropped_run_closes_its_connection() {
    let (listener, settings) = listen().await;
    let check = HttpCheck::new(settings).unwrap();
    let run = Run::new(TIMEOUT);
    let mut stream = tokio::select! {
        _ = check.run(&run) => unreachable!(),
        stream = async {
            let mut stream = listener.accept().await.unwrap().0;
            request(&mut stream).await;
            stream
        } => stream,
    };
    let ended = tokio::time::timeout(TIMEOUT, stream.read(&mut [0; 8])).await;
    assert_eq!(ended.unwrap().unwrap_or(0), 0);
}

#[tokio::test]
async fn a_slow_body_is_a_timeout_with_status() {
    let serve = async |mut stream: TcpStream| {
        request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n").await.unwrap();
        while stream.write_all(b".").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let (outcome, run) = misbehaves(wants_ok, Duration::from_secs(2), serve).await;
    fails(&outcome, Reason::Timeout);
    assert_eq!(status(&outcome), 200.0);
    assert_eq!(run.last_phase(), Some(Phase::Transfer));
}

#[tokio::test]
async fn a_body_that_nobody_looks_at_is_not_waited_for() {
    let serve = async |mut stream: TcpStream| {
        request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n").await.unwrap();
        pending::<()>().await;
    };
    let (outcome, _) = misbehaves(|_| (), TIMEOUT, serve).await;
    passes(&outcome);
}

#[tokio::test]
async fn a_huge_body_is_bounded() {
    let small = |settings: &mut Settings| {
        wants_ok(settings);
        settings.max_body = 10_000;
    };
    let announced = async |mut stream: TcpStream| {
        request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10001\r\n\r\n").await.unwrap();
        pending::<()>().await;
    };
    let (outcome, _) = misbehaves(small, TIMEOUT, announced).await;
    fails(&outcome, Reason::UnexpectedBody);
    assert_eq!(message(&outcome), "the body is longer than 10000 bytes");

    let endless = async |mut stream: TcpStream| {
        request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        while stream.write_all(&[b'.'; 4096]).await.is_ok() {}
    };
    let (outcome, _) = misbehaves(small, TIMEOUT, endless).await;
    fails(&outcome, Reason::UnexpectedBody);
}

#[tokio::test]
async fn what_is_not_http_is_a_breach_of_protocol() {
    for garbage in ["SSH-2.0-OpenSSH_9.2\r\n\r\n", "\0\u{1}\u{2}\u{3}\r\n\r\n", "HTTP/1.1 abc\r\n\r\n"] {
        let (outcome, _) = answered(|_| (), &[garbage]).await;
        fails(&outcome, Reason::Protocol);
        assert_eq!(status(&outcome), 0.0);
    }
}

#[tokio::test]
async fn headers_without_end_are_bounded() {
    let serve = async |mut stream: TcpStream| {
        request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
        while stream.write_all(b"x: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n").await.is_ok() {}
    };
    let (outcome, _) = misbehaves(|_| (), TIMEOUT, serve).await;
    fails(&outcome, Reason::Protocol);
}

#[tokio::test]
async fn closing_without_an_answer_is_a_reset() {
    let (outcome, _) = answered(|_| (), &[""]).await;
    fails(&outcome, Reason::ConnectionReset);
}

#[tokio::test]
async fn breaking_off_is_a_reset() {
    let reset = async |mut stream: TcpStream| {
        request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok").await.unwrap();
        others().await;
        stream.set_zero_linger().unwrap();
    };
    let (outcome, _) = misbehaves(wants_ok, TIMEOUT, reset).await;
    fails(&outcome, Reason::ConnectionReset);
    assert_eq!(status(&outcome), 200.0);

    let (outcome, _) = answered(wants_ok, &["HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok"]).await;
    fails(&outcome, Reason::ConnectionReset);
}

#[tokio::test]
async fn a_broken_chunk_is_a_breach_of_protocol() {
    let broken = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok";
    let (outcome, _) = answered(wants_ok, &[broken]).await;
    fails(&outcome, Reason::Protocol);
}

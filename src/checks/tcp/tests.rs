//! The kind against listeners that behave and misbehave.

use std::future::Future;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::model::Verdict;

const TIMEOUT: Duration = Duration::from_secs(20);

fn check(port: u16, send: Option<&str>, expect: Option<&str>) -> TcpCheck {
    TcpCheck {
        address: Address { host: "127.0.0.1".to_owned(), port },
        send: send.map(Secret::new),
        expect: expect.map(str::to_owned),
    }
}

/// Runs the check against `serve`, which gets the one connection.
async fn against<F: Future>(
    send: Option<&str>,
    expect: Option<&str>,
    timeout: Duration,
    serve: impl FnOnce(TcpStream) -> F,
) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let check = check(listener.local_addr().unwrap().port(), send, expect);
    let run = Run::new(timeout);
    let server = async {
        let (stream, _) = listener.accept().await.unwrap();
        serve(stream).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        outcome = check.run(&run) => outcome,
        () = server => unreachable!(),
    }
}

/// Waits until the other side has read what was written to `stream`: until neither end's queue holds anything.
async fn taken(stream: &TcpStream) {
    let hex = |address: std::net::SocketAddr| format!(":{:04X} ", address.port());
    let (here, there) = (hex(stream.local_addr().unwrap()), hex(stream.peer_addr().unwrap()));
    let is_taken = || {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let mut ends = table.lines().filter(|line| line.contains(&here) && line.contains(&there));
        ends.all(|line| line.contains(" 00000000:00000000 "))
    };
    while !is_taken() {
        tokio::task::yield_now().await;
    }
}

/// The greeting of a MariaDB server.
const MARIADB: &[u8] = b"d\0\0\0\n5.5.5-10.11.19-MariaDB-0+deb12u1\0\x04\0\0\0-}Q\\Y-qs\0\xfe\xf7\x08\x02\0\xff\x81\x15\0\0\0\0\0\0\x1d\0\0\0oT6Mc+Iotwz|\0mysql_native_password\0";

fn fails(outcome: &Outcome, reason: Reason) {
    assert_eq!(outcome.verdict, Verdict::Fail(reason), "{outcome:?}");
    assert!(reason == Reason::Timeout || REASONS.contains(&reason));
}

#[tokio::test]
async fn an_open_port_is_enough() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let outcome = check(listener.local_addr().unwrap().port(), None, None).run(&Run::new(TIMEOUT)).await;
    assert_eq!(outcome.verdict, Verdict::Pass);
}

/// Writes `banner`, and says what the client does then: it should end its side, and not reset the connection.
async fn treated(banner: &[u8], expect: Option<&str>) -> (Outcome, io::Result<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let check = check(listener.local_addr().unwrap().port(), None, expect);
    let run = Run::new(TIMEOUT);
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(banner).await.unwrap();
        let end = stream.read(&mut [0; 8]).await;
        // What was written after the client had gone is answered by a reset.
        let _ = stream.write_all(banner).await;
        let reset = stream.take_error().unwrap();
        reset.map_or(end, Err)
    };
    tokio::join!(check.run(&run), server)
}

#[tokio::test]
async fn a_banner_that_nobody_asked_for_resets_no_connection() {
    for (banner, expect) in
        [(&b"220 mail ESMTP\r\n"[..], None), (b"220 mail ESMTP\r\n250 more\r\n", Some("220"))]
    {
        let (outcome, end) = treated(banner, expect).await;
        assert_eq!(outcome.verdict, Verdict::Pass, "{outcome:?}");
        assert_eq!(end.unwrap(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_end_its_side_makes_no_slow_run() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    for (timeout, wait) in [(TIMEOUT, PARTING.1), (PARTING.0, PARTING.0 / 2)] {
        let run = Run::new(timeout);
        let outcome = check(listener.local_addr().unwrap().port(), None, None).run(&run).await;
        assert_eq!(outcome.verdict, Verdict::Pass);
        assert!(run.took().unwrap() < PARTING.0, "{:?}", run.took());
        let left = run.deadline() - tokio::time::Instant::now();
        assert!(left + wait >= timeout, "it waited too long: {left:?} of {timeout:?} are left");
    }
}

#[tokio::test]
async fn a_server_that_counts_it_as_an_error_is_recognised() {
    for expect in [None, Some("MariaDB")] {
        let outcome = against(None, expect, TIMEOUT, async |mut stream: TcpStream| {
            stream.write_all(MARIADB).await.unwrap();
        });
        let outcome = outcome.await;
        assert_eq!(outcome.verdict, Verdict::Pass);
        assert!(outcome.advice.unwrap().contains("connection error"), "{outcome:?}");
    }
    let other = against(None, None, TIMEOUT, async |mut stream: TcpStream| {
        stream.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n").await.unwrap();
    });
    assert_eq!(other.await.advice, None);
}

#[tokio::test]
async fn a_server_that_has_locked_us_out_is_never_green() {
    for expect in [None, Some("MariaDB")] {
        let outcome = against(None, expect, TIMEOUT, async |mut stream: TcpStream| {
            stream.write_all(b"j\0\0\0\xffi\x04Host '192.0.2.2' is blocked because of many connection errors; unblock with 'mariadb-admin flush-hosts'").await.unwrap();
        });
        fails(&outcome.await, Reason::Denied);
    }
}

#[tokio::test]
async fn a_closed_port_refuses() {
    let (_closed, address) = net::closed();
    let outcome = check(address.port(), None, None).run(&Run::new(TIMEOUT)).await;
    fails(&outcome, Reason::ConnectionRefused);
}

#[tokio::test]
async fn a_banner_may_come_in_pieces() {
    let outcome = against(None, Some("ESMTP"), TIMEOUT, async |mut stream: TcpStream| {
        stream.write_all(b"220 mail ES").await.unwrap();
        taken(&stream).await;
        stream.write_all(b"MTP ready\r\n").await.unwrap();
        stream
    });
    assert_eq!(outcome.await.verdict, Verdict::Pass);
}

#[tokio::test]
async fn what_is_sent_is_answered() {
    let outcome = against(Some("PING\r\n"), Some("+PONG"), TIMEOUT, async |mut stream: TcpStream| {
        let mut line = [0; 6];
        stream.read_exact(&mut line).await.unwrap();
        assert_eq!(&line, b"PING\r\n");
        stream.write_all(b"+PONG\r\n").await.unwrap();
        stream
    });
    assert_eq!(outcome.await.verdict, Verdict::Pass);
}

#[tokio::test]
async fn another_banner_is_unexpected() {
    let outcome = against(None, Some("220 "), TIMEOUT, async |mut stream: TcpStream| {
        stream.write_all(b"421 go away\r\n").await.unwrap();
    });
    let outcome = outcome.await;
    fails(&outcome, Reason::UnexpectedBody);
    assert_eq!(outcome.message.as_deref(), Some("the answer does not contain \"220 \""));
}

#[tokio::test]
async fn another_banner_without_an_end_is_unexpected_too() {
    let outcome = against(None, Some("220 "), Duration::from_secs(2), async |mut stream: TcpStream| {
        stream.write_all(b"421 wait\r\n").await.unwrap();
        std::mem::forget(stream);
    });
    fails(&outcome.await, Reason::UnexpectedBody);
}

#[tokio::test]
async fn an_endless_answer_is_bounded() {
    let outcome =
        against(
            None,
            Some("220 "),
            TIMEOUT,
            async |mut stream: TcpStream| {
                while stream.write_all(&[b'x'; 1024]).await.is_ok() {}
            },
        );
    fails(&outcome.await, Reason::UnexpectedBody);
}

#[tokio::test]
async fn silence_is_a_timeout() {
    let outcome = against(None, Some("220 "), Duration::from_millis(150), async |stream: TcpStream| {
        std::mem::forget(stream);
    });
    fails(&outcome.await, Reason::Timeout);
}

#[tokio::test]
async fn closing_without_a_word_is_a_reset() {
    let outcome = against(None, Some("220 "), TIMEOUT, async |stream: TcpStream| {
        drop(stream);
    });
    fails(&outcome.await, Reason::ConnectionReset);
}

#[tokio::test]
async fn a_dropped_run_closes_its_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let check = check(listener.local_addr().unwrap().port(), None, Some("220 "));
    let run = Run::new(TIMEOUT);
    let accepted = tokio::select! {
        _ = check.run(&run) => unreachable!(),
        accepted = async {
            let accepted = listener.accept().await.unwrap().0;
            while run.last_phase() != Some(Phase::Request) {
                tokio::task::yield_now().await;
            }
            accepted
        } => accepted,
    };
    let mut accepted = accepted;
    let ended = tokio::time::timeout(TIMEOUT, accepted.read(&mut [0; 8])).await;
    assert_eq!(ended.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn an_unknown_host_is_dns() {
    let mut check = check(80, None, None);
    check.address.host = "no-such-host.invalid".to_owned();
    fails(&check.run(&Run::new(Duration::from_secs(60))).await, Reason::Dns);
}

#[test]
fn settings_are_read_and_problems_told() {
    use crate::config::Document;
    let build = |yaml: &str| Document::parse("t", yaml, &|_: &str| None).read(|fields| Tcp.build(fields));
    let (built, _) = build(Tcp.example()).unwrap();
    let target = built.unwrap().target;
    assert_eq!((target.address.as_deref(), target.port), (Some("mail.internal"), Some(25)));

    let warnings = |address: &str| build(&format!("address: {address}\n")).unwrap().1.warnings().concat();
    assert_eq!(warnings("mail.internal:25"), "");
    assert!(warnings("db.internal:3306").contains("t:1:10: address: each run counts as a connection error"));

    let problems = build("address: mail.internal\nsend: hush\nexpect: \"\"\n").err().unwrap().to_string();
    assert!(problems.contains("write it as host:port"), "{problems}");
    assert!(problems.contains("a text of 1 to 4096 bytes"), "{problems}");
    assert!(!problems.contains("hush"), "{problems}");
}

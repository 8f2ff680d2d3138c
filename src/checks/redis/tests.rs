//! The kind against servers that answer PING and do as they like with the rest.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::config::Document;

/// Runs the kind with these settings against a server that gives each command the next of `answers`; it ends the
/// connection where there is none left, or says nothing more where `hangs`.
async fn answered(settings: &str, answers: &[&str], hangs: bool) -> (Outcome, Duration) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let yaml = format!("url: redis://:x@{}\n{settings}", listener.local_addr().unwrap());
    let built = Document::parse("t", yaml, &|_: &str| None).read(|fields| Redis.build(fields));
    let crate::checks::Asking::Async(check) = built.unwrap().0.unwrap().probe.0 else { panic!("it blocks") };
    let run = Run::new(Duration::from_secs(20));
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        for answer in answers {
            let _ = stream.read(&mut [0; 1024]).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        if hangs && stream.read(&mut [0; 1024]).await.unwrap() > 0 {
            tokio::time::pause();
            std::future::pending::<()>().await;
        }
        drop(stream);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        outcome = check.start(&run) => (outcome, run.deadline().saturating_duration_since(tokio::time::Instant::now())),
        () = server => unreachable!(),
    }
}

#[tokio::test]
async fn a_server_that_answers_ping_is_up_whatever_becomes_of_info() {
    let (ok, pong) = ("+OK\r\n", "+PONG\r\n");
    for info in
        ["-ERR unknown command\r\n", "-NOPERM no\r\n", "-LOADING wait\r\n", ":1\r\n", "*1\r\n:1\r\n", "?\r\n"]
    {
        let (outcome, _) = answered("", &[ok, pong, info], false).await;
        assert_eq!(outcome.verdict, Verdict::Pass, "{info:?}: {outcome:?}");
        assert!(outcome.measurements.is_empty(), "{info:?}: {outcome:?}");
    }
    for hangs in [false, true] {
        let (outcome, left) = answered("", &[ok, pong], hangs).await;
        assert_eq!(outcome.verdict, Verdict::Pass, "{outcome:?}");
        assert!(!left.is_zero(), "it was too late");
    }
}

#[tokio::test]
async fn what_is_to_be_measured_is_not_lost_with_info() {
    let list = ["+OK\r\n", "+PONG\r\n", "+list\r\n", ":3\r\n"];
    let (outcome, _) = answered("lengths: { jobs: jobs }", &list, false).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome:?}");
    assert_eq!(outcome.measurements[0].1, 3.0);
}

#[tokio::test]
async fn the_words_of_servers_old_and_new_about_credentials_are_understood() {
    for (words, cause) in [
        ("-ERR invalid password\r\n", Cause::WrongPassword),
        ("-WRONGPASS invalid username-password pair or user is disabled.\r\n", Cause::WrongPassword),
        ("-ERR Client sent AUTH, but no password is set\r\n", Cause::PasswordNotWanted),
    ] {
        let (outcome, _) = answered("", &[words], true).await;
        assert_eq!(
            (outcome.verdict, outcome.cause),
            (Verdict::Fail(Reason::Auth), Some(cause)),
            "{outcome:?}"
        );
    }
}

//! The kind against brokers that behave and misbehave. They speak bytes, so that they can misbehave.

mod configured;
mod refusals;
mod tls;

use std::future::{Future, pending};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::frame::{HEADER, Writer, method};
use super::*;
use crate::checks::tls::settings::Settings as Tls;
use crate::model::{Cause, Verdict};

const TIMEOUT: Duration = Duration::from_secs(20);

/// A listener on a free port of this machine, and the settings that ask it for a queue.
async fn listen() -> (TcpListener, Settings) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = Url::parse(&format!("amqp://me:hush@127.0.0.1:{port}/shop")).unwrap();
    let settings = Settings::from_url(&url, None, &Tls::default()).ok().unwrap();
    (listener, Settings { queue: Some("jobs".to_owned()), ..settings })
}

/// Runs the check while `serve` gets its one connection.
async fn run_against<F: Future>(
    check: &AmqpCheck,
    run: &Run,
    listener: &TcpListener,
    serve: impl FnOnce(TcpStream) -> F,
) -> Outcome {
    let server = async {
        let (stream, _) = listener.accept().await.unwrap();
        serve(stream).await;
        pending::<()>().await;
    };
    tokio::select! {
        outcome = check.run(run) => outcome,
        () = server => unreachable!(),
    }
}

/// Answers each thing that the client sends with the next of `answers`, then ends the connection; also what it sent.
async fn answered(adapt: impl FnOnce(&mut Settings), answers: &[Vec<u8>]) -> (Outcome, Vec<Vec<u8>>) {
    let (listener, mut settings) = listen().await;
    adapt(&mut settings);
    let mut said = Vec::new();
    let outcome =
        run_against(&AmqpCheck { settings }, &Run::new(TIMEOUT), &listener, async |mut stream: TcpStream| {
            for answer in answers {
                let mut bytes = vec![0; 4096];
                let length = stream.read(&mut bytes).await.unwrap();
                bytes.truncate(length);
                said.push(bytes);
                let _ = stream.write_all(answer).await;
            }
        })
        .await;
    (outcome, said)
}

fn start() -> Vec<u8> {
    start_of(&Writer::new())
}

/// The greeting of a broker with these capabilities.
fn start_of(capabilities: &Writer) -> Vec<u8> {
    let properties = Writer::new().short_text("product").octet(b'S').long_text("RabbitMQ");
    let properties = properties.short_text("capabilities").octet(b'F').table(capabilities);
    let fields = Writer::new().octet(0).octet(9).table(&properties);
    method(0, (10, 10), &fields.long_text("PLAIN AMQPLAIN").long_text("en_US"))
}

fn tune() -> Vec<u8> {
    method(0, (10, 30), &Writer::new().word(2047).long(131_072).word(60))
}

fn open_ok() -> Vec<u8> {
    method(0, (10, 41), &Writer::new().short_text(""))
}

fn channel_open_ok() -> Vec<u8> {
    method(1, (20, 11), &Writer::new().long_text(""))
}

fn declare_ok(messages: u32, consumers: u32) -> Vec<u8> {
    method(1, (50, 11), &Writer::new().short_text("jobs").long(messages).long(consumers))
}

fn close_ok() -> Vec<u8> {
    method(0, (10, 51), &Writer::new())
}

/// What a broker answers to a run that goes well.
fn well() -> Vec<Vec<u8>> {
    vec![start(), tune(), open_ok(), channel_open_ok(), declare_ok(42, 3), close_ok()]
}

fn passes(outcome: &Outcome) {
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome:?}");
}

#[track_caller]
fn fails(outcome: &Outcome, reason: Reason) {
    assert_eq!(outcome.verdict, Verdict::Fail(reason), "{outcome:?}");
    assert!(reason == Reason::Timeout || Amqp.reasons().contains(&reason));
    assert!(!format!("{outcome:?}").contains("hush"), "{outcome:?}");
}

fn phases(run: &Run) -> Vec<Phase> {
    run.phases().into_iter().map(|(phase, _)| phase).collect()
}

fn measured(outcome: &Outcome) -> Vec<(&str, f64)> {
    outcome.measurements.iter().map(|(name, value)| (name.as_str(), *value)).collect()
}

#[tokio::test]
async fn measures_a_queue_and_says_good_bye() {
    let (outcome, said) = answered(|_| (), &well()).await;
    passes(&outcome);
    assert_eq!(measured(&outcome), [("messages", 42.0), ("consumers", 3.0)]);
    let numbers: Vec<_> = outcome.numbers.iter().map(|n| (n.definition.name, n.value)).collect();
    assert_eq!(numbers, [("healthcheck.queue.messages", 42.0), ("healthcheck.queue.consumers", 3.0)]);
    assert_eq!(outcome.numbers[0].attributes, ["rabbitmq", "jobs"]);

    assert_eq!(said[0], HEADER);
    let has = |said: &[u8], text: &[u8]| said.windows(text.len()).any(|part| part == text);
    for text in [
        "\0me\0hush",
        "vitalsign",
        env!("CARGO_PKG_VERSION"),
        "authentication_failure_close",
        "connection.blocked",
    ] {
        assert!(has(&said[1], text.as_bytes()), "{text:?}");
    }
    assert!(has(&said[2], b"\x00\x0a\x00\x28\x04shop"), "{:?}", said[2]);
    assert_eq!(said[5], method::close());
}

#[tokio::test]
async fn without_a_queue_no_channel_is_opened() {
    let answers = [start(), tune(), open_ok(), close_ok()];
    let (outcome, said) = answered(|settings| settings.queue = None, &answers).await;
    passes(&outcome);
    assert!(measured(&outcome).is_empty() && outcome.numbers.is_empty());
    assert_eq!(said[3], method::close());
}

/// The greeting of a broker that tells of its alarms.
fn telling_start() -> Vec<u8> {
    start_of(&Writer::new().short_text("connection.blocked").octet(b't').octet(1))
}

#[tokio::test]
async fn a_broker_that_tells_of_alarms_is_asked_whether_it_takes_messages() {
    let answers = [telling_start(), tune(), open_ok(), channel_open_ok(), close_ok()];
    let (outcome, said) = answered(|settings| settings.queue = None, &answers).await;
    passes(&outcome);
    assert_eq!(measured(&outcome), [("alarm", 0.0)]);
    assert_eq!(said[4], [method::begin_publish(), method::close()].concat());
}

#[tokio::test]
async fn a_broker_that_takes_no_messages_is_a_warning_and_its_queue_is_measured() {
    for (words, cause) in [
        ("low on memory", Cause::MemoryAlarm),
        ("low on disk", Cause::DiskAlarm),
        ("low on sleep", Cause::ResourceAlarm),
    ] {
        let mut answers = well();
        (answers[0], answers[5]) = (telling_start(), method(0, (10, 60), &Writer::new().short_text(words)));
        let (outcome, _) = answered(|_| (), &answers).await;
        assert_eq!((outcome.verdict, outcome.cause), (Verdict::Warn(Reason::Other), Some(cause)));
        assert_eq!(measured(&outcome), [("messages", 42.0), ("consumers", 3.0), ("alarm", 1.0)]);
        assert_eq!(outcome.numbers.len(), 2);
    }
}

#[tokio::test]
async fn what_a_broker_says_between_is_passed_over() {
    let heartbeat = b"\x08\x00\x00\x00\x00\x00\x00\xce".to_vec();
    let blocked = method(0, (10, 60), &Writer::new().short_text("low on memory"));
    let unblocked = method(0, (10, 61), &Writer::new());
    let answers = well().into_iter().map(|answer| [&heartbeat[..], &blocked, &unblocked, &answer].concat());
    let (outcome, _) = answered(|_| (), &answers.collect::<Vec<_>>()).await;
    passes(&outcome);
    assert_eq!(measured(&outcome), [("messages", 42.0), ("consumers", 3.0)]);
}

#[tokio::test]
async fn a_frame_may_come_byte_by_byte() {
    let (listener, settings) = listen().await;
    let outcome =
        run_against(&AmqpCheck { settings }, &Run::new(TIMEOUT), &listener, async |mut stream: TcpStream| {
            stream.set_nodelay(true).unwrap();
            for answer in well() {
                let _ = stream.read(&mut [0; 4096]).await.unwrap();
                for byte in answer {
                    stream.write_all(&[byte]).await.unwrap();
                    tokio::task::yield_now().await;
                }
            }
        })
        .await;
    passes(&outcome);
}

#[tokio::test]
async fn the_answer_stands_whatever_becomes_of_the_good_bye() {
    let mut answers = well();
    answers.pop();
    let (outcome, _) = answered(|_| (), &answers).await;
    passes(&outcome);

    let (listener, settings) = listen().await;
    let run = Run::new(TIMEOUT);
    let outcome = run_against(&AmqpCheck { settings }, &run, &listener, async |mut stream: TcpStream| {
        for answer in &answers {
            let _ = stream.read(&mut [0; 4096]).await.unwrap();
            stream.write_all(answer).await.unwrap();
        }
        let _ = stream.read(&mut [0; 4096]).await.unwrap();
        // It has said good-bye: the clock goes on to where the client waits no longer for an answer.
        tokio::time::pause();
        pending::<()>().await;
    })
    .await;
    passes(&outcome);
    assert!(tokio::time::Instant::now() < run.deadline());
}

#[tokio::test]
async fn tells_its_phases_apart() {
    let (listener, settings) = listen().await;
    let run = Run::new(TIMEOUT);
    let outcome = run_against(&AmqpCheck { settings }, &run, &listener, async |mut stream: TcpStream| {
        for answer in well() {
            let _ = stream.read(&mut [0; 4096]).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        }
    })
    .await;
    passes(&outcome);
    assert_eq!(phases(&run), [Phase::Connect, Phase::Auth, Phase::Request]);
}

#[tokio::test]
async fn a_silent_peer_is_left_in_the_phase_that_took_too_long() {
    let (listener, settings) = listen().await;
    let run = Run::new(TIMEOUT);
    let check = AmqpCheck { settings };
    let heard = tokio::sync::Notify::new();
    let asked = run_against(&check, &run, &listener, async |mut stream: TcpStream| {
        stream.read_exact(&mut [0; HEADER.len()]).await.unwrap();
        heard.notify_one();
        pending::<()>().await;
    });
    tokio::select! {
        outcome = asked => panic!("{outcome:?}"),
        () = heard.notified() => {}
    }
    assert_eq!(run.last_phase(), Some(Phase::Auth));
}

#[tokio::test]
async fn nobody_there_is_refused() {
    let (_listener, mut settings) = listen().await;
    let (_closed, address) = net::closed();
    settings.address.port = address.port();
    let outcome = AmqpCheck { settings }.run(&Run::new(TIMEOUT)).await;
    fails(&outcome, Reason::ConnectionRefused);
}

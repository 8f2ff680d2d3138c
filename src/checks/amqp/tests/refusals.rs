//! Brokers that refuse, go away, or are none.

use super::*;

fn refused(channel: u16, number: (u16, u16), code: u16, text: &str) -> Vec<u8> {
    method(channel, number, &Writer::new().word(code).short_text(text).word(0).word(0))
}

/// The end of the connection.
fn closed(code: u16, text: &str) -> Vec<u8> {
    refused(0, (10, 50), code, text)
}

/// The outcome of a run that goes well up to `answers` answers and then gets `last`.
async fn ends(answers: usize, last: Vec<u8>) -> Outcome {
    let mut all = well();
    all.truncate(answers);
    all.push(last);
    answered(|_| (), &all).await.0
}

#[tokio::test]
async fn refused_credentials_are_auth() {
    let outcome = ends(1, closed(403, "ACCESS_REFUSED - Login was refused using PLAIN for me")).await;
    fails(&outcome, Reason::Auth);
    assert_eq!(outcome.cause, Some(Cause::AmqpReply(403)));
    assert!(outcome.driver.unwrap().contains("403 ACCESS_REFUSED"));
    fails(&ends(1, Vec::new()).await, Reason::Auth);
}

#[tokio::test]
async fn a_virtual_host_may_be_missing_or_refused() {
    let outcome = ends(2, closed(530, "NOT_ALLOWED - vhost shop not found")).await;
    fails(&outcome, Reason::NotFound);
    let outcome = ends(2, closed(530, "NOT_ALLOWED - access to vhost 'shop' refused for user 'me'")).await;
    fails(&outcome, Reason::Denied);
}

#[tokio::test]
async fn a_missing_queue_ends_the_channel_and_then_the_connection() {
    let missing = refused(1, (20, 40), 404, "NOT_FOUND - no queue 'jobs' in vhost 'shop'");
    let mut answers = well();
    answers.truncate(4);
    answers.extend([missing, close_ok()]);
    let (outcome, said) = answered(|_| (), &answers).await;
    fails(&outcome, Reason::NotFound);
    assert_eq!(outcome.cause, Some(Cause::NoSuchQueue));
    let said = said.concat();
    let good_bye = [method::channel_close_ok(), method::close()].concat();
    assert!(said.ends_with(&good_bye) || said.ends_with(&method::channel_close_ok()), "{said:?}");
}

#[tokio::test]
async fn a_refused_queue_is_denied() {
    fails(&ends(4, refused(1, (20, 40), 403, "ACCESS_REFUSED")).await, Reason::Denied);
    fails(&ends(4, refused(1, (20, 40), 405, "RESOURCE_LOCKED")).await, Reason::Denied);
}

#[tokio::test]
async fn a_broker_that_stops_is_a_reset() {
    for answers in 1..=4 {
        fails(&ends(answers, closed(320, "CONNECTION_FORCED - shutdown")).await, Reason::ConnectionReset);
    }
    for answers in [0, 2, 3, 4] {
        fails(&ends(answers, Vec::new()).await, Reason::ConnectionReset);
    }
}

#[tokio::test]
async fn a_peer_that_is_no_broker_is_protocol() {
    let outcome = ends(0, b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()).await;
    fails(&outcome, Reason::Protocol);
    assert_eq!(outcome.cause, Some(Cause::NotAmqp));
    let outcome = ends(0, b"AMQP\x03\x01\x00\x00".to_vec()).await;
    fails(&outcome, Reason::Protocol);
    assert_eq!(outcome.cause, Some(Cause::AmqpVersion));
    let start = Writer::new().octet(0).octet(8).table(&Writer::new()).long_text("PLAIN");
    fails(&ends(0, method(0, (10, 10), &start)).await, Reason::Protocol);
}

#[tokio::test]
async fn a_broker_that_takes_no_password_is_auth() {
    let start = Writer::new().octet(0).octet(9).table(&Writer::new()).long_text("EXTERNAL");
    let outcome = ends(0, method(0, (10, 10), &start)).await;
    fails(&outcome, Reason::Auth);
    assert_eq!(outcome.cause, Some(Cause::PasswordNotAccepted));
}

#[tokio::test]
async fn answers_in_the_wrong_place_are_protocol() {
    for answers in 0..=4 {
        fails(&ends(answers, method(0, (10, 20), &Writer::new().long_text(""))).await, Reason::Protocol);
        fails(&ends(answers, b"\x03\x00\x01\x00\x00\x00\x00\xce".to_vec()).await, Reason::Protocol);
        fails(&ends(answers, b"\x01\x00\x01\x00\x00\x00\x00\x00".to_vec()).await, Reason::Protocol);
        fails(&ends(answers, b"\x01\x00\x00\x7f\xff\xff\xff".to_vec()).await, Reason::Protocol);
    }
}

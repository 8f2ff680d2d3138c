//! Why a broker did not answer, from the codes of the protocol; what they mean depends on what was asked for.

use std::fmt;

use super::connection::{Failure, Stage};
use super::frame::Broken;
use super::method::Refusal;
use crate::checks::reasons;
use crate::model::{Outcome, Reason};

/// What a run can fail for.
pub(super) const REASONS: &[Reason] = &[
    Reason::Dns,
    Reason::ConnectionRefused,
    Reason::ConnectionReset,
    Reason::Unreachable,
    Reason::Tls,
    Reason::Auth,
    Reason::Denied,
    Reason::NotFound,
    Reason::Protocol,
    Reason::Other,
];

const CONNECTION_FORCED: u16 = 320;
const INVALID_PATH: u16 = 402;
const ACCESS_REFUSED: u16 = 403;
const NOT_FOUND: u16 = 404;
const RESOURCE_LOCKED: u16 = 405;
const NOT_ALLOWED: u16 = 530;
const NOT_IMPLEMENTED: u16 = 540;

const NO_VHOST: &str = "the virtual host does not exist";

/// How texts about a queue end that exists, but whose node or process does not answer.
const UNAVAILABLE: [&str; 4] =
    ["is down or inaccessible", "is stopped by supervisor", "failed to restart", "due to timeout"];

/// The outcome of a failure at a stage.
pub(super) fn of(stage: Stage, failure: &Failure) -> Outcome {
    let (reason, message) = match failure {
        Failure::Io(error) => (reasons::of_io(error), None),
        // How a broker refuses credentials that does not know how to say so.
        Failure::Ended if stage == Stage::Login => (Reason::Auth, None),
        Failure::Ended => (Reason::ConnectionReset, None),
        Failure::Broken(Broken::Version) => {
            (Reason::Protocol, Some("the peer does not speak AMQP 0-9-1, but maybe another version of it"))
        }
        Failure::Broken(Broken::NoFrame) if stage == Stage::Greeting => {
            (Reason::Protocol, Some("the peer does not speak AMQP"))
        }
        Failure::Broken(_) | Failure::Unexpected(_) => (Reason::Protocol, None),
        Failure::NoPlain => (Reason::Auth, Some("the broker takes no user and password")),
        Failure::Closed(refusal) | Failure::ChannelClosed(refusal) => of_refusal(stage, refusal),
    };
    reasons::failed(reason, message, REASONS).because(failure)
}

/// The texts are RabbitMQ's: only they tell some things apart for which there is one code.
fn of_refusal(stage: Stage, Refusal { code, text }: &Refusal) -> (Reason, Option<&'static str>) {
    match (stage, *code) {
        (_, CONNECTION_FORCED) => {
            (Reason::ConnectionReset, Some("the broker is stopping, or was told to end the connection"))
        }
        (Stage::Greeting | Stage::Login, ACCESS_REFUSED) => (Reason::Auth, None),
        (Stage::Vhost, INVALID_PATH | NOT_FOUND) => (Reason::NotFound, Some(NO_VHOST)),
        (Stage::Vhost, NOT_ALLOWED) if text.ends_with("not found") => (Reason::NotFound, Some(NO_VHOST)),
        (Stage::Login | Stage::Vhost, NOT_ALLOWED) if text.ends_with("is reached") => {
            (Reason::Denied, Some("the broker takes no more connections"))
        }
        (Stage::Vhost, NOT_ALLOWED | ACCESS_REFUSED) => {
            (Reason::Denied, Some("access to the virtual host refused"))
        }
        (Stage::Queue, NOT_FOUND) if UNAVAILABLE.iter().any(|end| text.ends_with(end)) => {
            (Reason::NotFound, Some("the queue is not available"))
        }
        (Stage::Queue, NOT_FOUND) => (Reason::NotFound, Some("the queue does not exist")),
        (Stage::Queue, ACCESS_REFUSED) => (Reason::Denied, Some("access to the queue refused")),
        (Stage::Queue, RESOURCE_LOCKED) => {
            (Reason::Denied, Some("another connection has the queue to itself"))
        }
        (_, NOT_ALLOWED) => (Reason::Denied, None),
        (_, 500..NOT_ALLOWED | NOT_IMPLEMENTED) => (Reason::Protocol, None),
        _ => (Reason::Other, Some("the broker reports an error of its own")),
    }
}

/// For the log.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Ended => f.write_str("the peer ended the connection"),
            Self::Broken(Broken::Version) => f.write_str("a protocol header of another version"),
            Self::Broken(Broken::NoFrame) => f.write_str("bytes that begin no frame"),
            Self::Broken(Broken::TooLong) => f.write_str("a frame longer than agreed"),
            Self::Broken(Broken::NoEnd) => f.write_str("a frame without an end"),
            Self::Broken(Broken::Fields) => f.write_str("a method with fields missing"),
            Self::Unexpected(method) => write!(f, "did not expect {method}"),
            Self::NoPlain => f.write_str("the mechanism PLAIN is not offered"),
            Self::Closed(refusal) => write!(f, "connection closed: {} {}", refusal.code, refusal.text),
            Self::ChannelClosed(refusal) => write!(f, "channel closed: {} {}", refusal.code, refusal.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(stage: Stage, code: u16, text: &str) -> (Reason, &'static str) {
        let (reason, message) = of_refusal(stage, &Refusal { code, text: text.to_owned() });
        assert!(REASONS.contains(&reason));
        (reason, message.unwrap_or_default())
    }

    #[test]
    fn a_code_means_what_the_stage_makes_of_it() {
        assert_eq!(refused(Stage::Login, 403, "ACCESS_REFUSED - Login was refused"), (Reason::Auth, ""));
        assert_eq!(refused(Stage::Queue, 403, "").0, Reason::Denied);
        assert_eq!(refused(Stage::Queue, 405, "").0, Reason::Denied);
        assert_eq!(refused(Stage::Queue, 404, "NOT_FOUND - no queue 'q'").1, "the queue does not exist");
        for stage in [Stage::Greeting, Stage::Login, Stage::Vhost, Stage::Queue] {
            assert_eq!(refused(stage, 320, "shutdown").0, Reason::ConnectionReset);
            assert_eq!(refused(stage, 503, "").0, Reason::Protocol);
            assert_eq!(refused(stage, 541, "").0, Reason::Other);
            assert_eq!(refused(stage, 7, "").0, Reason::Other);
        }
    }

    #[test]
    fn rabbitmq_says_in_words_what_is_wrong_with_a_virtual_host() {
        let of = |text| refused(Stage::Vhost, 530, text);
        assert_eq!(of("NOT_ALLOWED - vhost shop not found"), (Reason::NotFound, NO_VHOST));
        let refusal = "NOT_ALLOWED - access to vhost 'shop' refused for user 'guest'";
        assert_eq!(of(refusal), (Reason::Denied, "access to the virtual host refused"));
        let limit = of(
            "NOT_ALLOWED - access to vhost 'shop' refused for user 'guest': connection limit (3) is reached",
        );
        assert_eq!(limit, (Reason::Denied, "the broker takes no more connections"));
    }

    #[test]
    fn a_queue_on_a_lost_node_exists() {
        let text = "NOT_FOUND - home node 'b@two' of durable queue 'q' in vhost '/' is down or inaccessible";
        assert_eq!(refused(Stage::Queue, 404, text), (Reason::NotFound, "the queue is not available"));
    }

    #[test]
    fn going_away_after_the_credentials_refuses_them() {
        let verdict = |stage| of(stage, &Failure::Ended).verdict;
        assert_eq!(verdict(Stage::Login), crate::model::Verdict::Fail(Reason::Auth));
        assert_eq!(verdict(Stage::Vhost), crate::model::Verdict::Fail(Reason::ConnectionReset));
    }
}

//! Why a broker did not answer, from the codes of the protocol; what they mean depends on what was asked for.

use std::fmt;

use super::connection::{Failure, Stage};
use super::frame::Broken;
use super::method::Refusal;
use crate::checks::reasons::{self, Failure as Public};
use crate::model::{Cause, Outcome, Reason};

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
    Reason::UnexpectedBody,
    Reason::Other,
];

const CONNECTION_FORCED: u16 = 320;
const INVALID_PATH: u16 = 402;
const ACCESS_REFUSED: u16 = 403;
const NOT_FOUND: u16 = 404;
const RESOURCE_LOCKED: u16 = 405;
const NOT_ALLOWED: u16 = 530;
const NOT_IMPLEMENTED: u16 = 540;

/// How texts about a queue end that exists, but whose node or process does not answer.
const UNAVAILABLE: [&str; 4] =
    ["is down or inaccessible", "is stopped by supervisor", "failed to restart", "due to timeout"];

/// The outcome of a failure at a stage.
pub(super) fn of(stage: Stage, failure: &Failure) -> Outcome {
    let public: Public = match failure {
        Failure::Io(error) => reasons::of_io(error),
        // How a broker refuses credentials that does not know how to say so.
        Failure::Ended if stage == Stage::Login => Reason::Auth.into(),
        Failure::Ended => Reason::ConnectionReset.into(),
        Failure::Broken(Broken::Version) => Cause::AmqpVersion.into(),
        Failure::Broken(Broken::NoFrame) if stage == Stage::Greeting => Cause::NotAmqp.into(),
        Failure::Broken(_) | Failure::Unexpected(_) => Reason::Protocol.into(),
        Failure::NoPlain => Cause::PasswordNotAccepted.into(),
        Failure::Closed(refusal) | Failure::ChannelClosed(refusal) => of_refusal(stage, refusal),
    };
    reasons::failed(public, REASONS).because(failure)
}

/// The texts are RabbitMQ's: only they tell some things apart for which there is one code.
fn of_refusal(stage: Stage, Refusal { code, text }: &Refusal) -> Public {
    let coded = |reason: Reason| (reason, Cause::AmqpReply(*code)).into();
    match (stage, *code) {
        (_, CONNECTION_FORCED) => Cause::ServerStopping.into(),
        (Stage::Greeting | Stage::Login, ACCESS_REFUSED) => coded(Reason::Auth),
        (Stage::Vhost, INVALID_PATH | NOT_FOUND) => Cause::NoSuchVhost.into(),
        (Stage::Vhost, NOT_ALLOWED) if text.ends_with("not found") => Cause::NoSuchVhost.into(),
        (Stage::Login | Stage::Vhost, NOT_ALLOWED) if text.ends_with("is reached") => {
            Cause::TooManyConnections.into()
        }
        (Stage::Vhost, NOT_ALLOWED | ACCESS_REFUSED) => Cause::VhostDenied.into(),
        (Stage::Queue, NOT_FOUND) if UNAVAILABLE.iter().any(|end| text.ends_with(end)) => {
            Cause::QueueUnavailable.into()
        }
        (Stage::Queue, NOT_FOUND) => Cause::NoSuchQueue.into(),
        (Stage::Queue, ACCESS_REFUSED) => Cause::QueueDenied.into(),
        (Stage::Queue, RESOURCE_LOCKED) => Cause::QueueExclusive.into(),
        (_, NOT_ALLOWED) => coded(Reason::Denied),
        (_, 500..NOT_ALLOWED | NOT_IMPLEMENTED) => coded(Reason::Protocol),
        _ => coded(Reason::Other),
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

    fn refused(stage: Stage, code: u16, text: &str) -> Public {
        let refused = of_refusal(stage, &Refusal { code, text: text.to_owned() });
        assert!(REASONS.contains(&refused.reason));
        refused
    }

    #[test]
    fn a_code_means_what_the_stage_makes_of_it() {
        let login = refused(Stage::Login, 403, "ACCESS_REFUSED - Login was refused");
        assert_eq!(login, (Reason::Auth, Cause::AmqpReply(403)).into());
        assert_eq!(refused(Stage::Queue, 403, "").reason, Reason::Denied);
        assert_eq!(refused(Stage::Queue, 405, "").reason, Reason::Denied);
        assert_eq!(refused(Stage::Queue, 404, "NOT_FOUND - no queue 'q'"), Cause::NoSuchQueue.into());
        for stage in [Stage::Greeting, Stage::Login, Stage::Vhost, Stage::Queue] {
            assert_eq!(refused(stage, 320, "shutdown").reason, Reason::ConnectionReset);
            assert_eq!(refused(stage, 503, ""), (Reason::Protocol, Cause::AmqpReply(503)).into());
            assert_eq!(refused(stage, 541, ""), (Reason::Other, Cause::AmqpReply(541)).into());
            assert_eq!(refused(stage, 7, "").reason, Reason::Other);
        }
    }

    #[test]
    fn rabbitmq_says_in_words_what_is_wrong_with_a_virtual_host() {
        let of = |text| refused(Stage::Vhost, 530, text);
        assert_eq!(of("NOT_ALLOWED - vhost shop not found"), Cause::NoSuchVhost.into());
        let refusal = "NOT_ALLOWED - access to vhost 'shop' refused for user 'guest'";
        assert_eq!(of(refusal), Cause::VhostDenied.into());
        let limit = of(
            "NOT_ALLOWED - access to vhost 'shop' refused for user 'guest': connection limit (3) is reached",
        );
        assert_eq!(limit, Cause::TooManyConnections.into());
    }

    #[test]
    fn a_queue_on_a_lost_node_exists() {
        let text = "NOT_FOUND - home node 'b@two' of durable queue 'q' in vhost '/' is down or inaccessible";
        assert_eq!(refused(Stage::Queue, 404, text), Cause::QueueUnavailable.into());
    }

    #[test]
    fn going_away_after_the_credentials_refuses_them() {
        let verdict = |stage| of(stage, &Failure::Ended).verdict;
        assert_eq!(verdict(Stage::Login), crate::model::Verdict::Fail(Reason::Auth));
        assert_eq!(verdict(Stage::Vhost), crate::model::Verdict::Fail(Reason::ConnectionReset));
    }
}

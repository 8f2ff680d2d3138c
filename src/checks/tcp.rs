//! Kind `tcp`: whether something accepts connections, and, if told to, whether it speaks as expected.
//!
//! Costs one look-up and one connection a run, and at most 4 KiB of the answer. The connection is ended so that neither
//! side resets it: we end our side, read what still comes, and wait for the other side's end. That wait is no part of the
//! latency; nearly every server ends at once, and one that does not costs an open connection for a tenth of a second
//! (longer, up to a second, where the server is far away). Knows no TLS, and of protocols only the greeting of MySQL,
//! whose servers count such a connection as an error and lock out whoever makes too many.

#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;
mod greeting;

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use self::greeting::Greeting;
use super::net::{self, Address, Stream};
use super::{Built, Check, Kind, Probe, Run, Target, kind_meant_by, reasons};
use crate::config::{Fields, Secret};
use crate::model::{Cause, Measures, Outcome, Phase, Reason};

/// The most that is read of an answer.
const MOST: usize = 4096;
/// How long the other side may take to end its side of the connection: twice as long as it took to connect, within
/// these limits.
const PARTING: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

const REASONS: &[Reason] = &[
    Reason::Dns,
    Reason::ConnectionRefused,
    Reason::ConnectionReset,
    Reason::Unreachable,
    Reason::Denied,
    Reason::PoolExhausted,
    Reason::UnexpectedBody,
    Reason::Other,
];

/// See the module.
pub(super) struct Tcp;

struct TcpCheck {
    address: Address,
    send: Option<Secret>,
    expect: Option<String>,
}

impl Check for TcpCheck {
    async fn run(&self, run: &Run) -> Outcome {
        let started = Instant::now();
        let mut stream = match net::connect(run, &self.address).await {
            Ok(stream) => stream,
            Err(error) => return reasons::failed(error.failure, REASONS).because(error),
        };
        let (least, most) = PARTING;
        let patience = (started.elapsed() * 2).clamp(least, most);
        if let Some(send) = &self.send
            && let Err(error) = run.phase(Phase::Request, stream.write_all(send.expose().as_bytes())).await
        {
            return failed(&error);
        }
        let mut answer = Vec::new();
        let outcome = match &self.expect {
            Some(expect) => listen(run, &mut stream, &mut answer, expect).await,
            None => Outcome::pass(),
        };
        run.answered();
        // Half of what is left at most, so that a short time limit is not missed over it.
        let left = run.deadline().saturating_duration_since(Instant::now());
        part(&mut stream, &mut answer, Instant::now() + patience.min(left / 2)).await;
        match greeting::of(&answer) {
            Greeting::Mysql => outcome.advise(greeting::ADVICE),
            Greeting::Refusal(code) => greeting::refused(code),
            Greeting::Other => outcome,
        }
    }
}

/// Reads until the answer holds `expect`, or until it is clear that it does not.
async fn listen(run: &Run, stream: &mut Stream, answer: &mut Vec<u8>, expect: &str) -> Outcome {
    let found = run.phase(Phase::Request, read_until(stream, answer, expect.as_bytes()));
    match timeout_at(net::patience(run), found).await {
        Ok(Ok(true)) => Outcome::pass(),
        Ok(Ok(false)) if answer.is_empty() => Outcome::caused_by(Cause::NoAnswer),
        Ok(Err(error)) => failed(&error),
        Err(_) if answer.is_empty() => Outcome::failed(Reason::Timeout),
        Ok(Ok(false)) | Err(_) => {
            Outcome::failed(Reason::UnexpectedBody).message(format!("the answer does not contain {expect:?}"))
        }
    }
}

/// Ends our side of the connection and waits for the other side to end its own, reading what still comes: bytes that
/// nobody has read would make the system reset the connection. Whatever happens here changes no verdict.
async fn part(stream: &mut Stream, answer: &mut Vec<u8>, until: Instant) {
    let rest = async {
        stream.shutdown().await?;
        let mut rest = stream.take(MOST as u64);
        while rest.read_buf(answer).await? > 0 {}
        Ok::<(), io::Error>(())
    };
    // Not in time or not at all: the connection closes as it is dropped.
    let _ = timeout_at(until, rest).await;
}

/// Whether `expect` came before the end of the answer or of what is read of it.
async fn read_until(stream: &mut Stream, answer: &mut Vec<u8>, expect: &[u8]) -> io::Result<bool> {
    let mut rest = stream.take(MOST as u64);
    loop {
        if expect.is_empty() || answer.windows(expect.len()).any(|part| part == expect) {
            return Ok(true);
        }
        if rest.read_buf(answer).await? == 0 {
            return Ok(false);
        }
    }
}

fn failed(error: &io::Error) -> Outcome {
    reasons::failed(reasons::of_io(error), REASONS).because(error)
}

impl Kind for Tcp {
    fn name(&self) -> &'static str {
        "tcp"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["port", "socket"]
    }

    fn about(&self) -> &'static str {
        "Connects to a TCP port and, if asked to, sends a text and looks for one in the answer."
    }

    fn example(&self) -> &'static str {
        "address: mail.internal:25\nexpect: \"220 \"\n"
    }

    fn reasons(&self) -> &'static [Reason] {
        REASONS
    }

    fn measures(&self) -> Measures {
        Measures::NONE
    }

    fn build(&self, fields: &mut Fields<'_>) -> Option<Built> {
        let address: Option<String> = fields
            .required("address", "where to connect to, as host:port; an IPv6 address stands in brackets");
        let send = fields.optional("send", "text to send once connected");
        let expect: Option<String> =
            fields.optional("expect", "text that the first 4 KiB of the answer must contain");
        if expect.as_ref().is_some_and(|text| text.is_empty() || text.len() > MOST) {
            fields.problem("expect", format!("a text of 1 to {MOST} bytes"));
        }
        let address = address?;
        if let Some((scheme, _)) = address.split_once("://") {
            let other = kind_meant_by(scheme).map(Kind::name).filter(|kind| *kind != self.name());
            let help = other.map(|kind| format!("`kind: {kind}` takes it as `url`"));
            fields.problem_with_help("address", "write it as host:port, without scheme or path", help);
            return None;
        }
        let address = Address::parse(&address).map_err(|problem| fields.problem("address", problem)).ok()?;
        if address.port == greeting::PORT {
            fields.warn("address", greeting::COUNTED, Some(greeting::HELP.to_owned()));
        }
        let target =
            Target { address: Some(address.host.clone()), port: Some(address.port), ..Target::default() };
        Some(Built { probe: Probe::new(TcpCheck { address, send, expect }), target })
    }
}

#[cfg(test)]
mod tests;

//! Kind `redis`: whether a Redis server lets us in and answers PING, and what it says of its memory and clients.
//!
//! Costs the server one connection and three commands, and two more for each measured list, stream or set; none of them
//! takes longer where there is more data. Who answers PING is up, whatever becomes of INFO, which is asked last: a user may
//! not be allowed it, an operator may have renamed it, a proxy may end the connection. A run that is dropped closes its connection. Nothing is retried: that is the
//! runner's business. A node of a cluster or a sentinel is asked for itself, never for others.
//!
//! Phases: `resolve` (not for addresses), `connect`, `tls`, `auth` (logging in and choosing the database), `request`.

use std::collections::BTreeMap;

use redis::RedisResult;
use redis::aio::MultiplexedConnection;
use tokio::net::UnixStream;
use tokio::time::timeout_at;

use self::connection::Connection;
use self::server::{Place, Server};
use super::kept::Kept;
use super::net::{Allowance, Limited, Wire};
use super::{Built, Check, Kind, Probe, Run, net, reasons};
use crate::config::Fields;
use crate::model::{Cause, Measures, Name, Outcome, Phase, Reason, Unit, Verdict};

mod connection;
mod failure;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;
mod info;
mod server;

/// The most bytes that a run takes in: INFO has some thousand, and the driver makes 20 bytes of memory of a byte of a list.
const MOST: usize = 128 << 10;

/// See the module.
pub(super) struct Redis;

struct RedisCheck {
    server: Server,
    questions: Questions,
    kept: Kept<Connection>,
}

/// What is asked beside PING.
#[derive(Clone, Default)]
struct Questions {
    info: bool,
    /// Measurement and key of what has its length measured.
    lengths: Vec<(Name, String)>,
}

impl Check for RedisCheck {
    async fn run(&self, run: &Run) -> Outcome {
        let outcome = self.answer(run).await;
        match &self.server.tls {
            Some(tls) => tls.tell(outcome),
            None => outcome,
        }
    }
}

impl RedisCheck {
    async fn answer(&self, run: &Run) -> Outcome {
        if let Some(mut kept) = self.kept.take() {
            kept.renew();
            match self.ask(run, &mut kept).await {
                // It died while nobody used it, which says nothing about the server.
                Err(error) if error.is_connection_dropped() => drop(kept),
                answer => return self.finish(kept, answer),
            }
        }
        let (wire, allowance) = match self.connect(run).await {
            Ok(connected) => connected,
            Err(failed) => return failed,
        };
        match run.phase(Phase::Auth, Connection::open(&self.server.login, wire, allowance)).await {
            Ok(mut connection) => {
                let answer = self.ask(run, &mut connection).await;
                self.finish(connection, answer)
            }
            Err(error) => failure::of(&error),
        }
    }

    async fn connect(&self, run: &Run) -> Result<(Box<dyn Wire>, Allowance), Outcome> {
        let address = match &self.server.place {
            Place::Port(address) => address,
            Place::Socket(path) => {
                let connected = run.phase(Phase::Connect, UnixStream::connect(path)).await;
                let stream = Limited::new(connected.map_err(|error| failure::of_socket(&error))?).allow(MOST);
                let allowance = stream.allowance();
                return Ok((Box::new(stream), allowance));
            }
        };
        let stream = net::connect(run, address)
            .await
            .map_err(|error| reasons::failed(error.failure, failure::REASONS).because(error))?;
        let stream = stream.allow(MOST);
        let allowance = stream.allowance();
        let wire: Box<dyn Wire> = match &self.server.tls {
            Some(tls) => {
                Box::new(tls.connect(run, stream).await.map_err(|error| failure::of_handshake(&error))?)
            }
            None => Box::new(stream),
        };
        Ok((wire, allowance))
    }

    async fn ask(&self, run: &Run, connection: &mut Connection) -> RedisResult<Outcome> {
        run.phase(Phase::Request, async {
            let outcome = connection.ask(async |commands| self.questions.put(commands).await).await?;
            if !self.questions.info || outcome.verdict != Verdict::Pass {
                return Ok(outcome);
            }
            match timeout_at(net::patience(run), connection.ask(ask_info)).await {
                Ok(Ok(text)) => Ok(info::measure(&text, outcome)),
                Ok(Err(_)) => Ok(outcome),
                Err(_) => {
                    // What comes after all would be taken for the next answer.
                    connection.end();
                    Ok(outcome)
                }
            }
        })
        .await
    }

    fn finish(&self, connection: Connection, answer: RedisResult<Outcome>) -> Outcome {
        match answer {
            Ok(outcome) => {
                // What is not kept closes as it is dropped.
                if connection.lives() {
                    drop(self.kept.keep(connection));
                }
                outcome
            }
            Err(error) => failure::of(&error),
        }
    }
}

impl Questions {
    async fn put(&self, mut commands: MultiplexedConnection) -> RedisResult<Outcome> {
        let connection = &mut commands;
        let pong: String = redis::cmd("PING").query_async(connection).await?;
        if pong != "PONG" {
            return Ok(Outcome::caused_by(Cause::NoPong));
        }
        let mut outcome = Outcome::pass();
        for (measurement, key) in &self.lengths {
            let length = length(connection, key).await?;
            outcome = outcome.measure(measurement.clone(), length);
        }
        Ok(outcome)
    }
}

async fn ask_info(mut connection: MultiplexedConnection) -> RedisResult<String> {
    let mut text = String::new();
    for section in ["memory", "clients"] {
        let part: String = redis::cmd("INFO").arg(section).query_async(&mut connection).await?;
        text.push_str(&part);
    }
    Ok(text)
}

/// The length of what is at `key`; what does not exist is empty.
async fn length(connection: &mut MultiplexedConnection, key: &str) -> RedisResult<f64> {
    let kind: String = redis::cmd("TYPE").arg(key).query_async(connection).await?;
    let command = match kind.as_str() {
        "none" => return Ok(0.0),
        "stream" => "XLEN",
        "hash" => "HLEN",
        "set" => "SCARD",
        "zset" => "ZCARD",
        // Of anything else the server says itself that it has no length.
        _ => "LLEN",
    };
    redis::cmd(command).arg(key).query_async(connection).await
}

impl Kind for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["rediss", "valkey", "keydb"]
    }

    fn about(&self) -> &'static str {
        "Logs in to Redis and sends PING; measures memory, clients and the lengths of lists and streams."
    }

    fn example(&self) -> &'static str {
        "url: \"redis://cache.internal:6379\"\n\
         lengths: { mails_waiting: \"queue:mail\" }\n"
    }

    fn reasons(&self) -> &'static [Reason] {
        failure::REASONS
    }

    fn measures(&self) -> Measures {
        Measures::of(&info::MEASUREMENTS).and_named_by("lengths", Unit::Count)
    }

    fn build(&self, fields: &mut Fields<'_>) -> Option<Built> {
        let server = Server::take(fields);
        let reuse = fields.or(
            "reuse",
            false,
            "whether to keep the connection from one run to the next instead of a fresh one",
        );
        let info = fields.or("info", true, "whether to ask for memory and clients, where the user may");
        let lengths: BTreeMap<String, String> = fields
            .optional("lengths", "lists, streams, sets and hashes to measure: key by measurement")
            .unwrap_or_default();
        let mut named = Vec::with_capacity(lengths.len());
        for (measurement, key) in lengths {
            match Name::new(&measurement) {
                Ok(name) => named.push((name, key)),
                Err(error) => fields.problem("lengths", error.to_string()),
            }
        }
        let server = server?;
        let target = server.target();
        let questions = Questions { info, lengths: named };
        Some(Built { probe: Probe::new(RedisCheck { server, questions, kept: Kept::new(reuse) }), target })
    }
}

#[cfg(test)]
mod tests;

//! Kind `amqp`: whether RabbitMQ lets us in, how many messages and consumers a queue has, and whether an alarm keeps
//! messages out.
//!
//! Costs the broker one connection and one channel; a queue is asked for passively: nothing is made, published or
//! consumed. The connection is ended politely when it has answered; a run that is dropped takes its socket with it. While
//! an alarm lasts the broker keeps our end of each run for some seconds more, until its heartbeat finds us gone.
//!
//! The protocol is spoken here rather than by lapin: that runs tasks and threads of its own, which may outlive a dropped
//! run, cannot tell logging in from connecting, and would bring some sixty crates for what takes ten methods.
//!
//! Phases: `resolve` (not for addresses), `connect`, `tls`, `auth` (from the greeting to the open virtual host),
//! `request` (looking at the queue and for alarms, and the good-bye). Must not know what its numbers mean.

mod alarm;
mod connection;
mod failure;
mod frame;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;
mod method;
mod settings;

use tokio::time::timeout_at;

use self::alarm::Alarms;
use self::connection::{Connection, Depth, Failure};
use self::settings::Settings;
use super::net::Wire;
use super::{Built, Check, Kind, Probe, Run, Target, net, reasons, tls};
use crate::config::Fields;
use crate::model::{Definition, Instrument, Measurement, Measures, Name, Outcome, Phase, Reason, Unit, When};

/// OpenTelemetry's name.
const SYSTEM: &str = "rabbitmq";

static QUEUE_MESSAGES: Definition = Definition {
    name: "healthcheck.queue.messages",
    instrument: Instrument::Gauge,
    unit: "{message}",
    attributes: &["healthcheck.name", "messaging.system", "messaging.destination.name"],
    help: "Number of messages in the queue that wait for a consumer",
};

static QUEUE_CONSUMERS: Definition = Definition {
    name: "healthcheck.queue.consumers",
    instrument: Instrument::Gauge,
    unit: "{consumer}",
    attributes: &["healthcheck.name", "messaging.system", "messaging.destination.name"],
    help: "Number of consumers of the queue",
};

static DEFINITIONS: [&Definition; 2] = [&QUEUE_MESSAGES, &QUEUE_CONSUMERS];

static MEASUREMENTS: [Measurement; 3] = [
    Measurement::new("alarm", Unit::Count),
    Measurement::new("messages", Unit::Count).when(When::Set("queue")),
    Measurement::new("consumers", Unit::Count).when(When::Set("queue")),
];

/// See the module.
pub(super) struct Amqp;

struct AmqpCheck {
    settings: Settings,
}

impl Check for AmqpCheck {
    async fn run(&self, run: &Run) -> Outcome {
        let outcome = match self.connect(run).await {
            Ok(wire) => self.ask(run, Connection::new(wire)).await,
            Err(failed) => failed,
        };
        match &self.settings.tls {
            Some(tls) => tls.tell(outcome),
            None => outcome,
        }
    }
}

impl AmqpCheck {
    async fn connect(&self, run: &Run) -> Result<Box<dyn Wire>, Outcome> {
        let stream = net::connect(run, &self.settings.address)
            .await
            .map_err(|error| reasons::failed(error.failure, failure::REASONS).because(error))?;
        let Some(tls) = &self.settings.tls else { return Ok(Box::new(stream)) };
        match tls.connect(run, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(reasons::failed(tls::of_handshake(&error), failure::REASONS).because(error)),
        }
    }

    async fn ask(&self, run: &Run, mut connection: Connection) -> Outcome {
        let Settings { response, vhost, queue, .. } = &self.settings;
        let open = run.phase(Phase::Auth, connection.log_in(response.expose(), vhost, heartbeat(run))).await;
        if let Err(error) = open {
            return failure::of(connection.stage(), &error);
        }
        run.phase(Phase::Request, async {
            let answer = match queue {
                Some(queue) => connection.look(queue).await.map(|depth| measure(queue, depth)),
                None => Ok(Outcome::pass()),
            };
            // The answer is there, whatever becomes of the good-bye.
            match answer {
                Ok(outcome) => {
                    let alarms = timeout_at(net::patience(run), connection.close_and_hear_alarms()).await;
                    alarm::add(
                        outcome,
                        alarms.map_or(Alarms::Untold, |alarms| alarms.unwrap_or(Alarms::Untold)),
                    )
                }
                Err(error) => {
                    if matches!(error, Failure::ChannelClosed(_)) {
                        let _ = timeout_at(net::patience(run), connection.close()).await;
                    }
                    failure::of(connection.stage(), &error)
                }
            }
        })
        .await
    }
}

/// Every how many seconds the broker sends a heartbeat. It wants to hear one of ours within two of them, but we send
/// none: the run is over by then.
fn heartbeat(run: &Run) -> u16 {
    const LEAST: u16 = 10;
    u16::try_from(run.timeout().as_secs()).unwrap_or(u16::MAX).saturating_add(1).max(LEAST)
}

fn measure(queue: &str, depth: Depth) -> Outcome {
    let numbers =
        [("messages", &QUEUE_MESSAGES, depth.messages), ("consumers", &QUEUE_CONSUMERS, depth.consumers)];
    numbers.into_iter().fold(Outcome::pass(), |mut outcome, (name, definition, value)| {
        let value = f64::from(value);
        outcome.measurements.extend(Name::new(name).ok().map(|name| (name, value)));
        outcome.number(definition, vec![SYSTEM.to_owned(), queue.to_owned()], value)
    })
}

impl Kind for Amqp {
    fn name(&self) -> &'static str {
        "amqp"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["amqps", "rabbitmq", "rabbit"]
    }

    fn about(&self) -> &'static str {
        "Logs in to RabbitMQ, looks at a queue without touching it and at alarms; measures messages and consumers."
    }

    fn example(&self) -> &'static str {
        "url: amqps://mq.internal/shop\nqueue: jobs\n"
    }

    fn reasons(&self) -> &'static [Reason] {
        failure::REASONS
    }

    fn measures(&self) -> Measures {
        Measures::of(&MEASUREMENTS)
    }

    fn definitions(&self) -> &'static [&'static Definition] {
        &DEFINITIONS
    }

    fn build(&self, fields: &mut Fields<'_>) -> Option<Built> {
        let settings = Settings::read(fields)?;
        let target = Target {
            address: Some(settings.address.host.clone()),
            port: Some(settings.address.port),
            db_system: None,
            messaging_system: Some(SYSTEM),
        };
        Some(Built { probe: Probe::new(AmqpCheck { settings }), target })
    }
}

#[cfg(test)]
mod tests;

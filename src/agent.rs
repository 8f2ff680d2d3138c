//! The composition root: puts board, store, runner and web together, and knows the order in which they stop.
//!
//! The runner has a runtime of its own, the code of an embedding program another, the web a thread of its own, and whoever
//! waits for signals needs none of them.

mod about;
mod client_names;
mod example;
mod function;
mod invalid;
mod plan;
#[cfg(feature = "otlp")]
mod pushing;
#[cfg(feature = "otlp")]
mod readings;
mod ready;
mod runtime;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use tokio::time::Instant;
use tracing::info;

use crate::collect::{Collectors, RuntimeMetrics, Sampler};
use crate::health::{Board, DuplicateName};
use crate::metrics::{Scope, Store};
use crate::model::{Definition, LONGEST};
#[cfg(feature = "otlp")]
use crate::push::records::Unusable;
use crate::resource::Resource;
use crate::runner::{Planned, Runner};
use crate::supervisor::EndedEarly;
use crate::web::{Faces, Limits, Server};
use crate::{collect, health, metrics, resolver, runner, telemetry, web};

#[cfg(feature = "sqlite")]
pub(crate) use crate::checks::limit_memory;
pub(crate) use client_names::show as show_client_names;
pub use example::example;
pub use function::{FunctionCheck, check, check_with};
pub use invalid::InvalidCheck;
pub use plan::{DEFAULT_LISTEN, LogFormat, LogLevel, Plan, from_environment, listens, variables};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use ready::pool;
pub use ready::{tasks_of_group, tasks_of_runtime};
pub(crate) use runtime::RunnerRuntime;

#[cfg(feature = "otlp")]
pub use crate::push::{logs::Logs, traces::Traces};

/// A running agent. Dropped, it ends without order: [`Agent::stop`] is the polite way.
#[derive(Debug)]
pub struct Agent {
    board: Board,
    store: Store,
    runner: Runner,
    #[cfg(feature = "otlp")]
    push: pushing::Pushing,
    server: Server,
    /// Sends what is left of the traces, after all else has stopped.
    #[cfg(feature = "otlp")]
    traces: Option<Traces>,
    /// The same of the log, which has the last word.
    #[cfg(feature = "otlp")]
    logs: Option<Logs>,
    /// The metrics of the runner's runtime; before it, because they go first.
    _watched: Option<RuntimeMetrics>,
    _runtime: RunnerRuntime,
    drain: Option<Duration>,
    stop_within: Duration,
    resource: Resource,
    /// `target_info`.
    _target: Scope,
}

/// Why an agent did not start.
#[derive(Debug)]
pub enum StartError {
    /// An address could not be listened on.
    Listen(SocketAddr, io::Error),
    /// Two checks have one name.
    Duplicate(DuplicateName),
    /// The system gave no thread or runtime.
    System(io::Error),
    /// Metrics cannot be pushed as asked for.
    #[cfg(feature = "otlp")]
    Push(crate::push::PushError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(address, error) if error.kind() == io::ErrorKind::AddrInUse => {
                write!(
                    f,
                    "cannot listen on {address}: the port is in use; stop the other process or choose another address"
                )
            }
            Self::Listen(address, error) => write!(f, "cannot listen on {address}: {error}"),
            Self::Duplicate(error) => error.fmt(f),
            Self::System(error) => write!(f, "cannot start a thread: {error}"),
            #[cfg(feature = "otlp")]
            Self::Push(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

/// Every metric that this program defines, in the order of the parts that fill them.
#[must_use]
pub fn definitions() -> Vec<&'static Definition> {
    let parts = [
        health::DEFINITIONS,
        runner::DEFINITIONS,
        resolver::DEFINITIONS,
        web::DEFINITIONS,
        metrics::DEFINITIONS,
        telemetry::DEFINITIONS,
        collect::DEFINITIONS,
        about::DEFINITIONS,
        collect::tokio_runtime::DEFINITIONS,
        collect::taskgroup::DEFINITIONS,
        #[cfg(any(feature = "postgres", feature = "sqlite"))]
        collect::pool::DEFINITIONS,
        #[cfg(feature = "otlp")]
        crate::push::DEFINITIONS,
    ];
    let sources = collect::SOURCES.iter().flat_map(|source| source.definitions());
    let kinds = crate::checks::KINDS.iter().flat_map(|kind| kind.definitions());
    parts.into_iter().flatten().chain(sources).chain(kinds).copied().collect()
}

/// Begins to send the traces that `plan` asks for, on `runtime`: before the agent starts, because what records them is a
/// part of the program's subscriber.
///
/// # Errors
/// See [`Traces::start`].
#[cfg(feature = "otlp")]
pub fn traces(
    plan: &Plan,
    store: &Store,
    runtime: &tokio::runtime::Handle,
) -> Result<Option<Traces>, Unusable> {
    let Some(exporter) = &plan.otlp.traces else { return Ok(None) };
    let resource = plan.resource.clone().of_service(&plan.service, &plan.version, None);
    Traces::start(exporter, &plan.otlp.spans, &resource, store, runtime).map(Some)
}

/// The same for the log, where `plan` asks for that.
///
/// # Errors
/// See [`Logs::start`].
#[cfg(feature = "otlp")]
pub fn logs(plan: &Plan, store: &Store, runtime: &tokio::runtime::Handle) -> Result<Option<Logs>, Unusable> {
    let Some(exporter) = &plan.otlp.logs else { return Ok(None) };
    let resource = plan.resource.clone().of_service(&plan.service, &plan.version, None);
    Logs::start(exporter, plan.otlp.lines, &resource, store, runtime).map(Some)
}

impl Agent {
    /// Starts everything in `plan`; `store` is where its metrics go.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then.
    pub fn start(plan: Plan, store: &Store) -> Result<Self, StartError> {
        let mut listeners = Vec::with_capacity(plan.listen.len());
        for address in &plan.listen {
            listeners.push(listen(*address).map_err(|error| StartError::Listen(*address, error))?);
        }
        let runtime =
            RunnerRuntime::start(plan.checks.iter().any(Planned::is_foreign)).map_err(StartError::System)?;
        let board = Board::new(store.clone());
        if !plan.ready_without_checks {
            board.require_checks();
        }
        let address = listeners.first().and_then(|listener| listener.local_addr().ok());
        let resource = plan.resource.of_service(&plan.service, &plan.version, address);
        let mut target = store.scope();
        target.describe(resource.attributes());
        let mut refresh = vec![about::show(store, &board), resolver::show(store)];
        let Collectors(collectors) = plan.collectors;
        if !collectors.is_empty() {
            store.tell_starts(collect::starts());
            let sampler = Sampler::new(store, collectors, collect::Limits::default());
            refresh.push(Box::new(move |_| {
                sampler.sample();
                None
            }));
        }
        let watched = runtime.metrics(store, board.pulse());
        #[cfg(feature = "otlp")]
        let (push, refresh) = runtime
            .enter(|| pushing::Pushing::start(&plan.otlp, &resource, &board, store, refresh))
            .map_err(StartError::Push)?;
        let faces =
            Faces::new(&board, store, &plan.service, &plan.version, refresh).map_err(StartError::System)?;
        let checks = plan.checks.len();
        let limits = Limits::of_this_process(plan.checks.iter().filter(|check| !check.local).count());
        let runner = runtime
            .enter(|| Runner::start_with(runtime.crew(), plan.checks, &board, store))
            .map_err(StartError::Duplicate)?;
        let server = Server::start(listeners, &faces, limits).map_err(StartError::System)?;
        for address in server.addresses() {
            info!(%address, checks, "listening");
        }
        let (drain, stop_within) = (plan.drain, plan.stop_within);
        Ok(Self {
            board,
            store: store.clone(),
            runner,
            #[cfg(feature = "otlp")]
            push,
            server,
            #[cfg(feature = "otlp")]
            traces: None,
            #[cfg(feature = "otlp")]
            logs: None,
            _watched: watched,
            _runtime: runtime,
            drain,
            stop_within,
            resource,
            _target: target,
        })
    }

    /// Hands `traces` over, which are sent to their end when the agent stops.
    #[cfg(feature = "otlp")]
    #[must_use]
    pub fn with_traces(mut self, traces: Option<Traces>) -> Self {
        if let Some(traces) = &traces {
            // Only now is known where we listen, and by that who we are.
            traces.set_resource(&self.resource);
            self.board.tell("otlp_traces", traces.line());
        }
        self.traces = traces;
        self
    }

    /// Hands `logs` over, which are sent to their end when the agent stops.
    #[cfg(feature = "otlp")]
    #[must_use]
    pub fn with_logs(mut self, logs: Option<Logs>) -> Self {
        if let Some(logs) = &logs {
            logs.set_resource(&self.resource);
            self.board.tell("otlp_logs", logs.line());
        }
        self.logs = logs;
        self
    }

    /// The addresses that the agent listens on.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        self.server.addresses()
    }

    /// How the checks stand.
    #[must_use]
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// The metrics.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What it says of itself.
    #[must_use]
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// Waits until a part ends that should not.
    pub async fn ended_early(&mut self) -> EndedEarly {
        tokio::select! {
            ended = self.runner.ended_early() => ended,
            ended = async {
                #[cfg(feature = "otlp")]
                return self.push.ended_early().await;
                #[cfg(not(feature = "otlp"))]
                std::future::pending().await
            } => ended,
            () = self.server.ended() => EndedEarly { task: Some("web") },
        }
    }

    /// Stops in this order, with one deadline for all of it: `ready` says draining, then (after the drain time, for
    /// those who still send traffic) running checks end, then what they said is pushed, then HTTP, which until then
    /// answers, then traces, which are sent, then the log, in which all of this is told.
    pub async fn stop(self) {
        let deadline = Instant::now() + self.stop_within.min(LONGEST);
        self.board.drain();
        info!(drain = ?self.drain.unwrap_or_default(), within = ?self.stop_within, "stopping");
        if let Some(drain) = self.drain {
            tokio::time::sleep_until(deadline.min(Instant::now() + drain.min(LONGEST))).await;
        }
        self.runner.stop(deadline).await;
        #[cfg(feature = "otlp")]
        self.push.stop(deadline).await;
        self.server.stop(deadline).await;
        #[cfg(feature = "otlp")]
        if let Some(traces) = self.traces {
            traces.stop(half_way_to(deadline)).await;
        }
        info!("stopped");
        #[cfg(feature = "otlp")]
        if let Some(logs) = self.logs {
            logs.stop(deadline).await;
        }
    }
}

/// For a part that may take half of the time that is left, because others stop after it.
#[cfg(feature = "otlp")]
fn half_way_to(deadline: Instant) -> Instant {
    let now = Instant::now();
    now + deadline.saturating_duration_since(now) / 2
}

/// Listens on `address`; where it means every interface and the system has no IPv6, on every interface of IPv4.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).or_else(|error| match error.kind() {
        io::ErrorKind::Unsupported | io::ErrorKind::AddrNotAvailable | io::ErrorKind::InvalidInput
            if address.ip() == Ipv6Addr::UNSPECIFIED =>
        {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port()))
        }
        _ => Err(error),
    })
}

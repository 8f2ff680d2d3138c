//! `run`: the agent until a signal. The first one stops it in order, a second one ends it at once.

use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::error;
use tracing::level_filters::LevelFilter;

#[cfg(feature = "otlp")]
use crate::agent;
use crate::agent::{Agent, LogFormat, LogLevel};
use crate::metrics::Store;
use crate::telemetry;

use super::Options;
use super::output::complain;

pub(super) fn run(options: &Options) -> ExitCode {
    let (plan, _) = match options.plan() {
        Ok(read) => read,
        Err(refused) => return refused.code(),
    };
    let store = Store::new();
    // Signals are waited for apart from everything that may get stuck; beside them only traces and logs are sent.
    let waiting = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(waiting) => waiting,
        Err(error) => {
            complain(&error.to_string());
            return ExitCode::FAILURE;
        }
    };
    #[cfg(feature = "otlp")]
    let sent = agent::traces(&plan, &store, waiting.handle())
        .and_then(|traces| Ok((traces, agent::logs(&plan, &store, waiting.handle())?)));
    #[cfg(feature = "otlp")]
    let (traces, logs) = match sent {
        Ok(sent) => sent,
        Err(error) => {
            complain(&error.to_string());
            return ExitCode::FAILURE;
        }
    };
    #[cfg(feature = "otlp")]
    let listeners = telemetry::Listeners {
        spans: traces.as_ref().map(agent::Traces::layer),
        events: logs.as_ref().map(agent::Logs::layer),
    };
    #[cfg(not(feature = "otlp"))]
    let listeners = telemetry::Listeners::default();
    if let Err(error) = telemetry::init(level(plan.log_level), lines(plan.log_format), &store, listeners) {
        complain(&format!("cannot log: {error}"));
        return ExitCode::FAILURE;
    }
    // An embedding program may have these names of its own.
    crate::agent::show_client_names(&store);
    let started = Agent::start(plan, &store).map_err(|error| error.to_string());
    #[cfg(feature = "otlp")]
    let started = started.map(|agent| agent.with_traces(traces).with_logs(logs));
    match started.and_then(|agent| waiting.block_on(until_signal(agent))) {
        Ok(code) => code,
        Err(message) => {
            error!("{message}");
            ExitCode::FAILURE
        }
    }
}

async fn until_signal(mut agent: Agent) -> Result<ExitCode, String> {
    let listen = |kind| signal(kind).map_err(|error| format!("cannot wait for signals: {error}"));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let failed = tokio::select! {
        () = either(&mut terminate, &mut interrupt) => None,
        ended = agent.ended_early() => Some(ended),
    };
    if let Some(ended) = &failed {
        error!("{ended}");
    }
    tokio::select! {
        () = agent.stop() => {}
        () = either(&mut terminate, &mut interrupt) => {
            error!("a second signal: ending at once");
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(if failed.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

pub(super) const fn level(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

pub(super) const fn lines(format: LogFormat) -> telemetry::Format {
    match format {
        LogFormat::Logfmt => telemetry::Format::Logfmt,
        LogFormat::Json => telemetry::Format::Json,
    }
}

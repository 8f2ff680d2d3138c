//! `run`: the agent until a signal. The first one stops it in order, a second one ends it at once.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

#[cfg(feature = "otlp")]
use tokio::runtime::Runtime;
use tracing::error;
use tracing::level_filters::LevelFilter;

#[cfg(feature = "otlp")]
use crate::agent;
use crate::agent::{Agent, LogFormat, LogLevel};
use crate::metrics::Store;
use crate::telemetry;

use super::Options;
use super::descriptors;
use super::output::{Log, complain};
use super::signals::{Signals, Stop};

/// How long the last lines of the log have, where nobody reads them.
const LAST_LINES: Duration = Duration::from_secs(1);

pub(super) fn run(options: &Options) -> ExitCode {
    descriptors::take_all();
    let store = Store::new();
    // Before the configuration is read, which may complain.
    let started = Log::start(&store, Some(LAST_LINES)).and_then(|log| Ok((log, Signals::start()?)));
    let (log, signals) = match started {
        Ok(started) => started,
        Err(error) => return refuse(&format!("cannot start a thread: {error}")),
    };
    let (plan, _) = match options.plan() {
        Ok(read) => read,
        Err(refused) => return refused.code(),
    };
    // Whoever waits for the end does it apart from everything that may get stuck.
    let waiting = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(waiting) => waiting,
        Err(error) => return refuse(&error),
    };
    #[cfg(feature = "otlp")]
    let sending = match sending(&plan) {
        Ok(sending) => sending,
        Err(error) => return refuse(&error),
    };
    #[cfg(feature = "otlp")]
    let beside = sending.as_ref().unwrap_or(&waiting).handle();
    #[cfg(feature = "otlp")]
    let sent = agent::traces(&plan, &store, beside)
        .and_then(|traces| Ok((traces, agent::logs(&plan, &store, beside)?)));
    #[cfg(feature = "otlp")]
    let (traces, logs) = match sent {
        Ok(sent) => sent,
        Err(error) => return refuse(&error),
    };
    #[cfg(feature = "otlp")]
    let listeners = telemetry::Listeners {
        spans: traces.as_ref().map(agent::Traces::layer),
        events: logs.as_ref().map(agent::Logs::layer),
    };
    #[cfg(not(feature = "otlp"))]
    let listeners = telemetry::Listeners::default();
    let (level, lines) = (level(plan.log_level), lines(plan.log_format));
    if let Err(error) = telemetry::init(level, lines, log.queue.clone(), &store, listeners) {
        return refuse(&format!("cannot log: {error}"));
    }
    // An embedding program may have these names of its own.
    crate::agent::show_client_names(&store);
    let stop = match signals.obey(plan.stop_within, log.queue.clone()) {
        Ok(stop) => stop,
        Err(error) => return refuse(&no_signals(&error)),
    };
    let agent = match Agent::start(plan, &store) {
        Ok(agent) => agent,
        Err(error) => {
            error!("{error}");
            return ExitCode::FAILURE;
        }
    };
    #[cfg(feature = "otlp")]
    let agent = agent.with_traces(traces).with_logs(logs);
    let code = waiting.block_on(until_told(agent, &stop));
    // What still blocks a thread of it goes with the process.
    waiting.shutdown_background();
    #[cfg(feature = "otlp")]
    if let Some(sending) = sending {
        sending.shutdown_background();
    }
    code
}

/// Where traces and logs are sent from, where any are: a collector that always has bytes ready keeps the thread of it.
#[cfg(feature = "otlp")]
fn sending(plan: &agent::Plan) -> io::Result<Option<Runtime>> {
    if plan.otlp.traces.is_none() && plan.otlp.logs.is_none() {
        return Ok(None);
    }
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(1).thread_name("vitalsign-send").enable_all().build().map(Some)
}

async fn until_told(mut agent: Agent, stop: &Stop) -> ExitCode {
    let failed = tokio::select! {
        () = stop.asked() => None,
        ended = agent.ended_early() => Some(ended),
    };
    if let Some(ended) = &failed {
        error!("{ended}");
        stop.begins();
    }
    agent.stop().await;
    if failed.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn refuse(why: &impl std::fmt::Display) -> ExitCode {
    complain(why);
    ExitCode::FAILURE
}

fn no_signals(error: &io::Error) -> String {
    format!("cannot wait for signals: {error}")
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

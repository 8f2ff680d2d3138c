//! `check`: run checks once and print how they stand, with the exit codes of Nagios plugins.

use std::process::ExitCode;

use tokio::time::Instant;
use tracing::level_filters::LevelFilter;

use crate::agent::RunnerRuntime;
use crate::health::{ADVICE, Board, GROUP_HEALTH, GroupView, Judged};
use crate::metrics::Store;
use crate::model::{Detail, State};
use crate::runner::run_once_with;
use crate::{telemetry, web};

use super::descriptors;
use super::output::{Log, complain, print_or};
use super::run::{level, lines};
use super::{CheckFormat, Options};

/// The code for "could not be found out".
const UNKNOWN: u8 = 3;

pub(super) fn check(options: &Options, names: &[String], format: CheckFormat) -> ExitCode {
    descriptors::take_all();
    let Ok((mut plan, _)) = options.plan() else { return UNKNOWN.into() };
    for name in names {
        if !plan.checks.iter().any(|check| check.name.as_str() == name) {
            complain(&format!("no check is called {name:?}: see `vitalsign config show`"));
            return UNKNOWN.into();
        }
    }
    let emptiness = plan.emptiness();
    plan.checks.retain(|check| names.is_empty() || names.iter().any(|name| name == check.name.as_str()));

    let store = Store::new();
    // Lines on standard error only where they were asked for: the table says it all.
    let _log = match options.log_level.map(|asked| logging(level(asked), lines(plan.log_format), &store)) {
        None => None,
        Some(Ok(log)) => Some(log),
        Some(Err(message)) => {
            complain(&message);
            return UNKNOWN.into();
        }
    };
    let board = Board::new(store.clone());
    let runtime = match RunnerRuntime::start(false) {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("cannot start a thread: {error}"));
            return UNKNOWN.into();
        }
    };
    let done = runtime.block_on(run_once_with(runtime.crew(), plan.checks, &board, &store));
    if let Some(Err(error)) = done {
        complain(&error);
        return UNKNOWN.into();
    }
    let Some(view) = board.group(GROUP_HEALTH, Instant::now()) else { return UNKNOWN.into() };
    if let Some(emptiness) = emptiness {
        complain(&format!("warning: {emptiness}"));
    }
    let text = match format {
        CheckFormat::Table => table(&view),
        CheckFormat::Json => web::document_of(&board, &plan.service, &plan.version, &view),
    };
    print_or(&text, code(&view, names.is_empty()).into(), UNKNOWN.into())
}

/// A log whose lines are all written, however slowly they are read: there is no agent whose end that could delay.
fn logging(level: LevelFilter, format: telemetry::Format, store: &Store) -> Result<Log, String> {
    let log = Log::start(store, None).map_err(|error| format!("cannot start a thread: {error}"))?;
    telemetry::init(level, format, log.queue.clone(), store, telemetry::Listeners::default())
        .map_err(|error| format!("cannot log: {error}"))?;
    Ok(log)
}

/// All checks together count as their group does; named ones count as they are.
fn code(view: &GroupView, all: bool) -> u8 {
    let worst = view.checks.iter().map(|judged| judged.state).max().unwrap_or(State::Healthy);
    match if all && worst != State::Unknown { view.state } else { worst } {
        State::Healthy => 0,
        State::Degraded => 1,
        State::Unhealthy => 2,
        State::Unknown => UNKNOWN,
    }
}

fn table(view: &GroupView) -> String {
    let rows: Vec<[String; 5]> = view.checks.iter().map(row).collect();
    let header = ["CHECK", "KIND", "STATUS", "LATENCY", "DETAILS"].map(str::to_owned);
    let mut widths = [0; 5];
    for row in std::iter::once(&header).chain(&rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in std::iter::once(&header).chain(&rows) {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn row(judged: &Judged) -> [String; 5] {
    let (mut latency, mut details) = (String::new(), Vec::new());
    if let Some(standing) = &judged.standing {
        latency = format!("{:.1} ms", standing.latency.as_secs_f64() * 1_000.0);
        details.extend(standing.failing.as_ref().map(|failing| failing.message.to_string()));
        let advice = standing.details.iter().find(|(key, _)| key == ADVICE);
        if let Some((_, Detail::Text(advice))) = advice {
            details.push(advice.clone());
        }
        details.extend(standing.measurements.iter().map(|(name, value)| format!("{name}={value}")));
    } else {
        details.push("no answer".to_owned());
    }
    let entry = &judged.entry;
    [entry.name.to_string(), entry.kind.to_owned(), judged.state.to_string(), latency, details.join(", ")]
}

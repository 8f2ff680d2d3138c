//! `config`: look at the configuration without running anything.

use std::process::ExitCode;

use crate::agent;

use super::Options;
use super::output::{complain, print};

pub(super) fn check(options: &Options) -> ExitCode {
    let Some((plan, _)) = options.plan() else { return ExitCode::FAILURE };
    let count = plan.checks.len();
    let checks = if count == 1 { "check" } else { "checks" };
    print(&format!("the configuration is good: {count} {checks}\n"));
    ExitCode::SUCCESS
}

pub(super) fn show(options: &Options) -> ExitCode {
    let Some((_, records)) = options.plan() else { return ExitCode::FAILURE };
    print(&records.to_string());
    ExitCode::SUCCESS
}

pub(super) fn example(topic: Option<&str>) -> ExitCode {
    match agent::example(topic) {
        Ok(text) => {
            print(&text);
            ExitCode::SUCCESS
        }
        Err(message) => {
            complain(&message);
            ExitCode::FAILURE
        }
    }
}

//! `config`: look at the configuration without running anything.

use std::process::ExitCode;

use crate::agent;

use super::Options;
use super::output::print;

pub(super) fn check(options: &Options) -> ExitCode {
    let Some((plan, _)) = options.plan() else { return ExitCode::FAILURE };
    print(&format!("the configuration is good: {} checks\n", plan.checks.len()));
    ExitCode::SUCCESS
}

pub(super) fn show(options: &Options) -> ExitCode {
    let Some((_, records)) = options.plan() else { return ExitCode::FAILURE };
    print(&records.to_string());
    ExitCode::SUCCESS
}

pub(super) fn example() -> ExitCode {
    print(&agent::example());
    ExitCode::SUCCESS
}

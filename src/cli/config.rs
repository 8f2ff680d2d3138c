//! `config`: look at the configuration without running anything.

use std::process::ExitCode;

use crate::agent;

use super::output::{complain, print, warn_of_emptiness};
use super::{Options, Refused};

pub(super) fn check(options: &Options) -> ExitCode {
    let (plan, _) = match options.plan() {
        Ok(read) => read,
        Err(refused) => return refused.code(),
    };
    warn_of_emptiness(&plan);
    let count = plan.checks.len();
    let checks = if count == 1 { "check" } else { "checks" };
    print(&format!("the configuration is good: {count} {checks}\n"), ExitCode::SUCCESS)
}

pub(super) fn show(options: &Options) -> ExitCode {
    let (plan, records) = match options.plan() {
        Ok(read) => read,
        Err(refused) => return refused.code(),
    };
    warn_of_emptiness(&plan);
    print(&records.to_string(), ExitCode::SUCCESS)
}

pub(super) fn example(topic: Option<&str>) -> ExitCode {
    match agent::example(topic) {
        Ok(text) => print(&text, ExitCode::SUCCESS),
        Err(message) => {
            complain(&message);
            Refused::Usage.code()
        }
    }
}

//! `assets`: write the dashboards and rules that come with the program, with the names and addresses of one's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use url::Url;

use crate::agent;
use crate::assets::{Objective, Place};

use super::Options;
use super::output::{complain, print, warn_of_emptiness};

#[derive(Subcommand, Debug)]
pub(super) enum AssetsAction {
    /// Write dashboards, rules for Prometheus and its operator, and what Grafana loads them by
    Export {
        /// Where to; made where it is missing, files of the same name are replaced
        #[arg(long)]
        dir: PathBuf,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Print rules and objectives for exactly the configured checks
    Rules {
        /// The configuration [default: as for all commands]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        place: PlaceArgs,
    },
}

/// The place where dashboards and rules are used.
#[derive(Args, Debug)]
pub(super) struct PlaceArgs {
    /// Where Grafana is: alerts link to its dashboards [default: http://localhost:3000]
    #[arg(long, value_name = "URL", value_parser = address)]
    grafana_url: Option<String>,
    /// Where the pages of the alerts are, one NAME.md each [default: those of this project]
    #[arg(long, value_name = "URL", value_parser = address)]
    runbook_url: Option<String>,
    /// Look at this job only [default: at all]
    #[arg(long, value_parser = job)]
    job: Option<String>,
}

impl From<PlaceArgs> for Place {
    fn from(args: PlaceArgs) -> Self {
        let default = Self::default();
        Self {
            grafana_url: args.grafana_url.unwrap_or(default.grafana_url),
            runbook_url: args.runbook_url.unwrap_or(default.runbook_url),
            job: args.job,
        }
    }
}

pub(super) fn assets(options: &mut Options, action: AssetsAction) -> ExitCode {
    match action {
        AssetsAction::Export { dir, place } => export(&dir, &place.into()),
        AssetsAction::Rules { config, place } => {
            options.config_file = config.or_else(|| options.config_file.take());
            rules(options, &place.into())
        }
    }
}

fn export(dir: &Path, place: &Place) -> ExitCode {
    let files = place.bundle(&agent::definitions());
    for file in &files {
        let path = dir.join(&file.path);
        let folder = path.parent().unwrap_or(dir);
        if let Err(error) = fs::create_dir_all(folder).and_then(|()| fs::write(&path, &file.content)) {
            complain(&format!("{}: cannot be written: {error}", path.display()));
            return ExitCode::FAILURE;
        }
    }
    print(&format!("{} files written to {}\n", files.len(), dir.display()), ExitCode::SUCCESS)
}

fn rules(options: &Options, place: &Place) -> ExitCode {
    let (plan, _) = match options.plan() {
        Ok(read) => read,
        Err(refused) => return refused.code(),
    };
    warn_of_emptiness(&plan);
    let checks: Vec<Objective> = plan
        .checks
        .iter()
        .map(|check| Objective {
            name: check.name.to_string(),
            criticality: check.policy.criticality,
            ratio: check.policy.objective,
        })
        .collect();
    print(&place.rules_for(&checks, &agent::definitions()), ExitCode::SUCCESS)
}

/// An address that paths can be added to.
fn address(text: &str) -> Result<String, String> {
    let usable = |url: &Url| {
        matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none()
    };
    match Url::parse(text) {
        Ok(url) if usable(&url) => Ok(url.as_str().trim_end_matches('/').to_owned()),
        _ => Err("write an address such as https://grafana.example, without ? and #".to_owned()),
    }
}

/// The name of a job, as it can stand in every file without quotes of its own.
fn job(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Err("write the name of a job with letters, digits and any of _ - . /".to_owned())
}

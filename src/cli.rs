//! The command line: arguments to configuration to action to exit code. Flags are named as other exporters name theirs.

mod assets;
mod check;
mod config;
mod descriptors;
mod healthcheck;
mod output;
mod run;
mod signals;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::agent::{self, LogFormat, LogLevel, Plan};
use crate::config::{Document, MAX_FILE, Records, Word};
use crate::file::{self, Unreadable};
use crate::telemetry;

use output::{complain, printed};

/// The file that is read when there is one and none is named.
const DEFAULT_FILE: &str = "vitalsign.yaml";

/// How long whoever writes a configuration into a pipe may take.
const PIPE_WITHIN: Duration = Duration::from_secs(30);

/// Checks what a service depends on; serves its health and metrics.
#[derive(Parser, Debug)]
#[command(name = "vitalsign", version, about, max_term_width = 100)]
struct Command {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Args, Debug)]
struct Options {
    /// Configuration file [default: vitalsign.yaml where there is one, else this machine and what DATABASE_URL,
    /// REDIS_URL and AMQP_URL name]
    #[arg(long = "config.file", value_name = "FILE", global = true)]
    config_file: Option<PathBuf>,
    /// Address to listen on; may be given several times [default: what the configuration says, else :10464]
    #[arg(long = "web.listen-address", value_name = "ADDRESS", global = true)]
    listen: Vec<String>,
    /// How much to log [default: what the configuration says, else info]
    #[arg(long = "log.level", value_name = "LEVEL", global = true)]
    log_level: Option<LogLevel>,
    /// How log lines look [default: what the configuration says, else logfmt]
    #[arg(long = "log.format", value_name = "FORMAT", global = true)]
    log_format: Option<LogFormat>,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Run the agent until SIGTERM or SIGINT; a second one ends it at once (the default)
    Run,
    /// Run checks once and print how they stand; exit code 0 healthy, 1 degraded, 2 unhealthy, 3 unknown
    Check {
        /// The checks to run [default: all]
        names: Vec<String>,
        /// How to print
        #[arg(long, value_enum, default_value_t = CheckFormat::Table)]
        format: CheckFormat,
    },
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigAction),
    /// Dashboards and alert rules that come with this program
    #[command(subcommand)]
    Assets(assets::AssetsAction),
    /// Ask a health endpoint and exit 0 on 200, else 1: for containers without curl
    Healthcheck {
        /// The endpoint [default: /health/live where the configuration says that the agent listens]
        url: Option<String>,
        /// How many seconds to wait for the answer
        #[arg(long, default_value_t = 5)]
        timeout: u16,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CheckFormat {
    /// For people
    Table,
    /// For programs: what /health answers
    Json,
}

#[derive(Subcommand, Debug)]
enum ConfigAction {
    /// Say every problem of the configuration, with its place
    Check,
    /// Print every setting in effect and where it comes from, secrets hidden
    Show,
    /// Print a configuration with every kind of check, or every key of one kind or section
    Example {
        /// A kind of check, or a section such as defaults, collectors or otlp
        topic: Option<String>,
    },
}

impl ValueEnum for LogLevel {
    fn value_variants<'a>() -> &'a [Self] {
        Self::ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(self.word().into())
    }
}

impl ValueEnum for LogFormat {
    fn value_variants<'a>() -> &'a [Self] {
        Self::ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(self.word().into())
    }
}

/// Does what the command line asks for.
#[must_use]
pub fn main() -> ExitCode {
    telemetry::report_panics(|what| complain(&what));
    #[cfg(feature = "sqlite")]
    crate::agent::limit_memory();
    let Command { mut options, action } = match Command::try_parse() {
        Ok(command) => command,
        Err(other) => {
            // Help and version are answers, not errors.
            let said = other.print();
            return match other.use_stderr() {
                true => Refused::Usage.code(),
                false if printed(said) => ExitCode::SUCCESS,
                false => ExitCode::FAILURE,
            };
        }
    };
    match action.unwrap_or(Action::Run) {
        Action::Run => run::run(&options),
        Action::Check { names, format } => check::check(&options, &names, format),
        Action::Config(ConfigAction::Check) => config::check(&options),
        Action::Config(ConfigAction::Show) => config::show(&options),
        Action::Config(ConfigAction::Example { topic }) => config::example(topic.as_deref()),
        Action::Assets(action) => assets::assets(&mut options, action),
        Action::Healthcheck { url, timeout } => healthcheck::healthcheck(&options, url, timeout),
    }
}

/// Why nothing was done; what it was has been said. The exit codes are those of sysexits(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    /// The command line.
    Usage,
    /// The configuration.
    Configuration,
}

impl Refused {
    fn code(self) -> ExitCode {
        match self {
            Self::Usage => 64.into(),
            Self::Configuration => 78.into(),
        }
    }
}

impl Options {
    /// Reads the configuration that these options lead to; says what is wrong with it where it cannot be used.
    fn plan(&self) -> Result<(Plan, Records), Refused> {
        let document = self.document()?.with_environment(&agent::variables(), &environment);
        let (mut plan, records) = Plan::read(document).map_err(|problems| {
            complain(&problems);
            Refused::Configuration
        })?;
        plan.listen = self.listen(plan.listen)?;
        let found_out = plan.find_out(&environment);
        for warning in records.warnings().iter().chain(&found_out) {
            complain(&format!("warning: {warning}"));
        }
        plan.log_level = self.log_level.unwrap_or(plan.log_level);
        plan.log_format = self.log_format.unwrap_or(plan.log_format);
        Ok((plan, records))
    }

    /// Where the agent listens: these options win over the configuration.
    fn listen(&self, configured: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Refused> {
        let asked = self.listen.iter().map(|text| {
            crate::config::listen_address(text).ok_or_else(|| {
                complain(&format!(
                    "--web.listen-address: {text:?} is not a valid address: write :10464 or 127.0.0.1:10464"
                ));
                Refused::Usage
            })
        });
        let asked = asked.collect::<Result<Vec<_>, _>>()?;
        let default = || crate::config::listen_address(agent::DEFAULT_LISTEN).into_iter().collect();
        Ok([asked, configured].into_iter().find(|addresses| !addresses.is_empty()).unwrap_or_else(default))
    }

    fn document(&self) -> Result<Document, Refused> {
        let default = PathBuf::from(DEFAULT_FILE);
        let file = self.config_file.clone().or_else(|| default.exists().then_some(default));
        let Some(file) = file else {
            let (text, not_checked) = agent::from_environment(&environment);
            for message in not_checked {
                complain(&message);
            }
            return Ok(Document::parse("environment", text, &environment));
        };
        let problem = match file::read_or_wait(&file, MAX_FILE, PIPE_WITHIN) {
            Ok(text) => return Ok(Document::parse(&file.to_string_lossy(), text, &environment)),
            Err(Unreadable::System(error)) => format!("cannot be read: {error}"),
            Err(problem @ Unreadable::NotAFile) => format!("{problem} or pipe"),
            Err(problem) => problem.to_string(),
        };
        complain(&format!("{}: {problem}", file.display()));
        Err(Refused::Configuration)
    }
}

/// The environment of this process. The one place that reads it.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

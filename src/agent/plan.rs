//! From a configuration to what the agent will do: the only form that it starts from.
//!
//! Reading a plan makes the checks and starts nothing. What can be wrong with the whole (a kind that does not exist, a
//! group that a kind may not join) is found here; what can be wrong with a part, by that part.

mod kind_word;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::checks::{self, Kind};
use crate::collect::{Collectors, Root, SOURCES};
use crate::config::{
    Document, Fields, Given, Inheritance, Measurable, OneOrMany, Problems, Records, Variable, Word, describe,
    read_general, read_policy,
};
use crate::health::GROUP_LIVE;
use crate::model::{Measures, Policy};
#[cfg(feature = "otlp")]
use crate::push;
use crate::resource::{self, Resource};
use crate::runner::Planned;

use super::function::FunctionCheck;
use super::invalid::InvalidCheck;

use kind_word::KindWord;

/// Where the agent listens unless told otherwise: every interface, and a port that no other exporter uses.
pub const DEFAULT_LISTEN: &str = ":10464";

/// How long stopping may take unless told otherwise: below the 30 s after which Kubernetes kills.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// What the agent will do.
pub struct Plan {
    /// Where it listens.
    pub listen: Vec<SocketAddr>,
    /// The service whose health it tells.
    pub service: String,
    /// The version of that service.
    pub version: String,
    /// How long it goes on as before after it was told to stop, with `ready` saying so.
    pub drain: Option<Duration>,
    /// How long stopping may take, the drain time included.
    pub stop_within: Duration,
    /// Whether `ready` is 200 while there are no checks. A plan made in code says so itself by having none; out of a
    /// file it is most likely a mistake, and `ready` is then 503.
    pub ready_without_checks: bool,
    /// How much it logs.
    pub log_level: LogLevel,
    /// How its log lines look.
    pub log_format: LogFormat,
    /// What it checks.
    pub checks: Vec<Planned>,
    /// What it reads of this machine.
    pub collectors: Collectors,
    /// What leaves over OTLP.
    #[cfg(feature = "otlp")]
    pub otlp: push::Settings,
    /// What it says of itself over OTLP and as `target_info`, beside service, version and address, which it adds where
    /// they are missing.
    pub resource: Resource,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Only what ends the agent.
    Error,
    /// And what somebody should look at.
    Warn,
    /// And every change of a state.
    Info,
    /// And the cause of every failed run.
    Debug,
    /// Everything.
    Trace,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// `key=value` pairs.
    Logfmt,
    /// One JSON object a line.
    Json,
}

impl Word for LogLevel {
    const MEANING: &'static str = "log level";
    const ALL: &'static [Self] = &[Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl Word for LogFormat {
    const MEANING: &'static str = "log format";
    const ALL: &'static [Self] = &[Self::Logfmt, Self::Json];

    fn word(self) -> &'static str {
        match self {
            Self::Logfmt => "logfmt",
            Self::Json => "json",
        }
    }
}

impl Default for Plan {
    /// A plan that checks nothing yet.
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            service: "vitalsign".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            drain: None,
            stop_within: STOP_WITHIN,
            ready_without_checks: true,
            log_level: LogLevel::Info,
            log_format: LogFormat::Logfmt,
            checks: Vec::new(),
            collectors: Collectors::default(),
            #[cfg(feature = "otlp")]
            otlp: push::Settings::default(),
            resource: Resource::default(),
        }
    }
}

impl Plan {
    /// Reads a plan out of a configuration, with the record of what every setting is and where it came from.
    ///
    /// # Errors
    /// Every problem of the configuration at once.
    pub fn read(document: Document) -> Result<(Self, Records), Problems> {
        let (mut plan, records) = document.with_defaults(&DEFAULTS).read(read)?;
        let secrets: Arc<[String]> =
            records.secrets().iter().map(|secret| secret.expose().to_owned()).collect();
        for check in &mut plan.checks {
            check.secrets = Arc::clone(&secrets);
        }
        Ok((plan, records))
    }

    /// Adds to the resource what the environment says and what can be found out, and calls the service as it says. Gives
    /// what is wrong with the environment, which then counts as not set.
    pub fn find_out(&mut self, env: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
        let problems = self.resource.find_out(env);
        let named =
            [(resource::SERVICE_NAME, &mut self.service), (resource::SERVICE_VERSION, &mut self.version)];
        for (attribute, name) in named {
            if let Some(said) = self.resource.get(attribute) {
                *name = said.to_string();
            }
        }
        problems
    }

    /// What to say where the configuration has no checks and does not say that this is meant.
    #[must_use]
    pub fn emptiness(&self) -> Option<&'static str> {
        (self.checks.is_empty() && !self.ready_without_checks).then_some(
            "no checks are configured, so `ready` answers 503: add checks, or set `ready_without_checks: true` where \
             only metrics are wanted",
        )
    }

    /// Adds a check that was made in code.
    ///
    /// # Errors
    /// [`InvalidCheck`]; nothing is added then. That two checks have one name shows when the agent starts.
    pub fn add(&mut self, check: FunctionCheck) -> Result<(), InvalidCheck> {
        self.checks.push(check.plan()?);
        Ok(())
    }
}

/// The section `defaults` stands in for what checks leave out.
const DEFAULTS: Inheritance = Inheritance { from: "defaults", sorts: "kinds", to: "checks", sort: "kind" };

/// Where a configuration says that the agent listens; empty where it says nothing. Looks at no other setting.
///
/// # Errors
/// The problems of this setting, and those of the text as a whole.
pub fn listens(document: Document) -> Result<Vec<SocketAddr>, Problems> {
    let (listens, _) = document.read(|fields| {
        let listens = read_listen(fields);
        fields.ignore_rest();
        listens
    })?;
    Ok(listens)
}

fn read_listen(fields: &mut Fields<'_>) -> Vec<SocketAddr> {
    let listen = fields.optional::<OneOrMany<SocketAddr>>(
        "listen",
        "where to listen: `:port` for every interface, `address:port`, or a list of them (default `:10464`)",
    );
    listen.map(|OneOrMany(addresses)| addresses).unwrap_or_default()
}

/// Reads the whole file. Also what a description of all settings is made from.
pub(crate) fn read(fields: &mut Fields<'_>) -> Plan {
    let defaults = Plan::default();
    let listen = read_listen(fields);
    let (named, versioned) = (fields.is_set("service"), fields.is_set("version"));
    let service = fields.or("service", defaults.service, "the service whose health this is");
    let version = fields.or("version", defaults.version, "the version of that service");
    let attributes = fields.values::<String>(
        "resource",
        "attributes of this process on OTLP and `target_info`, such as `deployment.environment.name: production`; they \
         win over those of OTEL_RESOURCE_ATTRIBUTES",
    );
    let said = [(resource::SERVICE_NAME, &service, named), (resource::SERVICE_VERSION, &version, versioned)];
    let said = said
        .into_iter()
        .filter(|(_, _, said)| *said)
        .map(|(name, value, _)| (name.to_owned(), value.clone()));
    let resource = Resource::new(said.chain(attributes));
    let (drain, stop_within) = fields.section("stop", "what happens after SIGTERM", |fields| {
        let drain = fields.optional::<Duration>(
            "drain",
            "how long to go on as before while `ready` answers 503, so that traffic moves away first",
        );
        let within = fields.or("within", STOP_WITHIN, "how long stopping may take in all");
        if drain.is_some_and(|drain| drain >= within) {
            fields.problem("drain", "must be shorter than `within`, which bounds all of stopping");
        }
        (drain, within)
    });
    let ready_without_checks = fields.or(
        "ready_without_checks",
        false,
        "whether `ready` is 200 while no checks are configured: for an agent that only serves metrics",
    );
    let (log_level, log_format) = fields.section("log", "the log on standard error", |fields| {
        let level = fields.or("level", defaults.log_level, "how much is logged");
        let format = fields.or("format", defaults.log_format, "how lines look");
        (level, format)
    });
    let (root, collectors) =
        fields.section("collectors", "the numbers of this machine on /metrics", read_collectors);
    #[cfg(feature = "otlp")]
    let otlp = push::Settings::read(fields);
    fields.optional_section(
        "defaults",
        "what holds for all checks that do not say otherwise themselves",
        read_defaults,
    );
    let checks =
        fields.entries("checks", "what is checked, by name", |name, fields| read_check(name, &root, fields));
    refuse_settings_of_checks(fields);
    Plan {
        listen,
        service,
        version,
        drain,
        stop_within,
        ready_without_checks,
        log_level,
        log_format,
        checks: checks.into_iter().filter_map(|(_, check)| check).collect(),
        collectors,
        #[cfg(feature = "otlp")]
        otlp,
        resource,
    }
}

/// What the environment says of this process, as the settings that it stands for; [`Plan::find_out`] adds it where there
/// is no configuration to read.
const RESOURCE: [Variable; 2] = [
    Variable {
        name: resource::SERVICE_NAME_VARIABLE,
        setting: &["service"],
        below: Some(&["resource", resource::SERVICE_NAME]),
        each: false,
        means: Given::as_is,
    },
    Variable {
        name: resource::ATTRIBUTES_VARIABLE,
        setting: &["resource"],
        below: None,
        each: true,
        // Where it is wrong it is ignored, as OpenTelemetry has it, and that is told when the rest is found out.
        means: |text| Ok(resource::pairs(text).map_or(Given::Nothing, Given::Mapping)),
    },
];

/// Every variable of the environment that stands for a setting, for [`Document::with_environment`].
#[must_use]
pub fn variables() -> Vec<Variable> {
    let parts: &[&[Variable]] = &[
        &RESOURCE,
        #[cfg(feature = "otlp")]
        &push::settings::VARIABLES,
    ];
    parts.concat()
}

fn read_collectors(fields: &mut Fields<'_>) -> (Root, Collectors) {
    let path = fields.or(
        "root_path",
        PathBuf::from("/"),
        "where the root of the machine is, for a container that has the host's elsewhere; also for the checks of its \
         processors, memory, disks, tasks and processes",
    );
    let root = Root::new(path);
    let mut collectors = Vec::with_capacity(SOURCES.len());
    for source in SOURCES {
        let collector = fields.section(source.name(), source.about(), |fields| {
            let enabled = fields.or("enabled", source.enabled(), "whether it runs");
            source.build(&root, fields).filter(|_| enabled)
        });
        collectors.extend(collector);
    }
    (root, Collectors(collectors))
}

/// Reads what stands in for many checks; each gets it when it is read.
fn read_defaults(fields: &mut Fields<'_>) {
    fields.only_what_is_written();
    read_general(fields, &Policy::default());
    fields.optional_section("kinds", "the same for all checks of one kind", |fields| {
        for kind in checks::KINDS {
            fields.optional_section(kind.name(), kind.about(), |fields| {
                read_policy(fields, &kind.policy(), &Measurable::of_any_check(kind.measures()))
            });
        }
    });
}

/// Says of settings that only a check can have where they belong.
fn refuse_settings_of_checks(fields: &mut Fields<'_>) {
    if fields.describing() {
        return;
    }
    let any = Measurable::of_any_check(Measures::NONE);
    for record in describe(|fields| read_policy(fields, &Policy::default(), &any)).as_slice() {
        let name = record.name.as_str();
        let (value, defaults) = match name {
            "groups" => ("[GROUP]", "; a group is made of the checks that name it"),
            "thresholds" => ("…", ""),
            _ => ("…", ", or for all checks in `defaults`"),
        };
        let help = format!("write it in a check: `checks: {{ NAME: {{ {name}: {value} }} }}`{defaults}");
        fields.misplaced(name, "is a setting of checks", help);
    }
}

fn read_check(name: &str, root: &Root, fields: &mut Fields<'_>) -> Option<Planned> {
    let name = if fields.describing() { None } else { fields.name(name) };
    let Some(KindWord(kind)) = fields.required::<KindWord>("kind", "what sort of thing is checked") else {
        fields.ignore_rest();
        return None;
    };
    fields.explained_as(kind.name());
    let defaults = kind.policy_for(fields);
    let measurable = Measurable::of(kind.measures(), fields);
    let policy = read_policy(fields, &defaults, &measurable);
    let live = policy.groups.iter().any(|group| group.as_str() == GROUP_LIVE);
    if live && !kind.local() {
        let message = format!(
            "a check of kind {} cannot be in `live`: a restart of this process would not mend what it looks at; use \
             `ready`",
            kind.name()
        );
        fields.problem("groups", message);
    }
    let built = kind.build_at(root, fields)?;
    Some(Planned {
        name: name?,
        kind: kind.name(),
        policy,
        probe: built.probe,
        target: built.target,
        local: kind.local(),
        reasons: kind.reasons(),
        secrets: Arc::default(),
    })
}

/// The configuration that stands in for a file where there is none: this machine, and what the environment names.
/// Beside it, what the environment names and this program cannot check.
pub fn from_environment(env: &dyn Fn(&str) -> Option<String>) -> (String, Vec<String>) {
    let mut text = String::from("checks:\n");
    let mut not_checked = Vec::new();
    for kind in checks::KINDS.iter().filter(|kind| kind.by_default()) {
        text.push_str(&format!("  {0}: {{ kind: {0} }}\n", kind.name()));
    }
    for (variable, name) in [("DATABASE_URL", "database"), ("REDIS_URL", "redis"), ("AMQP_URL", "amqp")] {
        let Some(url) = env(variable).filter(|url| !url.is_empty()) else { continue };
        let scheme = url.split(':').next().unwrap_or_default();
        let Some(kind) = checks::kind_meant_by(scheme).map(Kind::name) else {
            // Only what is sure to be a scheme is repeated: what is no url may be a password alone.
            let why = match (url.contains("://"), checks::left_out(scheme)) {
                (true, Some((kind, feature))) => format!(
                    "this program was built without the kind `{kind}`: build it with `--features {feature}`"
                ),
                (true, None) => format!("there is no kind for {scheme:?}"),
                (false, _) => "it is not a url, which begins like scheme://".to_owned(),
            };
            not_checked.push(format!("{variable} is not checked: {why}"));
            continue;
        };
        let setting = if kind == "sqlite" { "path" } else { "url" };
        text.push_str(&format!(
            "  {name}: {{ kind: {kind}, {setting}: \"${{{variable}}}\", criticality: critical }}\n"
        ));
    }
    (text, not_checked)
}

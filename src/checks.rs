//! What a check is, what a kind is, and the explicit list of kinds.
//!
//! A check asks once and answers; it knows nothing of time limits, retries, state or metrics: the runner adds those.
//! A kind reads settings and makes a check; everything that is to be known about a kind (settings, defaults, metrics,
//! documentation, example) comes from its file. A new kind is a new file and one line in the table of kinds.

#[cfg(feature = "amqp")]
mod amqp;
mod cpu;
mod disk;
pub mod function;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
#[cfg(feature = "http")]
mod http;
#[cfg(any(feature = "postgres", feature = "sqlite", feature = "redis", feature = "http"))]
mod kept;
mod memory;
mod net;
#[cfg(any(feature = "amqp", feature = "postgres", feature = "sqlite", feature = "redis"))]
mod parameters;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod pool;
#[cfg(feature = "postgres")]
mod postgres;
mod process;
#[cfg(feature = "redis")]
mod redis;
mod run;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
mod tasks;
mod tcp;
#[cfg(any(feature = "amqp", feature = "http", feature = "postgres", feature = "redis"))]
mod tls;
mod usage;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::collect::Root;
use crate::config::Fields;
use crate::model::{Definition, Measures, Outcome, Policy, Reason};
use crate::reasons;

#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use pool::PoolDatabase;
pub use run::Run;

#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) use pool::PoolCheck;
#[cfg(feature = "sqlite")]
pub(crate) use sqlite::limit_memory;
pub(crate) use tasks::{GroupTasks, RuntimeTasks, threshold as tasks_threshold};

/// Something that can be asked how it is.
///
/// ```
/// use vitalsign::{Check, Outcome, Run};
///
/// struct Ledger;
///
/// impl Check for Ledger {
///     async fn run(&self, _run: &Run) -> Outcome {
///         Outcome::pass().detail("backlog", 3_u32)
///     }
/// }
/// ```
pub trait Check: Send + Sync + 'static {
    /// Asks once. The future is dropped when its time is up, so it holds nothing that must be ended politely.
    fn run(&self, run: &Run) -> impl Future<Output = Outcome> + Send;
}

/// Something that can be asked only by blocking the thread that asks.
pub trait BlockingCheck: Send + Sync + 'static {
    /// Asks once. It cannot be stopped from outside: past its time limit it counts as failed and is left alone.
    fn run(&self, run: &Run) -> Outcome;
}

/// The future of an erased check.
pub(crate) type Running<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// [`Check`] as a trait object.
pub(crate) trait ErasedCheck: Send + Sync {
    fn start<'a>(&'a self, run: &'a Run) -> Running<'a>;
}

impl<C: Check> ErasedCheck for C {
    fn start<'a>(&'a self, run: &'a Run) -> Running<'a> {
        Box::pin(self.run(run))
    }
}

/// A check, ready to be run, told apart by whether it blocks its thread.
#[derive(Clone)]
pub struct Probe(pub(crate) Asking);

#[derive(Clone)]
pub(crate) enum Asking {
    Async(Arc<dyn ErasedCheck>),
    Blocking(Arc<dyn BlockingCheck>),
}

impl Probe {
    /// A check that waits without blocking.
    pub fn new(check: impl Check) -> Self {
        Self(Asking::Async(Arc::new(check)))
    }

    /// A check that blocks its thread; it runs apart, on a bounded number of threads.
    pub fn blocking(check: impl BlockingCheck) -> Self {
        Self(Asking::Blocking(Arc::new(check)))
    }
}

/// What a check looks at, for `healthcheck.info`; never a credential.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Host name or address.
    pub address: Option<String>,
    /// Port.
    pub port: Option<u16>,
    /// OpenTelemetry's name of the database system, where it is one.
    pub db_system: Option<&'static str>,
    /// OpenTelemetry's name of the messaging system, where it is one.
    pub messaging_system: Option<&'static str>,
}

/// A check as a kind made it.
pub struct Built {
    /// The check.
    pub probe: Probe,
    /// What it looks at.
    pub target: Target,
}

/// A type of check.
pub trait Kind: Sync {
    /// The word in the configuration and in the label `healthcheck.kind`.
    fn name(&self) -> &'static str;

    /// Other words that people have for it: nothing is configured by them, but the hint names the right one.
    fn aliases(&self) -> &'static [&'static str] {
        &[]
    }

    /// One sentence: what it asks.
    fn about(&self) -> &'static str;

    /// The body of an example check, as YAML lines without indentation and without `kind`.
    fn example(&self) -> &'static str;

    /// The reasons that its runs can fail for, beside `timeout`, `panic` and `threshold`, which any check can.
    fn reasons(&self) -> &'static [Reason];

    /// What its checks measure: limits in a configuration are checked against it, and documents list it.
    fn measures(&self) -> Measures;

    /// The metrics that it defines beside those of every check.
    fn definitions(&self) -> &'static [&'static Definition] {
        &[]
    }

    /// Whether it looks only at this machine or process, so that it may be in the group `live`.
    fn local(&self) -> bool {
        false
    }

    /// Whether a check of it runs where there is no configuration.
    fn by_default(&self) -> bool {
        self.local()
    }

    /// How its checks are run and judged unless the configuration says otherwise.
    fn policy(&self) -> Policy {
        Policy::default()
    }

    /// The same where it depends on what is checked; only [`Fields::text`] is of use here.
    fn policy_for(&self, fields: &Fields<'_>) -> Policy {
        let _ = fields;
        self.policy()
    }

    /// Reads the kind's settings and makes the check; does no I/O beyond files that the settings name. `None` where a
    /// setting was missing or wrong: `fields` has noted it.
    fn build(&self, fields: &mut Fields<'_>) -> Option<Built>;

    /// The same for the machine that the collectors read, whose root is at `root`. A kind that looks at no machine has no
    /// use for it.
    fn build_at(&self, _root: &Root, fields: &mut Fields<'_>) -> Option<Built> {
        self.build(fields)
    }
}

/// Makes the lists out of the table of kinds: its type, and where a feature adds it, its name and that feature.
macro_rules! kinds {
    ($($kind:path $(: $name:tt in $feature:tt)?;)*) => {
        /// Every kind, in the order in which documents list them.
        pub static KINDS: &[&dyn Kind] = &[$($(#[cfg(feature = $feature)])? &$kind),*];

        /// The kinds that a feature adds, built in or not, and that feature.
        pub static OPTIONAL: &[(&str, &str)] = &[$($(($name, $feature),)?)*];
    };
}

kinds! {
    postgres::Postgres: "postgres" in "postgres";
    sqlite::Sqlite: "sqlite" in "sqlite";
    redis::Redis: "redis" in "redis";
    amqp::Amqp: "amqp" in "amqp";
    http::Http: "http" in "http";
    tcp::Tcp;
    cpu::Cpu;
    memory::Memory;
    disk::Disk;
    tasks::Tasks;
    process::Process;
}

/// The kind called `name`.
#[must_use]
pub fn kind(name: &str) -> Option<&'static dyn Kind> {
    KINDS.iter().copied().find(|kind| kind.name() == name)
}

/// The kind that `word` stands for: its name, or another word for it.
#[must_use]
pub fn kind_meant_by(word: &str) -> Option<&'static dyn Kind> {
    let word = word.to_ascii_lowercase();
    let called = |kind: &&dyn Kind| kind.name() == word || kind.aliases().contains(&word.as_str());
    KINDS.iter().copied().find(called)
}

/// The kind that `word` stands for and the feature that adds it, where this program was built without it. What else such a
/// kind is called begins like its name (`postgresql`, `rediss`, `https`).
#[must_use]
pub fn left_out(word: &str) -> Option<(&'static str, &'static str)> {
    OPTIONAL.iter().copied().find(|(name, _)| word.starts_with(name) && kind(name).is_none())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::Name;

    #[test]
    fn each_word_stands_for_one_kind() {
        let words = || KINDS.iter().flat_map(|kind| kind.aliases().iter().copied().chain([kind.name()]));
        assert_eq!(words().collect::<BTreeSet<_>>().len(), words().count());
    }

    #[test]
    fn a_kind_limits_what_it_measures_and_is_limited_as_others_are() {
        for kind in KINDS {
            let (policy, known) = (kind.policy(), kind.measures().known);
            assert_eq!(policy.flaws(), [], "{}", kind.name());
            for threshold in policy.thresholds {
                let limited = known.iter().find(|known| known.name == threshold.measurement.as_str());
                let (least, most) = limited.unwrap_or_else(|| panic!("{}", kind.name())).unit.range();
                let limits = [threshold.warn, threshold.fail].into_iter().flatten();
                assert!(limits.into_iter().all(|limit| (least..=most).contains(&limit.enter)));
            }
            assert!(known.iter().all(|known| Name::new(known.name).is_ok()), "{}", kind.name());
        }
    }

    #[test]
    fn a_kind_that_a_feature_adds_is_there_or_left_out() {
        for (name, feature) in OPTIONAL {
            let left = kind(name).is_none().then_some((*name, *feature));
            assert_eq!([left_out(name), left_out(&format!("{name}s"))], [left; 2]);
        }
        assert_eq!(left_out("tcp"), None);
        assert_eq!(left_out("nothing"), None);
        if cfg!(feature = "full") {
            assert!(OPTIONAL.iter().all(|(name, _)| kind(name).is_some()));
        }
    }

    #[test]
    fn what_a_kind_is_about_is_a_sentence() {
        for kind in KINDS {
            let about = kind.about();
            assert!(
                about.starts_with(char::is_uppercase) && about.ends_with('.'),
                "{}: {about}",
                kind.name()
            );
        }
    }
}

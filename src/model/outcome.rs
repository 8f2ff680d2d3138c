//! What a check answers: a verdict, what it measured, and for a failure the reason.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Display;

use super::{Cause, Definition, Name, Reason};

/// The answer of one run. It says nothing about time: whoever ran the check adds that.
#[derive(Clone, Debug)]
#[must_use = "an outcome is the answer of a check; return it"]
pub struct Outcome {
    /// Passed, passed with a warning, or failed and why.
    pub verdict: Verdict,
    /// What went wrong within the class that the reason names, where that is known.
    pub cause: Option<Cause>,
    /// A public sentence; for a failure without one the sentence of the cause stands, or of the reason.
    pub message: Option<Cow<'static, str>>,
    /// What the driver said. Private: only for the debug log, never for an answer or a label.
    pub driver: Option<String>,
    /// What an operator should change, whatever the verdict: logged once and shown with the details.
    pub advice: Option<&'static str>,
    /// Numbers that the operator named; thresholds apply to them and they become `healthcheck.measurement`.
    pub measurements: Vec<(Name, f64)>,
    /// Further facts for people, shown with the details of the answer.
    pub details: Vec<(Cow<'static, str>, Detail)>,
    /// Values for metrics that the kind itself defines.
    pub numbers: Vec<Number>,
}

/// Passed, passed with a warning, or failed and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The dependency does what it should.
    Pass,
    /// It does, but not as well as it should.
    Warn(Reason),
    /// It does not.
    Fail(Reason),
}

/// A value for a metric that a kind defines, for this check.
#[derive(Clone, Debug)]
pub struct Number {
    /// The metric; its first attribute is `healthcheck.name`, which whoever ran the check adds.
    pub definition: &'static Definition,
    /// The values of the attributes after `healthcheck.name`, in the definition's order.
    pub attributes: Vec<String>,
    /// The value.
    pub value: f64,
}

/// One fact for people.
#[derive(Clone, Debug, PartialEq)]
pub enum Detail {
    /// A whole number.
    Integer(i64),
    /// A number.
    Float(f64),
    /// Yes or no.
    Bool(bool),
    /// A text. It is public: never a driver's message, never a secret.
    Text(String),
}

impl Outcome {
    fn new(verdict: Verdict) -> Self {
        Self {
            verdict,
            cause: None,
            message: None,
            driver: None,
            advice: None,
            measurements: Vec::new(),
            details: Vec::new(),
            numbers: Vec::new(),
        }
    }

    /// The dependency does what it should.
    pub fn pass() -> Self {
        Self::new(Verdict::Pass)
    }

    /// It works, but not as well as it should; `message` is public.
    pub fn warn(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Verdict::Warn(Reason::Other)).message(message)
    }

    /// It does not work; `message` is public, so it must not hold secrets or a driver's text.
    pub fn fail(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Verdict::Fail(Reason::Other)).message(message)
    }

    /// It does not work, for one of the known reasons.
    pub fn failed(reason: Reason) -> Self {
        Self::new(Verdict::Fail(reason))
    }

    /// It does not work, and why is known exactly.
    pub fn caused_by(cause: Cause) -> Self {
        Self::failed(cause.reason()).cause(cause)
    }

    /// Sets the cause.
    pub fn cause(mut self, cause: Cause) -> Self {
        self.cause = Some(cause);
        self
    }

    /// Sets the public sentence.
    pub fn message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// Adds what the driver said; private, for the debug log.
    pub fn because(mut self, words: impl Display) -> Self {
        self.driver = Some(words.to_string());
        self
    }

    /// Adds what an operator should change, whatever the verdict.
    pub fn advise(mut self, advice: &'static str) -> Self {
        self.advice = Some(advice);
        self
    }

    /// Adds a measurement.
    pub fn measure(mut self, name: Name, value: f64) -> Self {
        self.measurements.push((name, value));
        self
    }

    /// Adds a public fact.
    pub fn detail(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Detail>) -> Self {
        self.details.push((key.into(), value.into()));
        self
    }

    /// Adds a value for a metric that the kind defines; `attributes` are those after `healthcheck.name`.
    pub fn number(mut self, definition: &'static Definition, attributes: Vec<String>, value: f64) -> Self {
        self.numbers.push(Number { definition, attributes, value });
        self
    }
}

/// What a closure may return instead of an [`Outcome`].
pub trait IntoOutcome {
    /// Turns the value into an outcome.
    fn into_outcome(self) -> Outcome;
}

impl IntoOutcome for Outcome {
    fn into_outcome(self) -> Outcome {
        self
    }
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Outcome {
        Outcome::pass()
    }
}

impl IntoOutcome for bool {
    fn into_outcome(self) -> Outcome {
        if self { Outcome::pass() } else { Outcome::failed(Reason::Other) }
    }
}

/// An `Err` fails with [`Reason::Other`]; its text is private.
impl<T: IntoOutcome, E: Into<Box<dyn Error + Send + Sync>>> IntoOutcome for Result<T, E> {
    fn into_outcome(self) -> Outcome {
        match self {
            Ok(value) => value.into_outcome(),
            Err(error) => Outcome::failed(Reason::Other).because(error.into()),
        }
    }
}

impl From<i64> for Detail {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<u32> for Detail {
    fn from(value: u32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<f64> for Detail {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<bool> for Detail {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<String> for Detail {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&str> for Detail {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

//! Which spans are recorded, in OpenTelemetry's words.
//!
//! The default records everything whose caller does not say otherwise. At 10,000 checks every ten seconds that is a
//! thousand spans a second, and several times as many with the phases: a ratio then does as well.

use std::time::Duration;

use opentelemetry_sdk::trace::Sampler;

use super::queue::Queue;
use crate::config::{Fields, Word};

/// What `OTEL_BSP_SCHEDULE_DELAY` defaults to.
const DELAY: Duration = Duration::from_secs(5);

/// Which spans are recorded, and how many wait.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spans {
    /// Who decides about a trace.
    pub sampling: Sampling,
    /// The share of traces that a ratio records.
    pub ratio: f64,
    /// What waits to be sent.
    pub queue: Queue,
}

impl Default for Spans {
    fn default() -> Self {
        Self { sampling: Sampling::ParentBasedAlwaysOn, ratio: 1.0, queue: Queue::of(DELAY) }
    }
}

/// Who decides whether a trace is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// All are.
    AlwaysOn,
    /// None is.
    AlwaysOff,
    /// A share of them is.
    TraceIdRatio,
    /// All are that a caller does not decide about.
    ParentBasedAlwaysOn,
    /// Those are that a caller wants recorded.
    ParentBasedAlwaysOff,
    /// A share is of those that a caller does not decide about.
    ParentBasedTraceIdRatio,
}

impl Word for Sampling {
    const MEANING: &'static str = "sampler";
    const ALL: &'static [Self] = &[
        Self::ParentBasedAlwaysOn,
        Self::ParentBasedAlwaysOff,
        Self::ParentBasedTraceIdRatio,
        Self::AlwaysOn,
        Self::AlwaysOff,
        Self::TraceIdRatio,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::AlwaysOn => "always_on",
            Self::AlwaysOff => "always_off",
            Self::TraceIdRatio => "traceidratio",
            Self::ParentBasedAlwaysOn => "parentbased_always_on",
            Self::ParentBasedAlwaysOff => "parentbased_always_off",
            Self::ParentBasedTraceIdRatio => "parentbased_traceidratio",
        }
    }
}

impl Spans {
    pub(super) fn read(fields: &mut Fields<'_>) -> Self {
        let default = Self::default();
        let sampling = fields.or("sampler", default.sampling, "which traces are recorded");
        let ratio = fields.or("sampler_arg", default.ratio, "the share of traces that a ratio records");
        if !(0.0..=1.0).contains(&ratio) {
            fields.problem("sampler_arg", "must be between 0 and 1");
        }
        Self { sampling, ratio, queue: Queue::read(fields, DELAY) }
    }

    pub(in crate::push) fn sampler(&self) -> Sampler {
        let parent_based = |root| Sampler::ParentBased(Box::new(root));
        match self.sampling {
            Sampling::AlwaysOn => Sampler::AlwaysOn,
            Sampling::AlwaysOff => Sampler::AlwaysOff,
            Sampling::TraceIdRatio => Sampler::TraceIdRatioBased(self.ratio),
            Sampling::ParentBasedAlwaysOn => parent_based(Sampler::AlwaysOn),
            Sampling::ParentBasedAlwaysOff => parent_based(Sampler::AlwaysOff),
            Sampling::ParentBasedTraceIdRatio => parent_based(Sampler::TraceIdRatioBased(self.ratio)),
        }
    }
}

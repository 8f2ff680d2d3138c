//! What a collector is, and what is to be known of one before it is made.

use std::time::Duration;

use crate::config::Fields;
use crate::model::{Definition, Reason};

use super::sheet::Counts;
use super::{Root, Sheet};

/// A collector as documents, configuration and the catalogue of metrics know it.
pub(crate) trait Source: Sync {
    /// The label `collector.name`, and the word in the configuration.
    fn name(&self) -> &'static str;

    /// One sentence: what it reads.
    fn about(&self) -> &'static str;

    /// Whether it runs unless the configuration says otherwise.
    fn enabled(&self) -> bool {
        true
    }

    /// The metrics that it fills.
    fn definitions(&self) -> &'static [&'static Definition];

    /// Reads the settings that it has beside `enabled`, and makes the collector. Opens nothing yet; `None` where a
    /// setting is wrong, which `fields` has noted.
    fn build(&self, root: &Root, fields: &mut Fields<'_>) -> Option<Box<dyn Collector>>;
}

/// How long numbers stand before they are read again, unless their collector says otherwise.
pub(crate) const PERIOD: Duration = Duration::from_secs(1);

/// Why a file of the kernel cannot be read.
const FILES: &[Reason] = &[Reason::NotFound, Reason::Denied, Reason::Protocol, Reason::Other];

/// Reads local numbers and fills them into its sheet.
pub(crate) trait Collector: Send {
    /// The label `collector.name`: that of its source.
    fn name(&self) -> &'static str;

    /// How long the numbers that it read last stand before they are read again.
    fn period(&self) -> Duration {
        PERIOD
    }

    /// Since when those of its numbers count that only grow.
    fn counts(&self) -> Counts {
        Counts::SinceBoot
    }

    /// The reasons for which it may fail to read something, beside a panic; their counters exist from the start.
    fn reasons(&self) -> &'static [Reason] {
        FILES
    }

    /// Reads once. What is not set in this call is gone from the page; what could not be read is noted with
    /// [`Sheet::fail`]; what does not exist here is simply not set.
    fn collect(&mut self, sheet: &mut Sheet);
}

/// Collectors, ready to be run: what a plan has of them. None unless a configuration was read.
#[derive(Default)]
pub struct Collectors(pub(crate) Vec<Box<dyn Collector>>);

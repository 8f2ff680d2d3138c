//! The traps that health checks of other frameworks fell into, one test each, by their numbers in the design.
//!
//! | trap | in |
//! |---|---|
//! | 01 metrics answer 503 while unhealthy, 02 a scrape runs checks, 11 raw paths as labels, 12 gauges leak on cancel | `metrics` |
//! | 03 green before the first result, 04 stale green, 08 ready opens again while draining, 14 unknown ranks below unhealthy, the runner stands still | `truth` |
//! | 09 answers share what changes, 13 words that no document knows, 16 what a driver said is shown | `answers` |
//! | 05 one slow check delays others, 07 a panic ends the loop, 18 the first run comes late, | `running` |
//! | 15 a time limit that blocking code ignores, 19 stuck runs pile up, the runner's threads are all stuck | `blocking` |
//! | 17 an open breaker makes an outage, 17b an open breaker makes it green | `breaker` |
//! | 06 a second check of one name replaces the first, 10 one setting drops the defaults of others | `definitions` |

#[path = "traps/answers.rs"]
mod answers;
#[path = "traps/blocking.rs"]
mod blocking;
#[path = "traps/breaker.rs"]
mod breaker;
#[path = "traps/definitions.rs"]
mod definitions;
#[path = "traps/metrics.rs"]
mod metrics;
#[path = "traps/running.rs"]
mod running;
#[path = "traps/truth.rs"]
mod truth;

use std::{
    future::{Ready, ready},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

/// For what must happen soon on any machine.
const SOON: Duration = Duration::from_secs(60);

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

const fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A dependency that is up or down as the test says.
#[derive(Clone, Debug, Default)]
struct Dependency(Arc<(AtomicBool, AtomicU32)>);

impl Dependency {
    fn up() -> Self {
        let dependency = Self::default();
        dependency.set(true);
        dependency
    }

    fn down() -> Self {
        Self::default()
    }

    fn set(&self, up: bool) {
        self.0.0.store(up, Ordering::SeqCst);
    }

    /// How often it was asked.
    fn asked(&self) -> u32 {
        self.0.1.load(Ordering::SeqCst)
    }

    fn ask(self) -> Ready<bool> {
        self.0.1.fetch_add(1, Ordering::SeqCst);
        ready(self.0.0.load(Ordering::SeqCst))
    }
}

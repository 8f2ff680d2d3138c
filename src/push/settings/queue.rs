//! How many spans or log records wait, and for how long: OpenTelemetry's `OTEL_BSP_*` and `OTEL_BLRP_*`.

use std::time::Duration;

use crate::config::Fields;

/// What those variables default to.
const SIZE: u32 = 2048;
const BATCH: u32 = 512;

/// What waits until a batch of it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// How many wait at most; one more is dropped.
    pub size: usize,
    /// How many a request has at most.
    pub batch: usize,
    /// How long the first one of a batch waits for others.
    pub delay: Duration,
}

impl Queue {
    /// The sizes that OpenTelemetry has, and this delay.
    pub(super) const fn of(delay: Duration) -> Self {
        Self { size: SIZE as usize, batch: BATCH as usize, delay }
    }

    pub(super) fn read(fields: &mut Fields<'_>, default: Duration) -> Self {
        let size = fields.or("queue_size", SIZE, "how many wait before one is dropped");
        let batch = fields.or("batch_size", BATCH, "how many a request has at most");
        let delay = fields.or("delay", default, "how long one waits for others to go with it");
        for (name, number) in [("queue_size", size), ("batch_size", batch)] {
            if !(1..=1 << 20).contains(&number) {
                fields.problem(name, "must be between 1 and 1048576");
            }
        }
        let whole = |number| usize::try_from(number).unwrap_or(usize::MAX);
        Self { size: whole(size), batch: whole(batch), delay }
    }
}

//! The agent's push: what is brought up to date before a batch is made, and where its standing shows. Nothing of it
//! exists while no endpoint is given.

use std::fmt;
use std::time::SystemTime;

use tokio::time::Instant;

use crate::health::Board;
use crate::metrics::otlp::{self, Batch, Encoder};
use crate::metrics::{Refresh, Store};
use crate::push::{Push, PushError, Settings};
use crate::resource::Resource;
use crate::supervisor::EndedEarly;

use super::half_way_to;
use super::readings::Readings;

/// The push, where there is one.
pub(super) struct Pushing(Option<Push>);

impl Pushing {
    /// Starts to push what `settings` ask for, as what `resource` is; `refresh` is what is brought up to date before anybody reads, and comes back
    /// for the next reader.
    pub(super) fn start(
        settings: &Settings,
        resource: &Resource,
        board: &Board,
        store: &Store,
        refresh: Vec<Refresh>,
    ) -> Result<(Self, Vec<Refresh>), PushError> {
        let Some(settings) = &settings.metrics else { return Ok((Self(None), refresh)) };
        let readings = Readings::new(refresh);
        let shared = readings.shared();
        let (judged, read) = (board.clone(), store.clone());
        let mut encoder = Encoder::new(&otlp::resource(resource.attributes()), settings.temporality);
        let source = move |now: SystemTime, limit: usize, hand_on: &mut dyn FnMut(&mut Batch)| {
            readings.bring();
            let at = Instant::now();
            judged.refresh_metrics(at);
            read.refresh(at);
            read.whole(|snapshot| encoder.encode(snapshot, now, limit, hand_on));
        };
        let push = Push::start(settings, store, Box::new(source))?;
        board.tell("otlp", push.line());
        Ok((Self(Some(push)), vec![shared]))
    }

    /// Waits until its task ends, which it should not; for ever where there is none.
    pub(super) async fn ended_early(&mut self) -> EndedEarly {
        match &mut self.0 {
            Some(push) => push.ended_early().await,
            None => std::future::pending().await,
        }
    }

    /// Pushes what is and what waits. Takes half of the time at most, for others stop after it.
    pub(super) async fn stop(self, deadline: Instant) {
        let Some(push) = self.0 else { return };
        push.stop(half_way_to(deadline)).await;
    }
}

impl fmt::Debug for Pushing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "on" } else { "off" })
    }
}

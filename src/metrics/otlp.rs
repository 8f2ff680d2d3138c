//! OTLP: a snapshot becomes `ExportMetricsServiceRequest`s in protobuf, in one pass and with nothing in between
//! (<https://opentelemetry.io/docs/specs/otlp/>, <https://opentelemetry.io/docs/specs/otel/metrics/data-model/>).
//!
//! ```
//! use std::time::SystemTime;
//! use vitalsign::metrics::{Store, otlp::{BATCH_LIMIT, Encoder, Temporality}};
//!
//! let store = Store::new();
//! let mut encoder = Encoder::new(&[], Temporality::Cumulative);
//! store.refresh(tokio::time::Instant::now());
//! let mut batches = Vec::new();
//! encoder.encode(&store.snapshot(), SystemTime::now(), BATCH_LIMIT, &mut |batch| batches.push(batch.clone()));
//! assert!(batches[0].points > 0);
//! ```
//!
//! # What it says
//! Name, description, unit and attributes are those of the [`Definition`](crate::model::Definition), not those of the
//! page. A gauge without a value is left out. A series that was sent and is gone, or lost its value, gets one more point
//! that says so (`NO_RECORDED_VALUE`), which Prometheus turns into a stale marker: on both ways it ends at once. With
//! deltas that point is the last delta, so that all that was counted is told.
//!
//! # Start times
//! A sum or a distribution starts when its series was made; one that goes and comes back starts anew. What somebody else
//! counts ([`Store::observed`](super::Store::observed)) was counted before it was seen: what the kernel counts since the
//! machine or this process started; of the rest nobody knows since when, and its first point starts at its own time, which
//! says just that. Either starts anew when it is found below what it was.
//!
//! # Costs
//! Some 40 ns a point, and beside the largest batch so far 8 bytes a series and one an attribute, with deltas a copy of
//! every count.

pub(super) mod attributes;
mod batch;
mod head;
mod points;
mod split;
mod track;
mod wire;

use std::time::SystemTime;

use super::snapshot::Snapshot;
use super::{Attribute, AttributeValue};
use crate::model::SCHEMA_URL;

use batch::{Envelope, Writer};
use points::Moment;
use track::Track;

pub use batch::Batch;
pub use split::split;

/// A size of batches that a collector takes: its gRPC receiver refuses messages above 4 MiB unless told otherwise. Below
/// it by what headers may add.
pub const BATCH_LIMIT: usize = 4 * 1024 * 1024 - 64 * 1024;

/// Whether a point holds everything since its start, or what came since the point before.
///
/// Only [`Cumulative`](Self::Cumulative) survives the loss of a batch: the next one holds everything again. A delta that
/// was handed on is held by its batch alone. Whoever drops the batch drops what was counted in it; the receiver sees a
/// gap between two points, and [`Batch::points`] says how many were lost. Prometheus refuses deltas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Temporality {
    /// Everything cumulative.
    #[default]
    Cumulative,
    /// Counters and histograms as deltas, sums that may shrink cumulative.
    Delta,
    /// Only what costs the encoder no look at others' counters: as [`Delta`](Self::Delta), but what somebody else
    /// counts stays cumulative.
    LowMemory,
}

/// Encodes the snapshots of one store, one after the other.
#[derive(Debug)]
pub struct Encoder {
    /// The fields `resource` and `scope` of every request, each with `schema_url` beside it.
    resource: Vec<u8>,
    scope: Vec<u8>,
    temporality: Temporality,
    tracks: Vec<Track>,
    /// The time of the last snapshot in nanoseconds since 1970; 0 before the first.
    last: u64,
    /// Room for a batch, kept so that it is not asked for and grown anew each time.
    batch: Batch,
}

impl Encoder {
    /// An encoder of what `resource` is or has, see [`resource`].
    #[must_use]
    pub fn new(resource: &[u8], temporality: Temporality) -> Self {
        let mut scope = Vec::new();
        wire::write_bytes(wire::message(1), b"vitalsign", &mut scope);
        wire::write_bytes(wire::message(2), env!("CARGO_PKG_VERSION").as_bytes(), &mut scope);
        let field = |content: &[u8]| {
            let mut field = Vec::new();
            wire::write_bytes(wire::message(1), content, &mut field);
            wire::write_bytes(wire::message(3), SCHEMA_URL.as_bytes(), &mut field);
            field
        };
        Self {
            resource: field(resource),
            scope: field(&scope),
            temporality,
            tracks: Vec::new(),
            last: 0,
            batch: Batch::default(),
        }
    }

    /// Encodes `snapshot` as what was at `now`, the time of all its points, in batches of at most `limit` bytes. Only a
    /// batch of a single point may be larger. Nothing to say makes no batch.
    ///
    /// Each batch is given to `hand_on` before the next one is begun, and what is left in it is written over by that:
    /// whoever keeps it takes it out or copies it.
    pub fn encode(
        &mut self,
        snapshot: &Snapshot,
        now: SystemTime,
        limit: usize,
        hand_on: &mut dyn FnMut(&mut Batch),
    ) {
        let now = nanos(now);
        let mut ended = track::follow(&mut self.tracks, snapshot, self.temporality);
        let moment = Moment { now, last: self.last, epoch: snapshot.epoch, temporality: self.temporality };
        let envelope = Envelope { resource: &self.resource, scope: &self.scope };
        let mut writer = Writer::new(envelope, limit, &mut self.batch, hand_on);
        for track in self.tracks.iter_mut().chain(&mut ended) {
            track.write(&moment, &mut writer);
        }
        writer.end();
        self.last = now;
    }
}

/// The message `Resource` with these attributes, as [`Encoder::new`] takes it.
#[must_use]
pub fn resource(attributes: &[Attribute]) -> Vec<u8> {
    let mut out = Vec::new();
    for Attribute { name, value } in attributes {
        wire::write_message(wire::message(1), &mut out, |out| {
            wire::write_bytes(wire::message(1), name.as_bytes(), out);
            wire::write_message(wire::message(2), out, |out| match value {
                AttributeValue::Text(text) => wire::write_bytes(wire::message(1), text.as_bytes(), out),
                AttributeValue::Integer(number) => {
                    out.push(wire::varint(3));
                    wire::write_varint(number.cast_unsigned(), out);
                }
            });
        });
    }
    out
}

/// Nanoseconds since 1970, as OTLP tells time.
fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;

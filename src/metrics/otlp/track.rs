//! What was sent of each series: since when it counts, and with deltas up to what. So a series that goes is ended, one
//! that comes back starts anew, and nothing is counted twice or, with deltas, not at all.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::metrics::TARGET_INFO;
use crate::metrics::series::{Series, Value};
use crate::metrics::snapshot::{Family, Snapshot};
use crate::model::Instrument;

use super::Temporality;
use super::batch::Writer;
use super::head::Form;
use super::points::{Moment, Points, REMADE};

/// One family as it was last sent.
#[derive(Debug)]
pub(super) struct Track {
    family: Arc<Family>,
    form: Form,
    /// For each series, how long the values of its attributes are, see [`Keys::look`](super::attributes::Keys::look).
    lengths: Vec<u8>,
    /// For each series, since when its points count; 0 where it has had no point, or its end was told.
    starts: Vec<u64>,
    /// For each series of which that is needed, its last number; empty before the first.
    numbers: Vec<u64>,
    /// For each histogram, its last counts and sum; empty before the first.
    counts: Vec<Box<[u64]>>,
    gone: Vec<Gone>,
}

/// A series whose end is to be told: with deltas by what was counted last, else by a point without a value.
#[derive(Debug)]
pub(super) struct Gone {
    pub(super) labels: Box<[u8]>,
    pub(super) series: Arc<Series>,
    pub(super) start: u64,
    pub(super) number: u64,
    pub(super) counts: Box<[u64]>,
}

/// Where a series of a new family was in the old one.
enum Origin {
    Nowhere,
    At(usize),
    /// Other series of the same labels were there.
    Remade(usize),
}

/// Brings `tracks` to the families of `snapshot`; gives those that are in it no more. Both are sorted by name.
pub(super) fn follow(tracks: &mut Vec<Track>, snapshot: &Snapshot, temporality: Temporality) -> Vec<Track> {
    let mut ended = Vec::new();
    let mut old = std::mem::take(tracks).into_iter().peekable();
    // What the process is, the resource says.
    let families = snapshot.families.iter().filter(|family| family.shape.definition.name != TARGET_INFO.name);
    tracks.reserve_exact(snapshot.families.len());
    for family in families {
        let name = family.shape.definition.name;
        while let Some(track) = old.next_if(|track| track.name() < name) {
            ended.push(track.end());
        }
        tracks.push(match old.next_if(|track| track.name() == name) {
            Some(track) => track.follow(family, temporality),
            None => Track::new(family),
        });
    }
    ended.extend(old.map(Track::end));
    ended
}

impl Track {
    fn new(family: &Arc<Family>) -> Self {
        let form = Form::new(family.shape.definition);
        Self {
            family: Arc::clone(family),
            lengths: lengths(&form, family),
            form,
            starts: vec![0; family.series.len()],
            numbers: Vec::new(),
            counts: Vec::new(),
            gone: Vec::new(),
        }
    }

    fn name(&self) -> &'static str {
        self.family.shape.definition.name
    }

    fn follow(mut self, family: &Arc<Family>, temporality: Temporality) -> Self {
        if Arc::ptr_eq(&self.family, family) {
            return self;
        }
        let origins = self.origins(family);
        let starts = origins.iter().map(|origin| match origin {
            Origin::Nowhere => 0,
            Origin::At(index) => self.starts.get(*index).copied().unwrap_or(0),
            // Its first delta holds the last one of the other too.
            Origin::Remade(index) if self.has_deltas(*index, temporality) => {
                self.starts.get(*index).copied().unwrap_or(0)
            }
            Origin::Remade(index) => self.starts.get(*index).map_or(0, |start| REMADE.min(*start)),
        });
        self.starts = starts.collect();
        for origin in &origins {
            if let Origin::Remade(index) = origin {
                self.owe_rest(*index);
            }
        }
        rearrange(&mut self.numbers, &origins);
        rearrange(&mut self.counts, &origins);
        self.lengths = lengths(&self.form, family);
        self.family = Arc::clone(family);
        self
    }

    /// Whether what the series at `index` counts leaves in deltas, and is counted here.
    fn has_deltas(&self, index: usize, temporality: Temporality) -> bool {
        let value = self.family.series.get(index).map(|series| &series.value);
        temporality != Temporality::Cumulative
            && matches!(value, Some(Value::Integer(_) | Value::Histogram(_)))
    }

    /// What the series at `index` counted since it was sent counts for the one in its place: that one is taken to have
    /// begun so far below nothing.
    fn owe_rest(&mut self, index: usize) {
        let Some(series) = self.family.series.get(index) else { return };
        let (number, counts) = (self.numbers.get_mut(index), self.counts.get_mut(index));
        match (&series.value, number, counts) {
            (Value::Integer(count), Some(last), _) => {
                *last = last.wrapping_sub(count.load(Ordering::Relaxed));
            }
            (Value::Histogram(buckets), _, Some(last)) => {
                if let Some((sum, lasts)) = last.split_last_mut() {
                    for (last, count) in lasts.iter_mut().zip(buckets.counts()) {
                        *last = last.wrapping_sub(count);
                    }
                    *sum = (f64::from_bits(*sum) - buckets.sum()).to_bits();
                }
            }
            (_, Some(last), _) => *last = 0,
            _ => {}
        }
    }

    /// Where the series of `family` were; those that are not in it any more are gone. Both are sorted by labels.
    fn origins(&mut self, family: &Family) -> Vec<Origin> {
        let Self { family: before, starts, numbers, counts, gone: all, .. } = self;
        let mut old = named(before).zip(&*starts).enumerate().peekable();
        let mut origins = Vec::with_capacity(family.series.len());
        let mut gone = |(index, ((labels, series), start)): (usize, (Named<'_>, &u64))| {
            if *start != 0 {
                all.push(Gone {
                    labels: labels.into(),
                    series: Arc::clone(series),
                    start: *start,
                    number: numbers.get(index).copied().unwrap_or(0),
                    counts: counts.get_mut(index).map(std::mem::take).unwrap_or_default(),
                });
            }
        };
        for (labels, new) in named(family) {
            while let Some(before) = old.next_if(|(_, ((known, _), _))| *known < labels) {
                gone(before);
            }
            origins.push(match old.next_if(|(_, ((known, _), _))| *known == labels) {
                Some((index, ((_, series), _))) if Arc::ptr_eq(series, new) => Origin::At(index),
                Some((index, _)) => Origin::Remade(index),
                None => Origin::Nowhere,
            });
        }
        old.for_each(gone);
        origins
    }

    /// All series are gone.
    fn end(mut self) -> Self {
        let nothing = Arc::new(Family::empty(&self.family.shape));
        self.origins(&nothing);
        self.family = nothing;
        self.starts.clear();
        self
    }

    /// Writes a point for each series that has a value, and the ends of those that had one.
    pub(super) fn write<'a>(&'a mut self, moment: &Moment, writer: &mut Writer<'a, '_>) {
        let Self { family, form, lengths, starts, numbers, counts, gone } = self;
        let mut points = Points { form, moment, writer, counts: Vec::new() };
        match family.shape.definition.instrument {
            Instrument::Gauge | Instrument::UpDownCounter => points.write_gauges(family, lengths, starts),
            Instrument::Counter => {
                numbers.resize(family.series.len(), 0);
                points.write_counters(family, lengths, starts, numbers);
            }
            Instrument::Histogram(_) => {
                counts.resize_with(if points.deltas() { family.series.len() } else { 0 }, Box::default);
                points.write_histograms(family, lengths, starts, counts);
            }
        }
        gone.drain(..).for_each(|gone| points.write_end(gone, family.shape.definition.instrument));
    }
}

/// A series and its labels.
type Named<'a> = (&'a [u8], &'a Arc<Series>);

/// Each series with its labels.
fn named(family: &Family) -> impl Iterator<Item = Named<'_>> {
    family.labels().map(|(labels, _)| labels).zip(&family.series)
}

/// The lengths of the values of all attributes.
fn lengths(form: &Form, family: &Family) -> Vec<u8> {
    let mut lengths = Vec::with_capacity(family.series.len() * form.keys.lengths());
    family.labels().for_each(|(labels, _)| form.keys.look(labels, &mut lengths));
    lengths
}

/// Puts what is known of each series where the series is now.
fn rearrange<T: Default>(known: &mut Vec<T>, origins: &[Origin]) {
    if known.is_empty() {
        return;
    }
    let mut of = |origin: &Origin| match origin {
        Origin::At(index) | Origin::Remade(index) => {
            known.get_mut(*index).map(std::mem::take).unwrap_or_default()
        }
        Origin::Nowhere => T::default(),
    };
    *known = origins.iter().map(&mut of).collect();
}

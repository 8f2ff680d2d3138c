//! What was sent of each series: since when it counts, and with deltas up to what. So a series that goes is ended, one
//! that comes back starts anew, and nothing is counted twice.

use std::sync::Arc;

use crate::metrics::TARGET_INFO;
use crate::metrics::series::Series;
use crate::metrics::snapshot::{Family, Snapshot};
use crate::model::Instrument;

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
    /// The labels of series whose end is to be told, and their starts.
    gone: Vec<(Box<[u8]>, u64)>,
}

/// Where a series of a new family was in the old one.
enum Origin {
    Nowhere,
    At(usize),
    /// Other series of the same labels were there.
    Remade(usize),
}

/// Brings `tracks` to the families of `snapshot`; gives those that are in it no more. Both are sorted by name.
pub(super) fn follow(tracks: &mut Vec<Track>, snapshot: &Snapshot) -> Vec<Track> {
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
            Some(track) => track.follow(family),
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

    fn follow(mut self, family: &Arc<Family>) -> Self {
        if Arc::ptr_eq(&self.family, family) {
            return self;
        }
        let origins = self.origins(family);
        let starts = origins.iter().map(|origin| match origin {
            Origin::Nowhere => 0,
            Origin::At(index) => self.starts.get(*index).copied().unwrap_or(0),
            Origin::Remade(index) => self.starts.get(*index).map_or(0, |start| REMADE.min(*start)),
        });
        self.starts = starts.collect();
        rearrange(&mut self.numbers, &origins);
        rearrange(&mut self.counts, &origins);
        self.lengths = lengths(&self.form, family);
        self.family = Arc::clone(family);
        self
    }

    /// Where the series of `family` were; those that are not in it any more are gone. Both are sorted by labels.
    fn origins(&mut self, family: &Family) -> Vec<Origin> {
        let mut old = named(&self.family).zip(&self.starts).enumerate().peekable();
        let mut origins = Vec::with_capacity(family.series.len());
        let mut gone = |(_, ((labels, _), start)): (usize, (Named<'_>, &u64))| {
            if *start != 0 {
                self.gone.push((labels.into(), *start));
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
        let sent = named(&self.family).zip(&self.starts).filter(|(_, start)| **start != 0);
        self.gone.extend(sent.map(|((labels, _), start)| (labels.into(), *start)));
        self.family = Arc::new(Family::empty(&self.family.shape));
        self.starts.clear();
        self
    }

    /// Writes a point for each series that has a value, and the ends of those that had one.
    pub(super) fn write<'a>(&'a mut self, moment: &Moment, writer: &mut Writer<'a, '_>) {
        let Self { family, form, lengths, starts, numbers, counts, gone } = self;
        let mut points = Points { form, moment, writer };
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
        points.write_ends(gone, matches!(family.shape.definition.instrument, Instrument::Histogram(_)));
        gone.clear();
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
        Origin::At(index) => known.get_mut(*index).map(std::mem::take).unwrap_or_default(),
        Origin::Nowhere | Origin::Remade(_) => T::default(),
    };
    *known = origins.iter().map(&mut of).collect();
}

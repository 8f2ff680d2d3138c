//! The rendered page: made once a generation of values, compressed once when the first reader asks for it, shared by
//! all readers, in buffers that are used again.
//!
//! A page of one format ends the time of those of the others: they were made earlier, and a reader of both would see
//! counters step back.
//!
//! The last lines are made anew each time that a page goes out: they tell how old it is by then, and nothing else would
//! be true of a page that is kept. A page and its end are one text, and one gzip member.
//!
//! Where only compressed pages are asked for, as Prometheus does, there is never more of the text than a piece: of ten
//! thousand checks it would be fifty megabytes.
//!
//! Runs on a worker thread of its own, never on the one that answers requests.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::format::Format;
use super::gzip::{Gzip, Open, Sum};
use super::selection::Selection;
use super::snapshot::Shape;
use super::store::Store;
use crate::model::{Definition, Instrument};

pub(super) static PAGE_AGE: Definition = Definition {
    name: "vitalsign.page.age",
    instrument: Instrument::Gauge,
    unit: "s",
    attributes: &[],
    help: "Age of the values of this page when it was handed out",
};

/// How long a page may stand while values change that do not [`Store::touch`], such as those about requests.
const MAX_AGE: Duration = Duration::from_secs(1);

/// How many buffers are kept for the next page.
const SPARE: usize = 4;
/// How many bytes all of them may hold: the buffers of a very large page would be most of the memory of the process.
const SPARE_BYTES: usize = 32 * 1024 * 1024;

/// How long after somebody asked for text every page is made as text first: who asks once asks again.
const TEXT_FOR: Duration = Duration::from_secs(120);
/// How much of a page is compressed at once, about, where there is no text.
const PIECE: usize = 128 * 1024;

/// A rendered page.
#[derive(Clone, Debug)]
pub struct Page {
    /// How the text is written.
    pub format: Format,
    /// One of these two is there.
    text: Option<Bytes>,
    gzip: Option<Open>,
    /// How its age is written.
    age: Arc<Shape>,
    generation: u64,
    made: Instant,
    expires: Instant,
    /// Which page it is, and which one is the last, of all formats.
    number: u64,
    last: Arc<AtomicU64>,
}

impl Page {
    fn unwritten(fresh: Fresh, format: Format, last: &Arc<AtomicU64>, age: &Arc<Shape>) -> Self {
        let Fresh { generation, at, expires } = fresh;
        let expires = expires.unwrap_or(at + MAX_AGE);
        let number = last.fetch_add(1, Ordering::AcqRel) + 1;
        let (last, age) = (Arc::clone(last), Arc::clone(age));
        Self { format, text: None, gzip: None, age, generation, made: at, expires, number, last }
    }

    /// Whether the page is there as one gzip member, or as text.
    #[must_use]
    pub fn is_ready(&self, compressed: bool) -> bool {
        if compressed { self.gzip.is_some() } else { self.text.is_some() }
    }

    /// How long before `now` its values began to be read.
    #[must_use]
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.made)
    }

    /// The text but for its end; unpacked where nobody asked for it before, which may take milliseconds.
    #[must_use]
    pub fn text(&self) -> Bytes {
        match (&self.text, &self.gzip) {
            (Some(text), _) => text.clone(),
            (None, Some(gzip)) => gzip.uncompress().into(),
            (None, None) => Bytes::new(),
        }
    }

    /// The text as it goes out at `now`, in two parts.
    #[must_use]
    pub fn text_at(&self, now: Instant) -> [Bytes; 2] {
        [self.text(), self.end(now).into()]
    }

    /// The text as it goes out at `now` as one gzip member in two parts, if somebody asked for it compressed.
    #[must_use]
    pub fn gzip_at(&self, now: Instant) -> Option<[Bytes; 2]> {
        self.gzip.as_ref().map(|gzip| [gzip.bytes.clone(), gzip.end(&self.end(now)).into()])
    }

    /// The last lines.
    fn end(&self, now: Instant) -> Vec<u8> {
        let mut end = Vec::with_capacity(256);
        // Microseconds: what is beyond them is long over when it arrives.
        #[expect(clippy::cast_precision_loss, reason = "a page does not live for so long")]
        let age = self.age(now).as_micros() as f64 / 1e6;
        self.format.write_gauge(&self.age, age, &mut end);
        self.format.end(&mut end);
        end
    }

    /// The text of what `selection` chooses, as it goes out at `now`. May take milliseconds: not for a thread that serves
    /// others.
    #[must_use]
    pub fn select(&self, selection: &Selection, now: Instant) -> Vec<u8> {
        let mut filter = selection.filter();
        match (&self.text, &self.gzip) {
            // Writing into memory cannot fail.
            (Some(text), _) => drop(filter.write_all(text)),
            (None, Some(gzip)) => gzip.uncompress_into(&mut filter),
            (None, None) => {}
        }
        drop(filter.write_all(&self.end(now)));
        filter.chosen()
    }

    /// Whether the page may still be shown at `now` to a reader who does not wait for a newer one.
    #[must_use]
    pub fn is_young(&self, now: Instant) -> bool {
        let is_last = self.number == self.last.load(Ordering::Acquire);
        is_last && now < self.expires && now < self.made + MAX_AGE
    }

    /// Whether values have not changed since, as [`Store::touch`] tells.
    #[must_use]
    pub fn is_newest(&self, store: &Store) -> bool {
        self.generation == store.generation()
    }
}

/// What must be brought up to date right before a page is made, and until when it then stands.
pub type Refresh = Box<dyn Fn(Instant) -> Option<Instant> + Send + Sync>;

/// Where the values of a page come from that must be brought up to date before. Apart from [`Pages`]: a thread that
/// hangs about it must not keep another from making a page of what there is.
pub(crate) struct Sources {
    store: Store,
    refresh: Vec<Refresh>,
}

/// What is known of values that were just brought up to date.
#[derive(Clone, Copy)]
pub(crate) struct Fresh {
    generation: u64,
    at: Instant,
    expires: Option<Instant>,
}

impl Sources {
    /// Brings everything up to date.
    pub(crate) fn refresh(&self, now: Instant) -> Fresh {
        let generation = self.store.generation();
        let expires = self.refresh.iter().filter_map(|refresh| refresh(now)).min();
        self.store.refresh(now);
        #[cfg(feature = "prometheus-interop")]
        self.store.foreign().ask();
        Fresh { generation, at: now, expires }
    }

    /// Writes the page of what there is, but for its end; `full` may take away what was written so far, at every few lines.
    fn write(&self, format: Format, out: &mut Vec<u8>, full: &mut dyn FnMut(&mut Vec<u8>)) {
        self.store.whole(|snapshot| {
            format.write_families(snapshot, out, full);
            let aliases = self.store.aliases();
            format.write_aliases(aliases, out);
            #[cfg(feature = "prometheus-interop")]
            self.store.foreign().render(snapshot, aliases, format, out);
        });
    }
}

/// Makes pages of a store.
pub struct Pages {
    sources: Arc<Sources>,
    /// The number of the last page.
    last: Arc<AtomicU64>,
    age: Arc<Shape>,
    /// The last page of each format.
    current: [Option<Page>; Format::ALL.len()],
    buffers: Arc<Buffers>,
    /// Once somebody asked for a compressed page.
    gzip: Option<Gzip>,
    /// Until when pages are made as text too.
    text_until: Option<Instant>,
    /// The text that is to be compressed next.
    piece: Vec<u8>,
}

impl Pages {
    /// Pages of `store`; each of `refresh` is called before a page is rendered.
    #[must_use]
    pub fn new(store: Store, refresh: Vec<Refresh>) -> Self {
        Self {
            sources: Arc::new(Sources { store, refresh }),
            last: Arc::default(),
            age: Arc::new(Shape::new(&PAGE_AGE)),
            current: Default::default(),
            buffers: Arc::default(),
            gzip: None,
            text_until: None,
            piece: Vec::new(),
        }
    }

    /// What the pages are made from.
    pub(crate) fn sources(&self) -> Arc<Sources> {
        Arc::clone(&self.sources)
    }

    /// Whether the last page in `format` still stands at `now`, because nothing changed.
    pub(crate) fn stands(&self, now: Instant, format: Format) -> bool {
        let newest = |page: &Page| page.is_newest(&self.sources.store) && page.is_young(now);
        self.current.get(format as usize).and_then(Option::as_ref).is_some_and(newest)
    }

    /// The page as of `now`, with its compressed form if `compressed`. The last one again where nothing changed.
    pub fn page(&mut self, now: Instant, format: Format, compressed: bool) -> Page {
        let fresh = (!self.stands(now, format)).then(|| self.sources.refresh(now));
        self.make(fresh, format, compressed)
    }

    /// The page of values that are `fresh`, or the last one again.
    pub(crate) fn make(&mut self, fresh: Option<Fresh>, format: Format, compressed: bool) -> Page {
        let last = self.current.get_mut(format as usize).and_then(Option::take);
        let mut page = match (fresh, last) {
            (None, Some(page)) => page,
            (Some(fresh), _) => Page::unwritten(fresh, format, &self.last, &self.age),
            (None, None) => {
                Page::unwritten(self.sources.refresh(Instant::now()), format, &self.last, &self.age)
            }
        };
        if !compressed {
            self.text_until = Some(page.made + TEXT_FOR);
        }
        let whole = self.text_until.is_some_and(|until| page.made < until);
        if page.text.is_none() && whole {
            let mut text = self.buffers.take();
            match &page.gzip {
                // Not written anew: values have changed since.
                Some(gzip) => text.extend_from_slice(&gzip.uncompress()),
                None => self.sources.write(format, &mut text, &mut |_| {}),
            }
            page.text = Some(self.buffers.lend(text));
        }
        if page.gzip.is_none() && compressed {
            let mut packed = self.buffers.take();
            let sum = match &page.text {
                Some(text) => {
                    let gzip = self.gzip.get_or_insert_default();
                    gzip.begin(&mut packed);
                    gzip.leave_open(text, &mut packed)
                }
                None => self.compress_pieces(format, &mut packed),
            };
            page.gzip = Some(Open { bytes: self.buffers.lend(packed), sum });
        }
        if let Some(place) = self.current.get_mut(format as usize) {
            *place = Some(page.clone());
        }
        page
    }

    /// Compresses a page of which there is no text, one piece after the other.
    fn compress_pieces(&mut self, format: Format, out: &mut Vec<u8>) -> Arc<Sum> {
        let Self { sources, gzip, piece, .. } = self;
        let gzip = gzip.get_or_insert_default();
        piece.clear();
        gzip.begin(out);
        sources.write(format, piece, &mut |piece| {
            if piece.len() >= PIECE {
                gzip.add(piece, out);
                piece.clear();
            }
        });
        gzip.leave_open(piece, out)
    }
}

/// Buffers that come back when the last reader of a page lets go of it.
#[derive(Debug, Default)]
struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    fn take(&self) -> Vec<u8> {
        self.0.lock().pop().unwrap_or_default()
    }

    fn lend(self: &Arc<Self>, buffer: Vec<u8>) -> Bytes {
        Bytes::from_owner(Lent { buffer, home: Arc::clone(self) })
    }
}

#[derive(Debug)]
struct Lent {
    buffer: Vec<u8>,
    home: Arc<Buffers>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut spare = self.home.0.lock();
        let held: usize = spare.iter().map(Vec::capacity).sum();
        if spare.len() < SPARE && held + self.buffer.capacity() <= SPARE_BYTES {
            let mut buffer = std::mem::take(&mut self.buffer);
            buffer.clear();
            spare.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests;

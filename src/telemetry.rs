//! The log of the process itself: logfmt or JSON lines on standard error, and a counter of them by level. A
//! line that is written in a span shows its ids. Nobody who logs waits for whoever reads: see [`Queue`].
//!
//! Only our own events are let through. What drivers log quotes what they were given, passwords among it, and says
//! nothing that the reason of a failed run and the debug line of ours do not say.

mod lines;
mod queue;

use std::fmt;

use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber, error, event_enabled};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Context, Identity, SubscriberExt};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, Registry};

use crate::metrics::{Counter, Store};
use crate::model::{Definition, Instrument};

use lines::WithIds;

pub use queue::Queue;

static EVENTS: Definition = Definition {
    name: "vitalsign.log.events",
    instrument: Instrument::Counter,
    unit: "{event}",
    attributes: &["level"],
    help: "Number of log lines written, by level",
};

/// The metrics that this part fills.
pub static DEFINITIONS: &[&Definition] = &[&EVENTS, &queue::DROPPED];

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `ts=… level=… message=…`.
    Logfmt,
    /// One object a line.
    Json,
}

/// What listens to this process beside its log.
#[derive(Default)]
pub struct Listeners {
    /// To spans; without it no span is ever made.
    pub spans: Option<Listener>,
    /// To the events that the log shows, and no others.
    pub events: Option<Listener>,
}

/// What listens to something.
pub type Listener = Box<dyn Layer<Registry> + Send + Sync>;

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listens = |listener: &Option<Listener>| listener.is_some();
        let (spans, events) = (listens(&self.spans), listens(&self.events));
        f.debug_struct("Listeners").field("spans", &spans).field("events", &events).finish()
    }
}

/// Makes this process log into `queue`, for a program that has no subscriber of its own.
///
/// # Errors
/// When the program has one already.
pub fn init(
    level: LevelFilter,
    format: Format,
    queue: Queue,
    store: &Store,
    listeners: Listeners,
) -> Result<(), TryInitError> {
    subscriber(level, format, queue, store, listeners).try_init()
}

fn subscriber(
    level: LevelFilter,
    format: Format,
    queue: Queue,
    store: &Store,
    listeners: Listeners,
) -> impl Subscriber + Send + Sync {
    // Of spans a line shows no more than the ids, which come another way.
    let ours = filter_fn(move |metadata| {
        let ours = metadata.target().starts_with(env!("CARGO_CRATE_NAME"));
        metadata.is_event() && ours && *metadata.level() <= level
    })
    .with_max_level_hint(level);
    let lines = match format {
        Format::Logfmt => tracing_logfmt::builder()
            .with_target(false)
            .with_span_name(false)
            .layer()
            .map_event_format(|inner| WithIds { inner, format })
            // It would write to standard error by itself, and wait.
            .log_internal_errors(false)
            .with_writer(queue)
            .boxed(),
        Format::Json => tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_target(false)
            .with_current_span(false)
            .with_span_list(false)
            .map_event_format(|inner| WithIds { inner, format })
            .log_internal_errors(false)
            .with_writer(queue)
            .boxed(),
    };
    // A layer that is not there would count as one that wants everything.
    let nobody = || Identity::new().with_filter(LevelFilter::OFF).boxed();
    let events = listeners.events.map(|events| events.with_filter(ours.clone()).boxed());
    let others = listeners.spans.unwrap_or_else(nobody).and_then(events.unwrap_or_else(nobody));
    tracing_subscriber::registry()
        .with(others)
        .with(lines.with_filter(ours.clone()))
        .with(Counting::new(store).with_filter(ours))
}

/// Makes this process say where each panic was. The message of one that is caught is not shown: it may quote whatever the
/// check was working on, a secret included. On the main thread nothing is caught: there the message is the last and only
/// thing that tells why the process ends, and it is shown; before there is a log, by `complain`.
///
/// For a program; a library leaves the hook to the program.
pub fn report_panics(complain: impl Fn(&str) + Send + Sync + 'static) {
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        if std::thread::current().name() != Some("main") {
            error!(place, "a panic was caught: this is a defect, report it");
            return;
        }
        let error = panic.payload_as_str().unwrap_or("no message");
        if event_enabled!(Level::ERROR) {
            error!(place, error, "a panic ends this process: this is a defect, report it");
        } else {
            complain(&format!("a panic at {place}: {error}: this is a defect, report it"));
        }
    }));
}

/// Counts events by level.
struct Counting([(Level, Counter); 5]);

impl Counting {
    fn new(store: &Store) -> Self {
        let counter =
            |level: Level| (level, store.counter(&EVENTS, &[level.as_str().to_lowercase().as_str()]));
        Self([Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE].map(counter))
    }
}

impl<S: Subscriber> Layer<S> for Counting {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if let Some((_, counter)) = self.0.iter().find(|(level, _)| level == event.metadata().level()) {
            counter.increment();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace;

    #[test]
    fn without_a_listener_no_span_is_made_however_much_is_logged() {
        let store = Store::new();
        let queue = Queue::to_standard_error(&store).unwrap();
        let quiet = subscriber(LevelFilter::TRACE, Format::Json, queue, &store, Listeners::default());
        tracing::subscriber::with_default(quiet, || {
            assert!(tracing::info_span!(target: trace::TARGET, "run").is_disabled());
            assert!(tracing::event_enabled!(tracing::Level::TRACE));
        });
    }
}

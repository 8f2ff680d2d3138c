//! The queue of ended spans, and the task that empties it.

use std::mem;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::Context;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::metrics::{Counter, Gauge, Store};
use crate::model::{Definition, Instrument};
use crate::push::settings::Spans;

use super::send::Sent;

static EXPORTED: Definition = Definition {
    name: "vitalsign.spans.exported",
    instrument: Instrument::Counter,
    unit: "{span}",
    attributes: &[],
    help: "Number of spans that the collector took",
};
static DROPPED: Definition = Definition {
    name: "vitalsign.spans.dropped",
    instrument: Instrument::Counter,
    unit: "{span}",
    attributes: &["reason"],
    help: "Number of spans that were lost, by reason",
};
static LAST_SUCCESS: Definition = Definition {
    name: "vitalsign.spans.last_success.timestamp",
    instrument: Instrument::Gauge,
    unit: "s",
    attributes: &[],
    help: "When the collector last took spans, as Unix time",
};

/// The metrics that this part fills, where traces are on.
pub static DEFINITIONS: &[&Definition] = &[&EXPORTED, &DROPPED, &LAST_SUCCESS];

/// An empty queue: the end that spans come in at, and the one that they go out at.
pub(super) fn queue(limits: &Spans, store: &Store) -> (Queue, Waiting) {
    let (sender, spans) = channel(limits.queue_size.max(1));
    let dropped = |reason| store.counter(&DROPPED, &[reason]);
    let (full, failed, rejected) = (dropped("queue_full"), dropped("export_failed"), dropped("rejected"));
    let (exported, last_success) = (store.counter(&EXPORTED, &[]), store.gauge(&LAST_SUCCESS, &[]));
    let (batch_size, delay) = (limits.batch_size.max(1), limits.delay);
    let waiting =
        Waiting { spans, batch_size, delay, exported, failed, rejected, last_success, failing: false };
    (Queue { spans: sender, full }, waiting)
}

/// Where spans come in.
#[derive(Debug)]
pub(super) struct Queue {
    spans: Sender<SpanData>,
    full: Counter,
}

impl SpanProcessor for Queue {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.spans.try_send(span).is_err() {
            self.full.increment();
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Where spans go out.
pub(super) struct Waiting {
    spans: Receiver<SpanData>,
    batch_size: usize,
    delay: Duration,
    exported: Counter,
    failed: Counter,
    rejected: Counter,
    last_success: Gauge,
    /// The last batch was not taken, which was told.
    failing: bool,
}

impl Waiting {
    /// Hands batches to `send` until `stop`, and then what still waits.
    pub(super) async fn empty(
        mut self,
        mut send: impl AsyncFnMut(Vec<SpanData>) -> Sent,
        stop: CancellationToken,
    ) {
        let mut batch = Vec::new();
        while !stop.is_cancelled() && self.gather(&mut batch, &stop).await {
            let sent = (batch.len(), send(mem::take(&mut batch)).await);
            self.note(sent);
        }
        self.spans.close();
        while self.spans.recv_many(&mut batch, self.batch_size).await > 0 {
            let sent = (batch.len(), send(mem::take(&mut batch)).await);
            self.note(sent);
        }
    }

    /// Fills a batch, or takes what comes in time; false where nothing will come any more.
    async fn gather(&mut self, batch: &mut Vec<SpanData>, stop: &CancellationToken) -> bool {
        let mut until = None;
        while batch.len() < self.batch_size {
            let time_is_up = async {
                match until {
                    Some(until) => sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            let room = self.batch_size - batch.len();
            tokio::select! {
                came = self.spans.recv_many(batch, room) => {
                    if came == 0 {
                        break;
                    }
                }
                () = time_is_up => break,
                () = stop.cancelled() => break,
            }
            until.get_or_insert_with(|| Instant::now() + self.delay);
        }
        !batch.is_empty()
    }

    /// Takes in what became of so many spans.
    fn note(&mut self, (spans, sent): (usize, Sent)) {
        let spans = spans as u64;
        match sent {
            Sent::Taken { refused } => {
                self.exported.add(spans.saturating_sub(refused));
                self.rejected.add(refused.min(spans));
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                self.last_success.set(now.as_secs_f64());
                if mem::take(&mut self.failing) {
                    info!("traces are taken again");
                }
            }
            Sent::Lost(failure) => {
                self.failed.add(spans);
                if !mem::replace(&mut self.failing, true) {
                    let reason = failure.reason.as_str();
                    warn!(
                        reason,
                        error = failure.said,
                        "traces are not taken: those that end meanwhile are lost"
                    );
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use opentelemetry::trace::{Tracer, TracerProvider};
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use parking_lot::Mutex;

    use super::*;
    use crate::metrics::render;
    use crate::push::transport::Failure;
    use crate::supervisor;

    fn end_spans(provider: &SdkTracerProvider, spans: usize) {
        let tracer = provider.tracer("test");
        (0..spans).for_each(|_| drop(tracer.start("span")));
    }

    fn counted(store: &Store, line: &str) -> String {
        let mut page = Vec::new();
        render(&store.snapshot(), &mut page);
        let page = String::from_utf8(page).unwrap();
        page.lines().find_map(|text| text.strip_prefix(line)).unwrap_or_default().trim().to_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn batches_are_full_or_late_and_the_rest_goes_when_stopping() {
        let store = Store::new();
        let limits =
            Spans { queue_size: 10, batch_size: 3, delay: Duration::from_secs(5), ..Spans::default() };
        let (queue, waiting) = queue(&limits, &store);
        let provider = SdkTracerProvider::builder().with_span_processor(queue).build();
        // How many spans came at once, and whether they are taken.
        let seen: Arc<Mutex<(Vec<usize>, bool)>> = Arc::default();
        let (batches, stop) = (Arc::clone(&seen), CancellationToken::new());
        end_spans(&provider, 12);
        assert_eq!(counted(&store, "vitalsign_spans_dropped_total{reason=\"queue_full\"}"), "2");
        let started = Instant::now();
        let send = async move |batch: Vec<SpanData>| {
            let (sizes, lost) = &mut *batches.lock();
            sizes.push(batch.len());
            match lost {
                true => Sent::Lost(Failure::too_large()),
                false => Sent::Taken { refused: u64::from(batch.len() == 1) },
            }
        };
        let sending = supervisor::task(waiting.empty(send, stop.clone()));
        while seen.lock().0.len() < 4 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(started.elapsed() >= Duration::from_secs(5), "the last one waited for others");
        seen.lock().1 = true;
        end_spans(&provider, 4);
        stop.cancel();
        sending.await.unwrap();
        assert_eq!(seen.lock().0, [3, 3, 3, 1, 3, 1]);
        end_spans(&provider, 1);
        assert_eq!(counted(&store, "vitalsign_spans_exported_total"), "9");
        assert_eq!(counted(&store, "vitalsign_spans_dropped_total{reason=\"rejected\"}"), "1");
        assert_eq!(counted(&store, "vitalsign_spans_dropped_total{reason=\"export_failed\"}"), "4");
        assert_eq!(counted(&store, "vitalsign_spans_dropped_total{reason=\"queue_full\"}"), "3");
    }
}

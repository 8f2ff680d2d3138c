//! The queue of ended spans, and the task that empties it.

use std::mem;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::Context;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter, SpanProcessor};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::metrics::{Counter, Gauge, Store};
use crate::model::{Definition, Instrument};
use crate::push::settings::Spans;

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
    let (full, failed) = (dropped("queue_full"), dropped("export_failed"));
    let (exported, last_success) = (store.counter(&EXPORTED, &[]), store.gauge(&LAST_SUCCESS, &[]));
    let (batch_size, delay) = (limits.batch_size.max(1), limits.delay);
    let waiting = Waiting { spans, batch_size, delay, exported, failed, last_success, failing: false };
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
    last_success: Gauge,
    /// The last batch was not taken, which was told.
    failing: bool,
}

impl Waiting {
    /// Sends batches until `stop`, and then what still waits.
    pub(super) async fn send<E: SpanExporter>(mut self, exporter: E, stop: CancellationToken) {
        let mut batch = Vec::new();
        while !stop.is_cancelled() && self.gather(&mut batch, &stop).await {
            self.export(&exporter, mem::take(&mut batch)).await;
        }
        self.spans.close();
        while self.spans.recv_many(&mut batch, self.batch_size).await > 0 {
            self.export(&exporter, mem::take(&mut batch)).await;
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

    async fn export<E: SpanExporter>(&mut self, exporter: &E, batch: Vec<SpanData>) {
        let spans = batch.len() as u64;
        match exporter.export(batch).await {
            Ok(()) => {
                self.exported.add(spans);
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                self.last_success.set(now.as_secs_f64());
                if mem::take(&mut self.failing) {
                    info!("traces are taken again");
                }
            }
            Err(error) => {
                self.failed.add(spans);
                if !mem::replace(&mut self.failing, true) {
                    warn!(%error, "traces are not taken: those that end meanwhile are lost");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use opentelemetry::trace::{Tracer, TracerProvider};
    use opentelemetry_sdk::error::OTelSdkError;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use parking_lot::Mutex;

    use super::*;
    use crate::metrics::render;
    use crate::supervisor;

    /// Keeps how many spans came at once; takes none while it should fail.
    #[derive(Clone, Debug, Default)]
    struct Batches(Arc<Mutex<(Vec<usize>, bool)>>);

    impl SpanExporter for Batches {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            let (sizes, fails) = &mut *self.0.lock();
            sizes.push(batch.len());
            if *fails { Err(OTelSdkError::InternalFailure("gone".to_owned())) } else { Ok(()) }
        }
    }

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
        let (batches, stop) = (Batches::default(), CancellationToken::new());
        end_spans(&provider, 12);
        assert_eq!(counted(&store, "vitalsign_spans_dropped_total{reason=\"queue_full\"}"), "2");
        let started = Instant::now();
        let sending = supervisor::task(waiting.send(batches.clone(), stop.clone()));
        while batches.0.lock().0.len() < 4 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(started.elapsed() >= Duration::from_secs(5), "the last one waited for others");
        batches.0.lock().1 = true;
        end_spans(&provider, 4);
        stop.cancel();
        sending.await.unwrap();
        assert_eq!(batches.0.lock().0, [3, 3, 3, 1, 3, 1]);
        end_spans(&provider, 1);
        assert_eq!(counted(&store, "vitalsign_spans_exported_total"), "10");
        assert_eq!(counted(&store, "vitalsign_spans_dropped_total{reason=\"export_failed\"}"), "4");
        assert_eq!(counted(&store, "vitalsign_spans_dropped_total{reason=\"queue_full\"}"), "3");
    }
}

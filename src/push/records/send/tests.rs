//! Batches of spans against a collector that gives scripted answers, over simulated time.

use std::collections::VecDeque;
use std::future::ready;
use std::mem;

use opentelemetry::trace::{Tracer, TracerProvider};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_sdk::trace::{SdkTracerProvider, SimpleSpanProcessor, SpanData};
use prost::Message;
use tokio::time::Instant;

use super::*;
use crate::metrics::{Store, gunzip, render};
use crate::push::spool::Level;
use crate::push::transport::Sending;

/// Gives these answers, and keeps what came when.
#[derive(Clone, Default)]
struct Scripted {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    /// How many spans it takes at once, once there is no answer left.
    most: usize,
    came: Arc<Mutex<Vec<(Instant, Bytes)>>>,
}

impl Transport for Scripted {
    fn send(&self, packed: Bytes) -> Sending {
        let spans = names(&packed).len();
        self.came.lock().push((Instant::now(), packed));
        let fits = if spans > self.most { Answer::TooLarge } else { Answer::Taken { refused: 0 } };
        Box::pin(ready(self.answers.lock().pop_front().unwrap_or(fits)))
    }
}

fn request(packed: &[u8]) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest::decode(&*gunzip(packed)).unwrap()
}

fn names(packed: &[u8]) -> Vec<String> {
    let [group] = &*request(packed).resource_spans else { panic!("one resource") };
    let [scope] = &*group.scope_spans else { panic!("one scope") };
    scope.spans.iter().map(|span| span.name.clone()).collect()
}

fn failure() -> Failure {
    Failure { reason: Reason::ConnectionRefused, said: "connection refused".to_owned() }
}

fn later(seconds: Option<f64>) -> Answer {
    Answer::Later { after: seconds.map(Duration::from_secs_f64), failure: failure() }
}

fn resource(name: &'static str) -> opentelemetry_sdk::Resource {
    let named = opentelemetry_sdk::Resource::builder_empty();
    named.with_attributes([KeyValue::new("service.name", name)]).build()
}

/// So many spans, called after their numbers.
fn batch(spans: usize) -> Vec<SpanData> {
    #[derive(Clone, Debug, Default)]
    struct Keep(Arc<Mutex<Vec<SpanData>>>);
    impl opentelemetry_sdk::trace::SpanExporter for Keep {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            self.0.lock().extend(batch);
            Ok(())
        }
    }
    let keep = Keep::default();
    let processor = SimpleSpanProcessor::new(keep.clone());
    let provider = SdkTracerProvider::builder().with_span_processor(processor).build();
    let tracer = provider.tracer("test");
    (0..spans).for_each(|number| drop(tracer.start(number.to_string())));
    mem::take(&mut *keep.0.lock())
}

/// A sender of spans to `scripted`, where its numbers stand, and who says what the spans are of.
struct World {
    sender: Sender<SpanExporter>,
    store: Store,
    standing: Arc<Standing>,
    source: watch::Sender<opentelemetry_sdk::Resource>,
}

fn world(scripted: &Scripted, timeout: Duration) -> World {
    let (store, standing) = (Store::new(), Arc::new(Standing::default()));
    let metrics = Metrics::new(&store, Signal::Traces, || (Level::default(), SystemTime::now()));
    let (source, seen) = watch::channel(resource("at first"));
    let transport = Box::new(scripted.clone());
    let sender = Sender::over(transport, timeout, seen, Arc::new(metrics), Arc::clone(&standing)).unwrap();
    World { sender, store, standing, source }
}

impl World {
    /// A number of the push as it stands on the page.
    fn number(&self, series: &str) -> String {
        let mut page = Vec::new();
        render(&self.store.snapshot(), &mut page);
        let page = String::from_utf8(page).unwrap();
        let value = page.lines().find_map(|line| line.strip_prefix(&format!("vitalsign_otlp_{series} ")));
        value.unwrap_or_else(|| panic!("{series} is not on {page}")).to_owned()
    }

    /// How many spans were sent, rejected and dropped.
    fn spans(&self) -> [u64; 3] {
        ["sent", "rejected", "dropped"].map(|outcome| {
            let series = format!("points_total{{signal=\"traces\",outcome=\"{outcome}\"}}");
            self.number(&series).parse().unwrap()
        })
    }

    fn requests(&self) -> u64 {
        self.number("exports_total{signal=\"traces\"}").parse().unwrap()
    }

    fn failures(&self, reason: &str) -> u64 {
        let series = format!("export_failures_total{{signal=\"traces\",error_type=\"{reason}\"}}");
        self.number(&series).parse().unwrap()
    }

    fn batches_lost(&self, reason: &str) -> u64 {
        let series = format!("dropped_batches_total{{signal=\"traces\",reason=\"{reason}\"}}");
        self.number(&series).parse().unwrap()
    }
}

/// With time that stands still unless all wait by way of the runtime: a thread that sleeps would not move it.
#[tokio::test(start_paused = true)]
async fn a_batch_is_tried_again_and_not_sooner_than_asked_for() {
    let scripted = Scripted::default();
    let answers = [later(None), later(Some(6.5)), Answer::Taken { refused: 2 }, Answer::Taken { refused: 0 }];
    scripted.answers.lock().extend(answers);
    let mut world = world(&scripted, Duration::from_mins(1));
    world.sender.send(batch(3)).await;
    assert_eq!((world.spans(), world.requests(), world.failures("connection_refused")), ([1, 2, 0], 3, 2));
    world.source.send_replace(resource("later"));
    world.sender.send(batch(1)).await;
    assert_eq!((world.spans(), world.requests()), ([2, 2, 0], 4));
    let at = world.number("last_success_timestamp_seconds{signal=\"traces\"}");
    assert!(at.parse::<f64>().unwrap() > 1e9, "{at}");
    assert!(world.standing.line(Level::default()).starts_with("sending, 0 batches wait, last sent at"));

    let came = scripted.came.lock();
    let [first, second, third, other] = &**came else { panic!("{} requests", came.len()) };
    assert!((1.0..=2.1).contains(&(second.0 - first.0).as_secs_f64()), "{:?}", second.0 - first.0);
    assert!((7.0..=8.1).contains(&(third.0 - second.0).as_secs_f64()), "{:?}", third.0 - second.0);
    assert!(first.1 == second.1 && first.1 == third.1, "the same each time");
    assert_eq!(names(&first.1), ["0", "1", "2"]);
    let of = |packed: &Bytes| format!("{:?}", request(packed).resource_spans[0].resource);
    assert!(of(&first.1).contains("at first"));
    assert!(of(&other.1).contains("later"));
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_says_why_and_is_not_tried_again() {
    let rejected = Failure { reason: Reason::Auth, said: "status 401".to_owned() };
    for (answer, spans, said, lost) in [
        (Answer::Never(rejected), [0, 3, 0], "status 401", "rejected"),
        // Longer than the crate would wait, and longer than the batch is tried for.
        (later(Some(31.0)), [0, 0, 3], "connection refused", "expired"),
        (later(Some(600.0)), [0, 0, 3], "connection refused", "expired"),
    ] {
        let scripted = Scripted::default();
        scripted.answers.lock().push_back(answer);
        let mut world = world(&scripted, Duration::from_mins(5));
        world.sender.send(batch(3)).await;
        assert_eq!((world.spans(), world.requests(), world.batches_lost(lost)), (spans, 1, 1), "{said}");
        let line = world.standing.line(Level::default());
        assert!(line.starts_with("failing since ") && line.contains(said), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_goes_on_in_parts() {
    let scripted = Scripted { most: 5, ..Scripted::default() };
    let mut world = world(&scripted, Duration::from_mins(1));
    world.sender.send(batch(40)).await;
    let sizes =
        |came: &[(Instant, Bytes)]| came.iter().map(|(_, packed)| names(packed).len()).collect::<Vec<_>>();
    // Halves until one is taken, and then one more each time.
    assert_eq!(sizes(&scripted.came.lock()), [40, 20, 10, 5, 6, 3, 4, 5, 6, 3, 4, 5, 6, 3, 4, 4]);
    assert_eq!((world.spans(), world.requests()), ([40, 0, 0], 16));
    assert_eq!((world.failures("unexpected_status"), world.batches_lost("rejected")), (6, 0));
    let came = mem::take(&mut *scripted.came.lock());
    let taken = came.iter().map(|(_, packed)| names(packed)).filter(|names| names.len() <= 5);
    let numbers: Vec<usize> = taken.flatten().map(|name| name.parse().unwrap()).collect();
    assert_eq!(numbers, (0..40).collect::<Vec<_>>(), "each once, in order");
}

#[tokio::test(start_paused = true)]
async fn one_span_that_is_too_large_by_itself_costs_only_itself() {
    let scripted = Scripted::default();
    let mut world = world(&scripted, Duration::from_mins(1));
    world.sender.send(batch(2)).await;
    assert_eq!((world.spans(), world.requests(), world.batches_lost("rejected")), ([0, 2, 0], 3, 2));
    assert!(world.standing.line(Level::default()).contains("larger than what the collector takes"));
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_takes_nothing_for_its_size_is_asked_a_handful_of_times() {
    let scripted = Scripted::default();
    let mut world = world(&scripted, Duration::from_mins(1));
    world.sender.send(batch(512)).await;
    assert_eq!((world.spans(), world.requests(), world.batches_lost("rejected")), ([0, 512, 0], 5, 1));
    world.sender.send(batch(512)).await;
    assert_eq!((world.spans(), world.requests()), ([0, 1024, 0], 6), "and then once a batch");
    let taken = || Answer::Taken { refused: 0 };
    scripted.answers.lock().extend([taken(), Answer::TooLarge, taken(), taken(), taken()]);
    world.sender.send(batch(20)).await;
    assert_eq!(world.spans(), [20, 1024, 0], "until it takes one: then parts are tried again");
}

#[test]
fn what_records_are_of_says_which_conventions_it_is_of() {
    let said = Resource::new([("service.name", "orders")]);
    let source = source(&said);
    assert_eq!(source.schema_url(), Some(SCHEMA_URL));
    assert_eq!(source.iter().count(), 1);
}

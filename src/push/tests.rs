//! The loop over simulated time, against a collector without sockets.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message;

use super::transport::{Answer, Failure, Sending};
use super::*;
use crate::metrics::gunzip;
use crate::metrics::otlp::{Encoder, resource};
use crate::model::{Definition, Instrument, Reason};

static VALUE: Definition = Definition {
    name: "value",
    instrument: Instrument::Gauge,
    unit: "",
    attributes: &["series", "check"],
    help: "A value",
};

/// A collector that is told what to answer, and keeps what it took.
#[derive(Clone, Default)]
struct Fake(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    away: bool,
    /// Every so many requests the answer to one that was taken gets lost.
    loses_every: Option<usize>,
    requests: usize,
    lost_answers: usize,
    at_once: usize,
    most_at_once: usize,
    /// Time, values and all points of each request that was taken.
    taken: Vec<(u64, usize, usize)>,
}

fn later(after: Option<Duration>) -> Answer {
    let failure = Failure { reason: Reason::ConnectionRefused, said: "connection refused".to_owned() };
    Answer::Later { after, failure }
}

impl Transport for Fake {
    fn send(&self, packed: Bytes) -> Sending {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            {
                let mut inner = inner.lock();
                inner.requests += 1;
                inner.at_once += 1;
                inner.most_at_once = inner.most_at_once.max(inner.at_once);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            let mut inner = inner.lock();
            inner.at_once -= 1;
            if inner.away {
                return later(None);
            }
            let request = ExportMetricsServiceRequest::decode(&*gunzip(&packed)).unwrap();
            inner.taken.push(one_moment(&request));
            if inner.loses_every.is_some_and(|every| inner.requests.is_multiple_of(every)) {
                inner.lost_answers += 1;
                return later(None);
            }
            Answer::Taken { refused: 0 }
        })
    }
}

/// The time of all points, how many are of our series, and how many there are.
fn one_moment(request: &ExportMetricsServiceRequest) -> (u64, usize, usize) {
    let metrics = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    let (mut times, mut values) = (BTreeSet::new(), 0);
    let mut points = 0;
    for metric in metrics.flat_map(|scope| &scope.metrics) {
        let found = match metric.data.as_ref().unwrap() {
            Data::Gauge(gauge) => &gauge.data_points,
            Data::Sum(sum) => &sum.data_points,
            other => panic!("{other:?}"),
        };
        times.extend(found.iter().map(|point| point.time_unix_nano));
        points += found.len();
        values += if metric.name == VALUE.name { found.len() } else { 0 };
    }
    assert_eq!(times.len(), 1, "{times:?}");
    (times.into_iter().next().unwrap(), values, points)
}

const EPOCH: Duration = Duration::from_secs(1_700_000_000);

/// A push every 10 s of 1,000 series whose values are different each time, over the clock of tokio.
struct World {
    fake: Fake,
    push: Push,
    store: Store,
    made: Arc<Mutex<Vec<u64>>>,
}

const SERIES: usize = 1_000;

fn world(spool: settings::Spool) -> World {
    let settings = settings_of("otlp: { endpoint: 'http://collector', metrics: { interval: 10s } }");
    let settings = settings::Metrics { spool, ..settings };
    let (fake, begun) = (Fake::default(), Instant::now());
    let clock: Clock = Arc::new(move || SystemTime::UNIX_EPOCH + EPOCH + begun.elapsed());

    let pushed = Store::new();
    let series = (0..SERIES).map(|n| {
        pushed.gauge(&VALUE, &[&format!("series number {n}"), &format!("a check of group {}", n % 20)])
    });
    let series: Vec<_> = series.collect();
    let mut encoder = Encoder::new(&resource(&[]), Temporality::Cumulative);
    let made = Arc::<Mutex<Vec<u64>>>::default();
    let noted = Arc::clone(&made);
    let mut random = fastrand::Rng::with_seed(7);
    let source = move |now: SystemTime, limit: usize, hand_on: &mut dyn FnMut(&mut _)| {
        series.iter().for_each(|gauge| gauge.set(random.f64()));
        let nanos = now.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
        noted.lock().push(u64::try_from(nanos).unwrap());
        encoder.encode(&pushed.snapshot(), now, limit, hand_on);
    };
    let store = Store::new();
    let transport = Box::new(fake.clone());
    let push = Push::with(&settings, &store, Box::new(source), transport, clock).unwrap();
    World { fake, push, store, made }
}

fn number(store: &Store, series: &str) -> f64 {
    store.refresh(Instant::now() + Duration::from_secs(2));
    let mut page = Vec::new();
    crate::metrics::render(&store.snapshot(), &mut page);
    let page = String::from_utf8(page).unwrap();
    let found =
        page.lines().find_map(|line| line.strip_prefix(&format!("vitalsign_otlp_{series} "))?.parse().ok());
    found.unwrap_or_else(|| panic!("{series} is not on {page}"))
}

/// Waits for a condition; costs simulated time alone.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..100_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("waited for {what}");
}

const HOUR: Duration = Duration::from_hours(1);

async fn an_hour_away(spool: settings::Spool) {
    let in_memory = spool.directory.is_none();
    let World { fake, push, store, made } = world(spool);
    until("the first ones to arrive", || fake.0.lock().taken.len() == 3).await;
    {
        let mut fake = fake.0.lock();
        fake.away = true;
        fake.loses_every = Some(50);
    }
    let before = fake.0.lock().requests;
    tokio::time::sleep(HOUR).await;
    let requests = fake.0.lock().requests - before;
    assert!((100..=300).contains(&requests), "{requests} attempts in an hour");
    let (waiting, size) = (
        number(&store, "queue_batches{signal=\"metrics\"}"),
        number(&store, "queue_size_bytes{signal=\"metrics\"}"),
    );
    assert!((359.0..=361.0).contains(&waiting), "{waiting}");
    assert!(size <= f64::from(64 << 20), "{size}");
    let age = number(&store, "queue_age_seconds{signal=\"metrics\"}");
    assert!((3_580.0..=3_610.0).contains(&age), "{age}");
    println!("1,000 series over an hour wait in {size} bytes, in memory: {in_memory}");
    assert!(push.line()().starts_with("failing since 2023-11-14T"), "{}", push.line()());

    fake.0.lock().away = false;
    until("everything to arrive", || {
        let arrived: BTreeSet<u64> = fake.0.lock().taken.iter().map(|(time, ..)| *time).collect();
        let made = made.lock();
        made.iter().take(364).all(|time| arrived.contains(time)) && made.len() >= 364
    })
    .await;
    until("every point to be counted once", || {
        let arrived: HashMap<u64, usize> =
            fake.0.lock().taken.iter().map(|(time, _, points)| (*time, *points)).collect();
        let sent = number(&store, "points_total{signal=\"metrics\",outcome=\"sent\"}");
        sent == arrived.values().sum::<usize>() as f64
    })
    .await;
    for reason in ["queue_full", "rejected", "corrupt", "missing", "expired"] {
        let lost =
            number(&store, &format!("dropped_batches_total{{signal=\"metrics\",reason=\"{reason}\"}}"));
        assert_eq!(lost, 0.0, "{reason}");
    }
    push.stop(Instant::now() + Duration::from_mins(10)).await;

    let (made, fake) = (made.lock(), fake.0.lock());
    assert!(fake.taken.is_sorted(), "oldest first");
    assert!(fake.taken.iter().all(|(_, values, _)| *values == SERIES), "no point is missing");
    let arrived: BTreeSet<u64> = fake.taken.iter().map(|(time, ..)| *time).collect();
    assert!(made.iter().all(|time| arrived.contains(time)), "the last one included");
    assert_eq!(fake.taken.len() - arrived.len(), fake.lost_answers, "twice only where the answer was lost");
    assert!(fake.lost_answers > 2, "{}", fake.lost_answers);
    assert_eq!(fake.most_at_once, 1, "one request in flight");
}

fn defaults(directory: Option<&std::path::Path>) -> settings::Spool {
    let text = match directory {
        Some(directory) => {
            format!("otlp: {{ endpoint: 'http://c', spool: {{ directory: '{}' }} }}", directory.display())
        }
        None => "otlp: { endpoint: 'http://c' }".to_owned(),
    };
    settings_of(&text).spool
}

fn settings_of(text: &str) -> settings::Metrics {
    let (settings, _) = crate::config::Document::parse("t", text, &|_| None).read(Settings::read).unwrap();
    settings.metrics.unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_hour_without_collector_costs_no_point_in_memory() {
    an_hour_away(defaults(None)).await;
}

#[tokio::test(start_paused = true)]
async fn an_hour_without_collector_costs_no_point_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    an_hour_away(defaults(Some(folder.path()))).await;
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "only the lock is left");
}

#[tokio::test(start_paused = true)]
async fn what_is_too_much_or_too_old_is_dropped_and_counted() {
    let spool = settings::Spool { size: 100_000, age: Duration::from_mins(1), ..defaults(None) };
    let World { fake, push, store, made } = world(spool);
    fake.0.lock().away = true;
    tokio::time::sleep(HOUR).await;
    let dropped = |reason: &str| {
        number(&store, &format!("dropped_batches_total{{signal=\"metrics\",reason=\"{reason}\"}}"))
    };
    let (full, expired) = (dropped("queue_full"), dropped("expired"));
    let waiting = number(&store, "queue_batches{signal=\"metrics\"}");
    assert_eq!(full + expired + waiting, made.lock().len() as f64, "each is somewhere");
    assert!(number(&store, "queue_size_bytes{signal=\"metrics\"}") <= 100_000.0);
    let points = number(&store, "points_total{signal=\"metrics\",outcome=\"dropped\"}");
    let of_one = points / (full + expired);
    assert!((1_000.0..=1_003.0).contains(&of_one), "the store adds three of its own: {of_one}");
    push.stop(Instant::now() + Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_hanging_collector_delays_stopping_until_the_deadline_alone() {
    struct Hangs;
    impl Transport for Hangs {
        fn send(&self, _: Bytes) -> Sending {
            Box::pin(std::future::pending())
        }
    }
    let settings = settings_of("otlp: { endpoint: 'http://collector', metrics: { interval: 1h } }");
    let source: Source =
        Box::new(|_, _, hand_on| hand_on(&mut crate::metrics::otlp::Batch { bytes: vec![1], points: 1 }));
    let clock: Clock = Arc::new(SystemTime::now);
    let push = Push::with(&settings, &Store::new(), source, Box::new(Hangs), clock).unwrap();
    tokio::time::sleep(Duration::from_secs(20)).await;
    let begun = Instant::now();
    push.stop(begun + Duration::from_secs(3)).await;
    let took = begun.elapsed();
    assert!((Duration::from_secs(3)..Duration::from_secs(4)).contains(&took), "{took:?}");
}

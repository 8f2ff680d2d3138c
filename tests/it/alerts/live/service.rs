//! What the agents watch and Prometheus scrapes beside them: an HTTP service that can be well or not, and a program that
//! embeds the library.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    routing::get,
};
use parking_lot::{Condvar, Mutex};
use prometheus::{Encoder, HistogramOpts, HistogramVec, Registry, TextEncoder};
use tokio::{net::TcpListener, runtime::Runtime, task::yield_now, time::sleep};
use vitalsign::{InFlight, Plan, RuntimeMetrics, TaskGroup, check, metrics::Store};

use crate::harness::http;

/// What it has counted and how it is; stays when the service is stopped.
#[derive(Clone)]
struct Work {
    well: Arc<AtomicBool>,
    complete: Arc<AtomicBool>,
    registry: Registry,
    duration: HistogramVec,
}

/// The HTTP service.
pub(super) struct Service {
    addr: SocketAddr,
    work: Work,
    _runtime: Runtime,
}

impl Service {
    /// Starts it at this port; the metric is that of OpenTelemetry's conventions.
    pub(super) fn start(port: u16) -> Self {
        let options = HistogramOpts::new("http_server_request_duration_seconds", "Duration of requests")
            .buckets(vec![0.1, 0.5, 1.0, 2.5, 10.0]);
        let duration = HistogramVec::new(options, &["http_route", "http_response_status_code"]).unwrap();
        for status in ["200", "500"] {
            duration.with_label_values(&["/orders/{id}", status]);
        }
        let work = Work {
            well: Arc::new(AtomicBool::new(true)),
            complete: Arc::default(),
            registry: Registry::new(),
            duration,
        };
        work.registry.register(Box::new(work.duration.clone())).unwrap();
        let router = Router::new()
            .route("/api/health", get(async || r#"{"database": "ok"}"#))
            .route("/ping", get(async |work: State<Work>| status(work.well.load(Ordering::Relaxed))))
            .route("/new", get(async |work: State<Work>| status(work.complete.load(Ordering::Relaxed))))
            .route("/late", get(async || sleep(LATE).await))
            .route("/orders/{id}", get(order))
            .route("/metrics", get(metrics))
            .with_state(work.clone());
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", port))).unwrap();
        let addr = listener.local_addr().unwrap();
        drop(runtime.spawn(async { axum::serve(listener, router).await }));
        Self { addr, work, _runtime: runtime }
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Whether `/ping` answers 200 from now on.
    pub(super) fn be_well(&self, well: bool) {
        self.work.well.store(well, Ordering::Relaxed);
    }

    /// Has `/new` from now on, which answers 500 until then.
    pub(super) fn be_complete(&self) {
        self.work.complete.store(true, Ordering::Relaxed);
    }

    /// Asks for this order so many times: `fails`, `late`, and others that are found at once.
    pub(super) fn orders(&self, id: &str, times: usize) {
        for _ in 0..times {
            http::get(self.addr, &format!("/orders/{id}"));
        }
    }
}

/// How long a late answer takes.
pub(super) const LATE: Duration = Duration::from_millis(1_200);

fn status(well: bool) -> StatusCode {
    if well { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR }
}

async fn order(State(work): State<Work>, Path(id): Path<String>) -> StatusCode {
    let begun = tokio::time::Instant::now();
    if id == "late" {
        sleep(LATE).await;
    }
    let status = status(id != "fails");
    let series = work.duration.with_label_values(&["/orders/{id}", status.as_str()]);
    series.observe(begun.elapsed().as_secs_f64());
    status
}

async fn metrics(State(work): State<Work>) -> Vec<u8> {
    let mut page = Vec::new();
    TextEncoder::new().encode(&work.registry.gather(), &mut page).unwrap();
    page
}

/// A program that embeds the library, whose task group is full and one of whose runtimes is blocked.
pub(super) struct Program {
    addr: SocketAddr,
    mailer: TaskGroup,
    working: Vec<InFlight>,
    store: Store,
    agent: Option<vitalsign::Agent>,
    blocked: Arc<Blocked>,
    _reports: (RuntimeMetrics, Runtime),
}

/// Whether work blocks the worker that it runs on.
#[derive(Default)]
struct Blocked(Mutex<bool>, Condvar);

impl Blocked {
    fn set(&self, blocks: bool) {
        *self.0.lock() = blocks;
        self.1.notify_all();
    }

    /// Blocks for a moment if it does.
    fn work(&self) -> bool {
        let mut blocks = self.0.lock();
        if *blocks {
            self.1.wait_for(&mut blocks, Duration::from_millis(5));
        }
        *blocks
    }
}

/// The limit of its task group.
const TASKS: usize = 5;
/// How many series it may have.
const SERIES: usize = 600;

impl Program {
    pub(super) fn start() -> Self {
        let store = Store::with_limit(SERIES);
        let mut plan = Plan { listen: vec![([127, 0, 0, 1], 0).into()], ..Plan::default() };
        plan.add(check("ledger", async || true)).expect("a check");
        let agent = vitalsign::Agent::start(plan, &store).expect("an agent");
        let mailer = TaskGroup::new(&store, "mailer").limit(TASKS);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let reports = RuntimeMetrics::register(&store, "reports", runtime.handle());
        let blocked = Arc::<Blocked>::default();
        blocked.set(true);
        let work = Arc::clone(&blocked);
        drop(runtime.spawn(async move {
            while work.work() {
                yield_now().await;
            }
        }));
        Self {
            addr: agent.addresses()[0],
            working: std::iter::repeat_with(|| mailer.start()).take(TASKS).collect(),
            mailer,
            agent: Some(agent),
            store,
            blocked,
            _reports: (reports, runtime),
        }
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Ends its tasks.
    pub(super) fn rest(&mut self) {
        self.working.clear();
    }

    /// Lets nothing block its runtime any more.
    pub(super) fn unblock(&self) {
        self.blocked.set(false);
    }

    /// Ends its agent.
    pub(super) fn stop(&mut self) {
        self.agent = None;
    }

    /// Makes more series than it may have.
    pub(super) fn make_too_many_series(&self) {
        let groups = (0..SERIES).map(|number| TaskGroup::new(&self.store, &format!("group_{number}")));
        drop(groups.collect::<Vec<_>>());
    }
}

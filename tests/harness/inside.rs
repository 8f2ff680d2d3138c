//! The library in the process of the tests: its parts on the runtime of a test (whose time may be paused), or a whole
//! agent on threads of its own, with checks that are functions.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, LazyLock},
    task::Poll,
};

use axum::{body::Body, http::Request};
use http_body_util::BodyExt;
use parking_lot::{Condvar, Mutex};
use tokio::time::Instant;
use tower::ServiceExt;
use tracing::subscriber::NoSubscriber;
use vitalsign::{
    Agent, FunctionCheck, Plan,
    health::Board,
    metrics::Store,
    metrics::render,
    runner::{Planned, Runner},
    web::Faces,
};

use super::{
    http::{self, Response},
    scrape::Scrape,
};

/// A plan of these checks that listens on a port of its own choice.
pub(crate) fn plan(checks: impl IntoIterator<Item = FunctionCheck>) -> Plan {
    let mut plan = Plan { listen: vec![([127, 0, 0, 1], 0).into()], ..Plan::default() };
    checks.into_iter().for_each(|check| plan.add(check).unwrap());
    plan
}

/// Board, store, runner and faces on the runtime of the caller.
pub(crate) struct Parts {
    pub(crate) board: Board,
    pub(crate) store: Store,
    faces: Faces,
    runner: Option<Runner>,
}

impl Parts {
    /// Starts to run these checks.
    #[track_caller]
    pub(crate) fn start(checks: impl IntoIterator<Item = FunctionCheck>) -> Self {
        Self::of(plan(checks).checks)
    }

    /// Starts to run what is planned.
    #[track_caller]
    pub(crate) fn of(planned: Vec<Planned>) -> Self {
        let store = Store::new();
        let board = Board::new(store.clone());
        let runner = Runner::start(planned, &board, &store).unwrap();
        let faces = Faces::new(&board, &store, "orders", "1.4.2", Vec::new()).unwrap();
        Self { board, store, faces, runner: Some(runner) }
    }

    /// Ends the runner as nobody should: what it said last stays on the board.
    pub(crate) fn lose_runner(&mut self) {
        drop(self.runner.take());
    }

    /// `GET path` from the router; not for /metrics while time is paused, whose pages are made on a thread that it
    /// does not reach.
    pub(crate) async fn get(&self, path: &str) -> Response {
        self.ask("GET", path, &[]).await
    }

    /// The document at `path`, whatever its status code.
    pub(crate) async fn json(&self, path: &str) -> serde_json::Value {
        self.get(path).await.json()
    }

    /// Any request to the router.
    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = self.faces.router().oneshot(request).await.unwrap();
        let headers = response.headers().iter();
        Response {
            status: response.status().as_u16(),
            headers: headers.map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned())).collect(),
            body: response.into_body().collect().await.unwrap().to_bytes().to_vec(),
        }
    }

    /// The page of metrics as of now, the time of the test included.
    #[track_caller]
    pub(crate) fn scrape(&self) -> Scrape {
        self.board.refresh_metrics(Instant::now());
        scrape_of(&self.store)
    }
}

/// The page of metrics of a store, as its gauges stand.
#[track_caller]
pub(crate) fn scrape_of(store: &Store) -> Scrape {
    let mut page = Vec::new();
    render(&store.snapshot(), &mut page);
    Scrape::parse(std::str::from_utf8(&page).unwrap())
}

/// A whole agent with its own threads and its own port.
pub(crate) struct Whole {
    pub(crate) agent: Agent,
    pub(crate) addr: SocketAddr,
}

impl Whole {
    /// Starts an agent with these checks.
    #[track_caller]
    pub(crate) fn start(checks: impl IntoIterator<Item = FunctionCheck>) -> Self {
        Self::of(plan(checks))
    }

    /// Starts an agent with this plan.
    #[track_caller]
    pub(crate) fn of(plan: Plan) -> Self {
        let agent = Agent::start(plan, &Store::new()).unwrap();
        let addr = agent.addresses()[0];
        Self { agent, addr }
    }

    /// `GET path`.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Response {
        http::get(self.addr, path)
    }

    /// The status code of `path`.
    #[track_caller]
    pub(crate) fn status(&self, path: &str) -> u16 {
        self.get(path).status
    }

    /// The check of this name as /health/checks/ tells it.
    #[track_caller]
    pub(crate) fn check(&self, name: &str) -> serde_json::Value {
        self.get(&format!("/health/checks/{name}")).json()
    }

    /// The page at /metrics.
    #[track_caller]
    pub(crate) fn scrape(&self) -> Scrape {
        let page = self.get("/metrics");
        assert_eq!(page.status, 200, "/metrics: {}", page.text());
        Scrape::parse(page.text())
    }

    /// How many runs of a check have ended.
    #[track_caller]
    pub(crate) fn runs(&self, check: &str) -> f64 {
        self.scrape().value("healthcheck_runs_total", &[("healthcheck_name", check)]).unwrap_or(0.0)
    }
}

/// Where code waits, blocking its thread, for as long as a test keeps it closed; open once the test is over.
#[derive(Debug, Default)]
pub(crate) struct Gate(Door);

/// The side of a [`Gate`] that is passed through.
#[derive(Clone, Debug, Default)]
pub(crate) struct Door(Arc<(Mutex<Traffic>, Condvar)>);

#[derive(Debug, Default)]
struct Traffic {
    closed: bool,
    waiting: usize,
}

impl Gate {
    /// A gate that lets nobody through yet.
    pub(crate) fn closed() -> Self {
        let gate = Self::default();
        gate.close();
        gate
    }

    pub(crate) fn close(&self) {
        self.0.0.0.lock().closed = true;
    }

    pub(crate) fn open(&self) {
        self.0.0.0.lock().closed = false;
        self.0.0.1.notify_all();
    }

    /// The side for the code that waits.
    pub(crate) fn door(&self) -> Door {
        self.0.clone()
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.0.0.0.lock().waiting
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.open();
    }
}

impl Door {
    /// Goes through; blocks the thread while the gate is closed.
    pub(crate) fn pass(&self) {
        let (traffic, changed) = &*self.0;
        let mut traffic = traffic.lock();
        traffic.waiting += 1;
        changed.wait_while(&mut traffic, |traffic| traffic.closed);
        traffic.waiting -= 1;
    }
}

/// Polls `work` once and drops it: what a client does that goes away while it waits. Calls `meanwhile` in between.
pub(crate) async fn give_up_on<F: Future>(work: F, meanwhile: impl FnOnce()) {
    let mut work = pin!(work);
    let pending = std::future::poll_fn(|context| Poll::Ready(work.as_mut().poll(context).is_pending())).await;
    assert!(pending, "it was to be given up, but it was done at once");
    meanwhile();
}

/// What this thread logs while it is kept, as JSON lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Begins to listen; until the guard is dropped.
    pub(crate) fn listen(level: tracing::Level) -> (Self, tracing::subscriber::DefaultGuard) {
        /// While there is one subscriber or none, tracing asks the thread that first comes to an event whether anybody
        /// wants it, and that may be the thread of another test. These two want nothing; they are only more than one.
        static OTHERS: LazyLock<[tracing::Dispatch; 2]> =
            LazyLock::new(|| [(); 2].map(|()| tracing::Dispatch::new(NoSubscriber::new())));
        LazyLock::force(&OTHERS);
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_max_level(level)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// The text so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }

    /// The changes of state that were logged for a check: from and to.
    pub(crate) fn changes(&self, check: &str) -> Vec<(String, String)> {
        let lines = self.text();
        let lines = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines
            .filter(|line| line["message"] == "check state changed" && line["check"] == check)
            .map(|line| (line["from"].as_str().unwrap().to_owned(), line["to"].as_str().unwrap().to_owned()))
            .collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

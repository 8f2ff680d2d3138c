//! A collector in the test process: takes OTLP metrics, traces and logs over HTTP and gRPC, keeps what it took as decoded
//! protobuf, and behaves as badly as the test's script says.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    logs::v1::LogRecord,
    metrics::v1::{Metric, metric::Data, number_data_point::Value},
};
use parking_lot::Mutex;
use tokio::{net::TcpListener, runtime::Runtime};

use super::recorder::{Received, hex, pairs, received, value};

#[path = "otlp/grpc.rs"]
mod grpc;
#[path = "otlp/http.rs"]
mod http;
#[path = "otlp/tls.rs"]
pub(crate) mod tls;

/// What the collector does with one request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// Takes it.
    Take,
    /// Takes it, but for so many points, spans or lines.
    TakePartly(i64),
    /// Answers with this status and `Retry-After`; over gRPC with this code and `RetryInfo` in seconds.
    Refuse(u16, Option<&'static str>),
    /// As a gRPC server whose limit is lower: `RESOURCE_EXHAUSTED` with these words.
    TooLarge(&'static str),
    /// Answers 200 with this type of content, or none, and this body, as somebody else than a collector.
    Page(Option<&'static str>, &'static str),
    /// Answers with this status that it wants to be asked there.
    Redirect(u16, &'static str),
    /// Reads it and never answers.
    Hang,
    /// Closes the connection in the middle of the request.
    CutRequest,
    /// Takes it and closes the connection without an answer.
    LoseAnswer,
    /// Takes it and closes the connection in the middle of a good answer; over HTTP alone.
    CutAnswer,
}

/// A request with metrics that was taken.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) request: ExportMetricsServiceRequest,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The path of the URL, or the method of gRPC.
    pub(crate) path: String,
}

impl Taken {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The metrics of all resources and scopes.
    pub(crate) fn metrics(&self) -> impl Iterator<Item = &Metric> {
        let scopes = self.request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
        scopes.flat_map(|scope| &scope.metrics)
    }

    /// When its points were measured, in nanoseconds since 1970: one time for all of them.
    #[track_caller]
    pub(crate) fn time(&self) -> u64 {
        let times: std::collections::BTreeSet<u64> = self.metrics().flat_map(times).collect();
        assert_eq!(times.len(), 1, "a batch is of one moment: {times:?}");
        times.into_iter().next().unwrap()
    }

    /// How many points are in it.
    pub(crate) fn points(&self) -> usize {
        self.metrics().map(|metric| times(metric).len()).sum()
    }

    /// The value of the only point of a gauge or sum.
    pub(crate) fn value(&self, name: &str) -> Option<f64> {
        let metric = self.metrics().find(|metric| metric.name == name)?;
        let points = match metric.data.as_ref()? {
            Data::Gauge(gauge) => &gauge.data_points,
            Data::Sum(sum) => &sum.data_points,
            _ => return None,
        };
        match points.first()?.value? {
            Value::AsDouble(value) => Some(value),
            #[expect(clippy::cast_precision_loss, reason = "small in tests")]
            Value::AsInt(value) => Some(value as f64),
        }
    }
}

/// A line of a log that was taken.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// The attributes of its resource.
    pub(crate) resource: BTreeMap<String, String>,
    /// The name of its scope.
    pub(crate) scope: String,
    pub(crate) record: LogRecord,
}

impl Line {
    pub(crate) fn body(&self) -> String {
        value(self.record.body.as_ref())
    }

    pub(crate) fn attributes(&self) -> BTreeMap<String, String> {
        pairs(&self.record.attributes)
    }

    /// Trace and span that it was written in; empty where there were none.
    pub(crate) fn ids(&self) -> (String, String) {
        (hex(&self.record.trace_id), hex(&self.record.span_id))
    }
}

/// The lines of a request.
fn lines(request: ExportLogsServiceRequest) -> Vec<Line> {
    let lines = request.resource_logs.into_iter().flat_map(|group| {
        let resource = pairs(&group.resource.unwrap_or_default().attributes);
        let scopes = group.scope_logs.into_iter().flat_map(|scope| {
            let name = scope.scope.unwrap_or_default().name;
            scope.log_records.into_iter().map(move |record| (name.clone(), record))
        });
        scopes
            .map(move |(scope, record)| Line { resource: resource.clone(), scope, record })
            .collect::<Vec<_>>()
    });
    lines.collect()
}

/// The time of every point.
pub(crate) fn times(metric: &Metric) -> Vec<u64> {
    match metric.data.as_ref() {
        Some(Data::Gauge(gauge)) => gauge.data_points.iter().map(|point| point.time_unix_nano).collect(),
        Some(Data::Sum(sum)) => sum.data_points.iter().map(|point| point.time_unix_nano).collect(),
        Some(Data::Histogram(histogram)) => {
            histogram.data_points.iter().map(|point| point.time_unix_nano).collect()
        }
        other => panic!("{}: {other:?}", metric.name),
    }
}

/// What both protocols work on.
#[derive(Debug, Default)]
struct State {
    script: Mutex<VecDeque<Step>>,
    otherwise: Mutex<Option<Step>>,
    spans_script: Mutex<VecDeque<Step>>,
    logs_script: Mutex<VecDeque<Step>>,
    taken: Mutex<Vec<Taken>>,
    spans: Mutex<Vec<Received>>,
    lines: Mutex<Vec<Line>>,
    requests: AtomicUsize,
    answers_lost: AtomicUsize,
}

impl State {
    /// What to do with the next request with metrics.
    fn next(&self) -> Step {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let scripted = self.script.lock().pop_front();
        scripted.or_else(|| self.otherwise.lock().clone()).unwrap_or(Step::Take)
    }

    /// The same for one with spans, which agents send beside their metrics.
    fn next_of_spans(&self) -> Step {
        self.spans_script.lock().pop_front().unwrap_or(Step::Take)
    }

    /// The same for one with log lines.
    fn next_of_logs(&self) -> Step {
        self.logs_script.lock().pop_front().unwrap_or(Step::Take)
    }

    fn take(&self, taken: Taken) {
        self.taken.lock().push(taken);
    }

    fn take_spans(&self, request: ExportTraceServiceRequest) {
        self.spans.lock().extend(received(request));
    }

    fn take_logs(&self, request: ExportLogsServiceRequest) {
        self.lines.lock().extend(lines(request));
    }
}

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http,
    Grpc,
}

/// A running collector; ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Collector {
    pub(crate) addr: SocketAddr,
    state: Arc<State>,
    _runtime: Runtime,
}

impl Collector {
    /// Starts one on a port of its own choice.
    #[track_caller]
    pub(crate) fn start(protocol: Protocol) -> Self {
        Self::start_at(protocol, 0)
    }

    /// Starts one on this port.
    #[track_caller]
    pub(crate) fn start_at(protocol: Protocol, port: u16) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", port))).unwrap();
        let (addr, state) = (listener.local_addr().unwrap(), Arc::<State>::default());
        match protocol {
            Protocol::Http => drop(runtime.spawn(http::serve(listener, Arc::clone(&state)))),
            Protocol::Grpc => drop(runtime.spawn(grpc::serve(listener, Arc::clone(&state)))),
        }
        Self { addr, state, _runtime: runtime }
    }

    /// What the next requests with spans get, one step each; all others are taken.
    pub(crate) fn script_spans(&self, steps: impl IntoIterator<Item = Step>) {
        self.state.spans_script.lock().extend(steps);
    }

    /// The same for those with log lines.
    pub(crate) fn script_logs(&self, steps: impl IntoIterator<Item = Step>) {
        self.state.logs_script.lock().extend(steps);
    }

    /// What the next requests with metrics get, one step each.
    pub(crate) fn script(&self, steps: impl IntoIterator<Item = Step>) {
        self.state.script.lock().extend(steps);
    }

    /// What every request with metrics gets that no step is left for; at first it is taken.
    pub(crate) fn otherwise(&self, step: Step) {
        *self.state.otherwise.lock() = Some(step);
    }

    /// How many steps are left.
    pub(crate) fn steps_left(&self) -> usize {
        self.state.script.lock().len()
    }

    /// All metrics that were taken so far, in the order of arrival.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.state.taken.lock().clone()
    }

    /// All spans that were taken so far, in the order of arrival.
    pub(crate) fn spans(&self) -> Vec<Received> {
        self.state.spans.lock().clone()
    }

    /// All log lines that were taken so far, in the order of arrival.
    pub(crate) fn lines(&self) -> Vec<Line> {
        self.state.lines.lock().clone()
    }

    /// How many requests with metrics came, whatever became of them.
    pub(crate) fn requests(&self) -> usize {
        self.state.requests.load(Ordering::Relaxed)
    }

    /// How many requests were taken whose answer got lost.
    pub(crate) fn answers_lost(&self) -> usize {
        self.state.answers_lost.load(Ordering::Relaxed)
    }
}

/// How long tests wait for what is pushed.
pub(crate) const ARRIVES: Duration = Duration::from_secs(60);

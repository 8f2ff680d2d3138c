//! Measures every request: one histogram for rate, errors and duration, one gauge for what is in flight.
//!
//! The route is the pattern that matched, never the path; an unknown method is `_OTHER`; a request whose client went
//! away is counted as such and leaves no gauge behind. Values here do not make a page new: they ride along. Each request
//! is a span too, below the one that it says it comes from.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, Version};
use axum::middleware::Next;
use axum::response::Response;
use parking_lot::Mutex;
use tracing::field::Empty;
use tracing::{Instrument as _, Span, info_span};

use crate::metrics::{Gauge, Histogram, Store};
use crate::model::{Definition, Instrument};
use crate::trace;

use super::Faces;

pub(super) static DURATION: Definition = Definition {
    name: "http.server.request.duration",
    instrument: Instrument::Histogram(&[
        0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    ]),
    unit: "s",
    attributes: &[
        "http.request.method",
        "url.scheme",
        "http.route",
        "http.response.status_code",
        "error.type",
        "network.protocol.version",
    ],
    help: "How long requests to this process took",
};
pub(super) static ACTIVE: Definition = Definition {
    name: "http.server.active_requests",
    instrument: Instrument::UpDownCounter,
    unit: "{request}",
    attributes: &["http.request.method", "url.scheme"],
    help: "Number of requests to this process in flight",
};

/// The series of the requests seen so far.
pub(super) struct RequestMetrics {
    store: Store,
    durations: Mutex<HashMap<Key, Histogram>>,
    active: Mutex<HashMap<&'static str, Gauge>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    method: &'static str,
    route: Box<str>,
    status: Option<u16>,
    version: &'static str,
}

impl Key {
    /// The error by OpenTelemetry's rules, by which one of the client is none of the server.
    fn error(&self) -> Option<Cow<'static, str>> {
        match self.status {
            None => Some("cancelled".into()),
            Some(status @ 500..) => Some(status.to_string().into()),
            Some(_) => None,
        }
    }
}

impl RequestMetrics {
    pub(super) fn new(store: &Store) -> Self {
        Self { store: store.clone(), durations: Mutex::default(), active: Mutex::default() }
    }

    fn active(&self, method: &'static str) -> Gauge {
        let mut active = self.active.lock();
        active.entry(method).or_insert_with(|| self.store.gauge(&ACTIVE, &[method, "http"])).clone()
    }

    fn record(&self, key: &Key, seconds: f64) {
        if let Some(histogram) = self.durations.lock().get(key) {
            return histogram.observe_in(seconds, trace::sampled());
        }
        let status = key.status.map(|status| status.to_string()).unwrap_or_default();
        let error = key.error().unwrap_or_default();
        let values = [key.method, "http", &*key.route, status.as_str(), &*error, key.version];
        let histogram = self.store.histogram(&DURATION, &values);
        histogram.observe_in(seconds, trace::sampled());
        self.durations.lock().insert(key.clone(), histogram);
    }
}

/// A request in flight. Dropped without an answer it was cancelled.
struct InFlight {
    faces: Faces,
    key: Key,
    started: Instant,
    active: Gauge,
    span: Span,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.active.add(-1.0);
        let took = self.started.elapsed().as_secs_f64();
        self.span.in_scope(|| self.faces.0.requests.record(&self.key, took));
        if self.span.is_disabled() {
            return;
        }
        if let Some(status) = self.key.status {
            self.span.record("http.response.status_code", i64::from(status));
        }
        if let Some(error) = self.key.error() {
            trace::fail(&self.span, &error);
        }
    }
}

pub(super) async fn measure(State(faces): State<Faces>, request: Request, next: Next) -> Response {
    let key = Key {
        method: method(request.method()),
        route: request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).into(),
        status: None,
        version: match request.version() {
            Version::HTTP_10 => "1.0",
            Version::HTTP_2 => "2",
            _ => "1.1",
        },
    };
    let active = faces.0.requests.active(key.method);
    active.add(1.0);
    let span = span(&key, &request);
    let mut in_flight = InFlight { faces, key, started: Instant::now(), active, span: span.clone() };
    let response = next.run(request).instrument(span).await;
    in_flight.key.status = Some(response.status().as_u16());
    response
}

/// The span of a request, by OpenTelemetry's conventions for servers. Without the query, which may hold anything.
fn span(key: &Key, request: &Request) -> Span {
    let span = info_span!(
        target: trace::TARGET,
        "request",
        otel.name = %format_args!("{}{}{}", key.method, if key.route.is_empty() { "" } else { " " }, key.route),
        otel.kind = "server",
        otel.status_code = Empty,
        otel.status_description = Empty,
        http.request.method = key.method,
        http.route = (!key.route.is_empty()).then_some(&*key.route),
        http.response.status_code = Empty,
        network.protocol.version = key.version,
        url.path = request.uri().path(),
        url.scheme = "http",
        "error.type" = Empty,
    );
    trace::adopt(&span, request.headers());
    span
}

/// The method, or `_OTHER` for one that no standard knows: a client must not choose our label values.
fn method(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("_OTHER")
}

//! Measures every request: one histogram for rate, errors and duration, one gauge for what is in flight.
//!
//! The route is the pattern that matched, never the path; an unknown method is `_OTHER`; a request whose client went
//! away is counted as such and leaves no gauge behind. Values here do not make a page new: they ride along.

use std::collections::HashMap;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, Version};
use axum::middleware::Next;
use axum::response::Response;
use parking_lot::Mutex;

use crate::metrics::{Gauge, Histogram, Store};
use crate::model::{Definition, Instrument};

use super::Faces;

static DURATION: Definition = Definition {
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
static ACTIVE: Definition = Definition {
    name: "http.server.active_requests",
    instrument: Instrument::UpDownCounter,
    unit: "{request}",
    attributes: &["http.request.method", "url.scheme"],
    help: "Number of requests to this process in flight",
};

/// The metrics that this part fills.
pub static DEFINITIONS: &[&Definition] = &[&DURATION, &ACTIVE];

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
            return histogram.observe(seconds);
        }
        let status = key.status.map(|status| status.to_string()).unwrap_or_default();
        let error = match key.status {
            None => "cancelled",
            Some(500..) => status.as_str(),
            Some(_) => "",
        };
        let values = [key.method, "http", &*key.route, status.as_str(), error, key.version];
        let histogram = self.store.histogram(&DURATION, &values);
        histogram.observe(seconds);
        self.durations.lock().insert(key.clone(), histogram);
    }
}

/// A request in flight. Dropped without an answer it was cancelled.
struct InFlight {
    faces: Faces,
    key: Key,
    started: Instant,
    active: Gauge,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.active.add(-1.0);
        self.faces.0.requests.record(&self.key, self.started.elapsed().as_secs_f64());
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
    let mut in_flight = InFlight { faces, key, started: Instant::now(), active };
    let response = next.run(request).await;
    in_flight.key.status = Some(response.status().as_u16());
    response
}

/// The method, or `_OTHER` for one that no standard knows: a client must not choose our label values.
fn method(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("_OTHER")
}

//! An HTTP server that answers everything with 200 and remembers what it was asked: the target of a check, or a
//! collector that spans are sent to.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};
use parking_lot::Mutex;
use prost::Message;
use vitalsign::model::is_integer;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// The server; its threads end with the test process.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    addr: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Recorder {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let recorder = Self { addr: listener.local_addr().unwrap(), requests: Arc::default() };
        let requests = Arc::clone(&recorder.requests);
        thread(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let requests = Arc::clone(&requests);
                // A client that leaves in the middle was not heard.
                thread(move || {
                    serve(stream, &requests);
                });
            }
        });
        recorder
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What it was asked so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().clone()
    }

    /// The spans that it was sent so far over OTLP.
    pub(crate) fn spans(&self) -> Vec<Received> {
        let requests = self.requests();
        requests.iter().filter(|request| request.path == "/v1/traces").flat_map(spans).collect()
    }
}

#[expect(clippy::disallowed_methods, reason = "a server of the tests")]
fn thread(work: impl FnOnce() + Send + 'static) {
    std::thread::spawn(work);
}

fn serve(stream: TcpStream, requests: &Mutex<Vec<Request>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let path = line.split(' ').nth(1)?.to_owned();
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        requests.lock().push(Request { path, headers, body });
        reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()?;
    }
}

/// A span as the collector got it.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// The attributes of its resource.
    pub(crate) resource: BTreeMap<String, String>,
    pub(crate) span: Span,
}

impl Received {
    pub(crate) fn trace(&self) -> String {
        hex(&self.span.trace_id)
    }

    pub(crate) fn id(&self) -> String {
        hex(&self.span.span_id)
    }

    pub(crate) fn parent(&self) -> String {
        hex(&self.span.parent_span_id)
    }

    pub(crate) fn kind(&self) -> SpanKind {
        self.span.kind()
    }

    pub(crate) fn attributes(&self) -> BTreeMap<String, String> {
        pairs(&self.span.attributes)
    }

    /// Whether it failed, and what it says to that.
    pub(crate) fn error(&self) -> Option<String> {
        let status = self.span.status.as_ref()?;
        (status.code() == StatusCode::Error).then(|| status.message.clone())
    }
}

fn spans(request: &Request) -> Vec<Received> {
    let mut body = Vec::new();
    match request.headers.get("content-encoding").map(String::as_str) {
        Some("gzip") => drop(flate2::read::GzDecoder::new(&*request.body).read_to_end(&mut body).unwrap()),
        other => {
            assert_eq!(other, None, "an encoding that was not asked for");
            body.clone_from(&request.body);
        }
    }
    received(ExportTraceServiceRequest::decode(&*body).unwrap())
}

/// The spans of a request.
pub(crate) fn received(export: ExportTraceServiceRequest) -> Vec<Received> {
    let received = export.resource_spans.into_iter().flat_map(|group| {
        let resource = pairs(&group.resource.unwrap_or_default().attributes);
        let spans = group.scope_spans.into_iter().flat_map(|scope| scope.spans);
        spans.map(move |span| Received { resource: resource.clone(), span }).collect::<Vec<_>>()
    });
    received.collect()
}

/// Attributes as texts.
pub(crate) fn pairs(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let pair = |attribute: &KeyValue| {
        assert!(has_its_type(attribute), "{attribute:?}");
        (attribute.key.clone(), value(attribute.value.as_ref()))
    };
    attributes.iter().map(pair).collect()
}

/// Whether an attribute that is a whole number is one.
pub(crate) fn has_its_type(attribute: &KeyValue) -> bool {
    let value = attribute.value.as_ref().and_then(|any| any.value.as_ref());
    !is_integer(&attribute.key) || matches!(value, Some(Value::IntValue(_)))
}

/// A value as text.
pub(crate) fn value(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.clone()) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

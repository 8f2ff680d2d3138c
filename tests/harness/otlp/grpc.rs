//! OTLP over gRPC, by tonic's server; beside it stands every connection's socket, to close it in the middle of things.

use std::{
    collections::HashMap,
    future::pending,
    net::{Shutdown, SocketAddr},
    os::fd::AsFd,
    sync::Arc,
    sync::atomic::Ordering,
};

use opentelemetry_proto::tonic::collector::{
    logs::v1::{
        ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
        logs_service_server::{LogsService, LogsServiceServer},
    },
    metrics::v1::{
        ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
        metrics_service_server::{MetricsService, MetricsServiceServer},
    },
    trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
};
use parking_lot::Mutex;
use prost::Message;
use tokio::net::{TcpListener, TcpStream};
use tonic::{
    Code, Request, Response, Status,
    body::Body,
    codec::CompressionEncoding,
    codegen::{http, tokio_stream::StreamExt},
    service::interceptor::InterceptedService,
    transport::{Server, server::TcpIncoming},
};
use tower::util::MapResponseLayer;

use super::{State, Step, Taken};

#[derive(Clone)]
struct Service {
    state: Arc<State>,
    sockets: Sockets,
}

/// The connections, by where the client is.
#[derive(Clone, Default)]
struct Sockets(Arc<Mutex<HashMap<SocketAddr, std::net::TcpStream>>>);

impl Sockets {
    fn add(&self, stream: &TcpStream) {
        let socket = stream.as_fd().try_clone_to_owned().unwrap().into();
        self.0.lock().insert(stream.peer_addr().unwrap(), socket);
    }

    /// Closes the connection of a request: nothing more of it is read, and no answer arrives.
    fn cut<T>(&self, request: &Request<T>) {
        let socket = self.0.lock().remove(&request.remote_addr().unwrap()).unwrap();
        // The client may have gone by itself.
        let _ = socket.shutdown(Shutdown::Both);
    }
}

pub(super) async fn serve(listener: TcpListener, state: Arc<State>) {
    let (gzip, zstd) = (CompressionEncoding::Gzip, CompressionEncoding::Zstd);
    let service = Service { state, sockets: Sockets::default() };
    let metrics = MetricsServiceServer::new(service.clone()).accept_compressed(gzip).accept_compressed(zstd);
    let traces = TraceServiceServer::new(service.clone()).accept_compressed(gzip).accept_compressed(zstd);
    let logs = LogsServiceServer::new(service.clone()).accept_compressed(gzip).accept_compressed(zstd);
    let sockets = service.sockets.clone();
    let incoming = TcpIncoming::from(listener).map(move |stream| {
        sockets.add(stream.as_ref().unwrap());
        stream
    });
    let served = Server::builder()
        .layer(MapResponseLayer::new(put_in))
        .add_service(InterceptedService::new(metrics, service.decides(State::next)))
        .add_service(InterceptedService::new(traces, service.decides(State::next_of_spans)))
        .add_service(InterceptedService::new(logs, service.decides(State::next_of_logs)))
        .serve_with_incoming(incoming);
    served.await.unwrap();
}

impl Service {
    /// Decides about a request when its head is there and its body is not yet read.
    fn decides(
        &self,
        next: fn(&State) -> Step,
    ) -> impl FnMut(Request<()>) -> Result<Request<()>, Status> + Clone + use<> {
        let service = self.clone();
        move |mut request| {
            let step = next(&service.state);
            if step == Step::CutRequest {
                service.sockets.cut(&request);
                return Err(Status::unavailable("nobody reads this"));
            }
            request.extensions_mut().insert(step);
            Ok(request)
        }
    }

    /// Does what was decided, and says how many points, spans or lines are refused where the others are taken.
    async fn answer<T>(&self, request: Request<T>, take: impl FnOnce(&State, T)) -> Result<i64, Status> {
        match request.extensions().get().cloned().unwrap() {
            Step::Take => {
                take(&self.state, request.into_inner());
                Ok(0)
            }
            Step::TakePartly(refused) => {
                take(&self.state, request.into_inner());
                Ok(refused)
            }
            Step::Refuse(code, after) => {
                let details = after.map(|after| retry_info(after.parse().unwrap())).unwrap_or_default();
                Err(Status::with_details(Code::from(i32::from(code)), "canary", details.into()))
            }
            Step::Page(_, body) => Err(instead(200, ("content-type", "text/html"), body)),
            Step::Redirect(status, to) => Err(instead(status, ("location", to), "")),
            Step::TooLarge(words) => Err(Status::resource_exhausted(words)),
            Step::Hang => pending().await,
            Step::LoseAnswer => {
                self.sockets.cut(&request);
                take(&self.state, request.into_inner());
                self.state.answers_lost.fetch_add(1, Ordering::Relaxed);
                pending().await
            }
            step @ (Step::CutAnswer | Step::CutRequest) => {
                unreachable!("{step:?} is not for gRPC, or was done")
            }
        }
    }
}

#[tonic::async_trait]
impl MetricsService for Service {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let headers = request.metadata().clone().into_headers();
        let headers = headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()));
        let headers = headers.collect();
        let take = |state: &State, request| state.take(Taken { request, headers, path: "Export".to_owned() });
        let rejected_data_points = self.answer(request, take).await?;
        let partial =
            ExportMetricsPartialSuccess { rejected_data_points, error_message: "canary".to_owned() };
        let partial_success = (rejected_data_points > 0).then_some(partial);
        Ok(Response::new(ExportMetricsServiceResponse { partial_success }))
    }
}

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let rejected_spans = self.answer(request, State::take_spans).await?;
        let partial = ExportTracePartialSuccess { rejected_spans, error_message: "canary".to_owned() };
        let partial_success = (rejected_spans > 0).then_some(partial);
        Ok(Response::new(ExportTraceServiceResponse { partial_success }))
    }
}

#[tonic::async_trait]
impl LogsService for Service {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let rejected_log_records = self.answer(request, State::take_logs).await?;
        let partial = ExportLogsPartialSuccess { rejected_log_records, error_message: "canary".to_owned() };
        let partial_success = (rejected_log_records > 0).then_some(partial);
        Ok(Response::new(ExportLogsServiceResponse { partial_success }))
    }
}

/// What is to be answered in place of gRPC, on its way to `put_in`.
fn instead(status: u16, (name, value): (&'static str, &'static str), body: &'static str) -> Status {
    let mut answer = Status::unknown("");
    let text = |text: &str| text.parse().unwrap();
    answer.metadata_mut().insert("x-status", text(&status.to_string()));
    answer.metadata_mut().insert("x-name", text(name));
    answer.metadata_mut().insert("x-value", text(value));
    answer.metadata_mut().insert("x-body", text(body));
    answer
}

/// The answer itself, or what is to be answered in its place.
fn put_in(answer: http::Response<Body>) -> http::Response<Body> {
    let of = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let Some(status) = of("x-status") else { return answer };
    let other = http::Response::builder().status(status);
    other
        .header(of("x-name").unwrap(), of("x-value").unwrap())
        .body(Body::new(of("x-body").unwrap().to_owned()))
        .unwrap()
}

/// `google.rpc.Status` with a `google.rpc.RetryInfo` in its details.
fn retry_info(seconds: i64) -> Vec<u8> {
    #[derive(Clone, PartialEq, Message)]
    struct Delay {
        #[prost(int64, tag = "1")]
        seconds: i64,
    }
    #[derive(Clone, PartialEq, Message)]
    struct RetryInfo {
        #[prost(message, optional, tag = "1")]
        delay: Option<Delay>,
    }
    #[derive(Clone, PartialEq, Message)]
    struct Any {
        #[prost(string, tag = "1")]
        type_url: String,
        #[prost(bytes = "vec", tag = "2")]
        value: Vec<u8>,
    }
    #[derive(Clone, PartialEq, Message)]
    struct RpcStatus {
        #[prost(message, repeated, tag = "3")]
        details: Vec<Any>,
    }
    let value = RetryInfo { delay: Some(Delay { seconds }) }.encode_to_vec();
    let any = Any { type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(), value };
    RpcStatus { details: vec![any] }.encode_to_vec()
}

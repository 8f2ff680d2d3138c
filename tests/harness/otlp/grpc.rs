//! OTLP over gRPC, by tonic's server.

use std::{future::pending, sync::Arc, sync::atomic::Ordering};

use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
    metrics_service_server::{MetricsService, MetricsServiceServer},
};
use prost::Message;
use tokio::net::TcpListener;
use tonic::{
    Code, Request, Response, Status,
    codec::CompressionEncoding,
    transport::{Server, server::TcpIncoming},
};

use super::{State, Step, Taken};

struct Service(Arc<State>);

pub(super) async fn serve(listener: TcpListener, state: Arc<State>) {
    let service = MetricsServiceServer::new(Service(state)).accept_compressed(CompressionEncoding::Gzip);
    let served = Server::builder().add_service(service).serve_with_incoming(TcpIncoming::from(listener));
    served.await.unwrap();
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
        let taken =
            Taken { headers: headers.collect(), path: "Export".to_owned(), request: request.into_inner() };
        let step = self.0.next();
        match step {
            Step::Take | Step::TakePartly(_) => {
                self.0.take(taken);
                let rejected_data_points = if let Step::TakePartly(points) = step { points } else { 0 };
                let partial =
                    ExportMetricsPartialSuccess { rejected_data_points, error_message: "canary".to_owned() };
                let partial_success = (rejected_data_points > 0).then_some(partial);
                Ok(Response::new(ExportMetricsServiceResponse { partial_success }))
            }
            Step::Refuse(code, after) => {
                let details = after.map(|after| retry_info(after.parse().unwrap())).unwrap_or_default();
                Err(Status::with_details(Code::from(i32::from(code)), "canary", details.into()))
            }
            Step::TooLarge(words) => Err(Status::resource_exhausted(words)),
            Step::Hang | Step::CutRequest => pending().await,
            Step::LoseAnswer | Step::CutAnswer => {
                self.0.take(taken);
                self.0.answers_lost.fetch_add(1, Ordering::Relaxed);
                Err(Status::unavailable("the answer is lost"))
            }
        }
    }
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

//! OTLP over gRPC, by tonic's server.

use std::{future::pending, sync::Arc, sync::atomic::Ordering};

use opentelemetry_proto::tonic::collector::{
    metrics::v1::{
        ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
        metrics_service_server::{MetricsService, MetricsServiceServer},
    },
    trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
};
use prost::Message;
use tokio::net::TcpListener;
use tonic::{
    Code, Request, Response, Status,
    codec::CompressionEncoding,
    transport::{Server, server::TcpIncoming},
};

use super::{State, Step, Taken};

#[derive(Clone)]
struct Service(Arc<State>);

pub(super) async fn serve(listener: TcpListener, state: Arc<State>) {
    let (gzip, service) = (CompressionEncoding::Gzip, Service(state));
    let served = Server::builder()
        .add_service(MetricsServiceServer::new(service.clone()).accept_compressed(gzip))
        .add_service(TraceServiceServer::new(service).accept_compressed(gzip))
        .serve_with_incoming(TcpIncoming::from(listener));
    served.await.unwrap();
}

impl Service {
    /// Does the step, and says how many points or spans are refused where it takes the others.
    async fn answer(&self, step: Step, take: impl FnOnce(&State)) -> Result<i64, Status> {
        match step {
            Step::Take => {
                take(&self.0);
                Ok(0)
            }
            Step::TakePartly(refused) => {
                take(&self.0);
                Ok(refused)
            }
            Step::Refuse(code, after) => {
                let details = after.map(|after| retry_info(after.parse().unwrap())).unwrap_or_default();
                Err(Status::with_details(Code::from(i32::from(code)), "canary", details.into()))
            }
            Step::TooLarge(words) => Err(Status::resource_exhausted(words)),
            Step::Hang | Step::CutRequest => pending().await,
            Step::LoseAnswer | Step::CutAnswer => {
                take(&self.0);
                self.0.answers_lost.fetch_add(1, Ordering::Relaxed);
                Err(Status::unavailable("the answer is lost"))
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
        let taken =
            Taken { headers: headers.collect(), path: "Export".to_owned(), request: request.into_inner() };
        let rejected_data_points = self.answer(self.0.next(), |state| state.take(taken)).await?;
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
        let take = |state: &State| state.take_spans(request.into_inner());
        let rejected_spans = self.answer(self.0.next_of_spans(), take).await?;
        let partial = ExportTracePartialSuccess { rejected_spans, error_message: "canary".to_owned() };
        let partial_success = (rejected_spans > 0).then_some(partial);
        Ok(Response::new(ExportTraceServiceResponse { partial_success }))
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

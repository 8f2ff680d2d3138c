//! OTLP over HTTP/1.1, written by hand: a server of a library would not close a connection in the middle of things.

use std::{io::Read, sync::Arc, sync::atomic::Ordering};

use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};
use prost::Message;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{State, Step, Taken};

/// What every answer of a collector is.
const KIND: &str = "application/x-protobuf";

#[expect(clippy::disallowed_methods, reason = "tests have no supervisor")]
pub(super) async fn serve(listener: TcpListener, state: Arc<State>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(connection(stream, Arc::clone(&state)));
    }
}

/// Serves requests until the client goes or the script closes.
async fn connection(mut stream: TcpStream, state: Arc<State>) -> Option<()> {
    let mut read = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = read.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            more(&mut stream, &mut read).await?;
        };
        let head = String::from_utf8(read[..end].to_vec()).unwrap();
        read.drain(..end + 4);
        let mut lines = head.lines();
        let path = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let header =
            |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let length: usize = header("content-length").unwrap().parse().unwrap();
        let (of_spans, of_logs) = (path.ends_with("/v1/traces"), path.ends_with("/v1/logs"));
        let step = match (of_spans, of_logs) {
            (true, _) => state.next_of_spans(),
            (_, true) => state.next_of_logs(),
            _ => state.next(),
        };
        if step == Step::CutRequest {
            return None;
        }
        while read.len() < length {
            more(&mut stream, &mut read).await?;
        }
        let mut body: Vec<u8> = read.drain(..length).collect();
        match header("content-encoding") {
            None => {}
            Some("gzip") => {
                let mut plain = Vec::new();
                flate2::read::GzDecoder::new(&*body).read_to_end(&mut plain).unwrap();
                body = plain;
            }
            Some("zstd") => body = zstd::decode_all(&*body).unwrap(),
            other => panic!("{other:?}"),
        }
        let take = || match (of_spans, of_logs) {
            (true, _) => state.take_spans(Message::decode(&*body).unwrap()),
            (_, true) => state.take_logs(Message::decode(&*body).unwrap()),
            _ => state.take(Taken { request: Message::decode(&*body).unwrap(), path, headers }),
        };
        let answer = match &step {
            Step::Take | Step::TakePartly(_) => {
                take();
                // The answers about spans and lines have the same fields.
                let rejected_data_points = if let Step::TakePartly(points) = step { points } else { 0 };
                let partial =
                    ExportMetricsPartialSuccess { rejected_data_points, error_message: "canary".to_owned() };
                let answer = ExportMetricsServiceResponse {
                    partial_success: (rejected_data_points > 0).then_some(partial),
                };
                let answer = answer.encode_to_vec();
                let mut bytes = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: {KIND}\r\ncontent-length: {}\r\n\r\n",
                    answer.len()
                )
                .into_bytes();
                bytes.extend(answer);
                bytes
            }
            Step::Refuse(status, after) => {
                let after = after.map(|after| format!("retry-after: {after}\r\n")).unwrap_or_default();
                format!("HTTP/1.1 {status} No\r\n{after}content-length: 6\r\n\r\ncanary").into_bytes()
            }
            Step::Page(kind, body) => {
                let kind = kind.map(|kind| format!("content-type: {kind}\r\n")).unwrap_or_default();
                format!("HTTP/1.1 200 OK\r\n{kind}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
            }
            Step::Redirect(status, to) => {
                format!("HTTP/1.1 {status} There\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n").into_bytes()
            }
            Step::TooLarge(_) => b"HTTP/1.1 413 No\r\ncontent-length: 0\r\n\r\n".to_vec(),
            Step::Hang => {
                // The client gives up, which ends the connection.
                while more(&mut stream, &mut read).await.is_some() {}
                return None;
            }
            Step::LoseAnswer => {
                take();
                state.answers_lost.fetch_add(1, Ordering::Relaxed);
                return None;
            }
            Step::CutAnswer => {
                take();
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
                return None;
            }
            Step::CutRequest => unreachable!("returned above"),
        };
        stream.write_all(&answer).await.ok()?;
    }
}

async fn more(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<()> {
    (stream.read_buf(read).await.ok()? > 0).then_some(())
}

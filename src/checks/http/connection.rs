//! A connection that speaks HTTP, in either version, and belongs to the future of the one who asks.
//!
//! hyper wants tasks beside a connection. Here their work is done beside each question, so a dropped run takes its socket
//! with it at once and nothing outlives it. A head may have many headers, and be of one size at most.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::rt::Executor;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;

use crate::checks::net::{Allowance, Wire};

/// The most bytes and headers that the head of an answer may have.
const HEAD: u32 = 128 << 10;
const HEADERS: usize = 1_000;
/// How much of the body HTTP/2 lets a server send before we ask for more.
const WINDOW: u32 = 64 << 10;
/// The most bytes until the head of an answer is there: the head, answers before the answer such as 103, and what of the
/// body came along. Less than for the body, because HTTP/2 makes hundreds of bytes of memory of twenty that came.
const UNTIL_HEAD: usize = 256 << 10;

/// See the module.
pub(super) struct Connection {
    sender: Sender,
    work: Work,
    /// Whether a question was answered on it. One that ends before says why; one that ends later was only kept too long.
    has_answered: bool,
    allowance: Allowance,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    /// Begins to speak HTTP, version 2 where `second` says so. `allowance` is that of the wire.
    pub(super) async fn open(wire: Box<dyn Wire>, second: bool, allowance: Allowance) -> hyper::Result<Self> {
        let (mut work, wire) = (Work::default(), TokioIo::new(wire));
        let sender = if second {
            let opening = http2::Builder::new(work.queue.clone())
                .max_header_list_size(HEAD)
                .initial_stream_window_size(WINDOW)
                .initial_connection_window_size(WINDOW)
                .handshake(wire);
            let (sender, connection) = work.beside(opening).await?;
            work.push(connection);
            Sender::Http2(sender)
        } else {
            let mut builder = http1::Builder::new();
            builder.max_headers(HEADERS).max_buf_size(HEAD as usize);
            let (sender, connection) = builder.handshake(wire).await?;
            work.push(connection);
            Sender::Http1(sender)
        };
        Ok(Self { sender, work, has_answered: false, allowance })
    }

    /// Whether it speaks version 2.
    pub(super) fn is_second(&self) -> bool {
        matches!(self.sender, Sender::Http2(_))
    }

    /// Sends a request and waits for the head of the answer.
    pub(super) async fn ask(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
        let Self { sender, work, has_answered, allowance } = self;
        allowance.restrict(UNTIL_HEAD);
        let answer = work.beside(async {
            match sender {
                Sender::Http1(sender) => {
                    sender.ready().await?;
                    sender.send_request(request).await
                }
                Sender::Http2(sender) => {
                    sender.ready().await?;
                    sender.send_request(request).await
                }
            }
        });
        match answer.await {
            Ok(response) => {
                *has_answered = true;
                allowance.renew();
                Ok(response)
            }
            Err(error) if *has_answered => Err(error),
            Err(error) => Err(work.why(error)),
        }
    }

    /// The next part of a body; none at its end.
    pub(super) async fn part(&mut self, body: &mut Incoming) -> hyper::Result<Option<Bytes>> {
        loop {
            match self.work.beside(body.frame()).await {
                None => return Ok(None),
                Some(frame) => {
                    // Anything else is a trailer.
                    if let Ok(part) = frame?.into_data() {
                        return Ok(Some(part));
                    }
                }
            }
        }
    }
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What hyper would have tasks do.
#[derive(Default)]
struct Work {
    tasks: Vec<Task>,
    queue: Queue,
    /// Why the connection ended.
    broken: Arc<Mutex<Option<hyper::Error>>>,
}

/// Tasks that nobody has begun.
#[derive(Clone, Default)]
struct Queue(Arc<Mutex<Vec<Task>>>);

impl<F: Future + Send + 'static> Executor<F> for Queue {
    fn execute(&self, task: F) {
        self.0.lock().push(Box::pin(async move {
            task.await;
        }));
    }
}

impl Work {
    /// Adds the work of a connection.
    fn push(&mut self, connection: impl Future<Output = hyper::Result<()>> + Send + 'static) {
        let broken = Arc::clone(&self.broken);
        self.queue.execute(async move { *broken.lock() = connection.await.err() });
    }

    /// Why a question failed. One that came after the connection had ended hears only that it has.
    fn why(&self, error: hyper::Error) -> hyper::Error {
        let late = error.is_closed() || error.is_canceled();
        late.then(|| self.broken.lock().take()).flatten().unwrap_or(error)
    }

    /// Waits for `question`, and does the work meanwhile.
    async fn beside<F: Future>(&mut self, question: F) -> F::Output {
        let mut question = pin!(question);
        poll_fn(|context| {
            loop {
                self.go_on(context);
                if let Poll::Ready(answer) = question.as_mut().poll(context) {
                    return Poll::Ready(answer);
                }
                if self.queue.0.lock().is_empty() {
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    fn go_on(&mut self, context: &mut Context<'_>) {
        self.tasks.append(&mut self.queue.0.lock());
        self.tasks.retain_mut(|task| task.as_mut().poll(context).is_pending());
    }
}

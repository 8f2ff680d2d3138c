//! One connection: each part of a request has its time, and no client gets more than a turn before others have theirs.
//!
//! A turn is so many bytes of an answer; whoever reads a large page as fast as it can waits between two turns for everyone
//! else. A probe that is the first request of its connection is answered at once; of all other requests one has its turn
//! before new connections are looked at again, however many there are. What a client does not read in time is thrown
//! away with its connection, so that the system does not keep it either.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::response::Response;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::debug;

use super::audience::Peer;
use super::limits::Limits;
use super::listener;
use super::places::{Place, Places, Reason};
use super::router;

/// How many bytes of an answer go out in one turn.
const TURN: usize = 128 * 1024;

/// How many requests that are no probes have their turn at once.
const AT_ONCE: usize = 1;

/// What all connections share.
pub(super) struct Serving {
    router: Router,
    limits: Limits,
    places: Arc<Places>,
    /// Where requests that are no probes wait for their turn.
    gate: Semaphore,
    stop: CancellationToken,
}

/// How far a connection is.
struct Course {
    limits: Limits,
    state: Mutex<State>,
}

struct State {
    place: Place,
    stage: Stage,
    /// Until when the stage may last.
    until: Instant,
    /// Nothing of the answer is left to be asked for.
    handed_over: bool,
    /// No request came yet.
    is_new: bool,
    /// Bytes that went out in this turn.
    bytes: usize,
}

/// What the connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The head of a request.
    Head,
    /// The answer to a request, and the rest of that.
    Asked,
    /// The client, to read the answer.
    Answering,
    /// The next request.
    Idle,
}

impl Serving {
    pub(super) fn new(
        router: Router,
        limits: Limits,
        places: Arc<Places>,
        stop: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self { router, limits, places, gate: Semaphore::new(AT_ONCE), stop })
    }

    pub(super) fn places(&self) -> &Places {
        &self.places
    }

    pub(super) const fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Whether the descriptor of this connection is one that belongs to others.
    pub(super) fn is_one_too_many(&self, stream: &TcpStream) -> bool {
        self.limits.is_one_too_many(stream.as_fd())
    }

    /// Takes a place for a client, and serves it until one of both ends it, or until told to stop: then in order.
    pub(super) fn serve(
        self: &Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
    ) -> impl Future<Output = ()> + Send + use<> {
        let (place, leave) = self.places.take(peer.ip());
        let until = Instant::now() + self.limits.head_within;
        let state = State { place, stage: Stage::Head, until, handed_over: false, is_new: true, bytes: 0 };
        let course = Arc::new(Course { limits: self.limits, state: Mutex::new(state) });
        Arc::clone(self).drive(stream, peer, course, leave)
    }

    async fn drive(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        course: Arc<Course>,
        mut leave: oneshot::Receiver<Reason>,
    ) {
        // Small answers go out at once; a failure here costs latency only.
        let _ = stream.set_nodelay(true);
        let begun = tokio::select! {
            biased;
            // Only then has it buffers.
            begun = stream.readable() => begun.map(|()| None).map_err(|_| None),
            // Whoever has to leave and has said something is heard first: it may be a probe.
            reason = &mut leave => if listener::is_waiting(&stream) { Ok(reason.ok()) } else { Err(reason.ok()) },
            () = sleep_until(course.until()) => Err(Some(Reason::HeadTimeout)),
            () = self.stop.cancelled() => Err(None),
        };
        let leaving = match begun {
            Ok(leaving) => leaving,
            Err(reason) => return course.closed(reason, peer),
        };
        if leaving.is_some() {
            // The runtime has to learn that there is something to read.
            let _ = stream.readable().await;
        }
        let service = {
            let (serving, course) = (Arc::clone(&self), Arc::clone(&course));
            hyper::service::service_fn(move |request| {
                Arc::clone(&serving).answer(request, peer, Arc::clone(&course))
            })
        };
        let paced = Paced { stream, course: Arc::clone(&course) };
        let connection = http1::Builder::new()
            .max_buf_size(course.limits.head_size)
            .serve_connection(TokioIo::new(paced), service);
        let (mut connection, mut stopped) = (pin!(connection), pin!(self.stop.cancelled()));
        let (mut clock, mut stopping) = (pin!(sleep_until(course.until())), false);
        let closed = poll_fn(|context| {
            course.begin_turn();
            if !stopping && stopped.as_mut().poll(context).is_ready() {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            if let Poll::Ready(ended) = connection.as_mut().poll(context) {
                if let Err(error) = ended {
                    debug!(%error, "a connection ended badly");
                }
                return Poll::Ready(None);
            }
            if leaving.is_some() {
                return Poll::Ready(leaving);
            }
            if let Poll::Ready(reason) = Pin::new(&mut leave).poll(context) {
                return Poll::Ready(reason.ok());
            }
            let until = course.until();
            if clock.deadline() != until {
                clock.as_mut().reset(until);
            }
            clock.as_mut().poll(context).map(|()| Some(course.late()))
        });
        let closed = closed.await;
        course.closed(closed, peer);
    }

    async fn answer(
        self: Arc<Self>,
        mut request: Request<Incoming>,
        peer: SocketAddr,
        course: Arc<Course>,
    ) -> Result<Response<Answer>, Infallible> {
        let is_first = course.asked();
        if !is_first || !router::is_probe(request.uri().path()) {
            // Waits for others, and then until whoever is connected by now had a look.
            let _turn = self.gate.acquire().await;
            tokio::task::yield_now().await;
        }
        request.extensions_mut().insert(Peer(peer));
        let response = self.router.clone().oneshot(request).await?;
        course.answering();
        Ok(response.map(|body| Answer { body, course }))
    }
}

impl Course {
    fn until(&self) -> Instant {
        self.state.lock().until
    }

    fn begin_turn(&self) {
        self.state.lock().bytes = 0;
    }

    /// Bytes came in.
    fn read(&self) {
        let mut state = self.state.lock();
        if state.stage == Stage::Idle {
            // Whoever sends a head slowly does nothing: the place stays where it is.
            (state.stage, state.until) = (Stage::Head, Instant::now() + self.limits.head_within);
        }
    }

    /// The head of a request is there; whether it is the first one of this connection.
    fn asked(&self) -> bool {
        let mut state = self.state.lock();
        (state.stage, state.until) = (Stage::Asked, Instant::now() + self.limits.body_within);
        state.place.moved();
        std::mem::take(&mut state.is_new)
    }

    /// The answer is there.
    fn answering(&self) {
        let mut state = self.state.lock();
        (state.stage, state.until) = (Stage::Answering, Instant::now() + self.limits.write_within);
        state.handed_over = false;
        state.place.moved();
    }

    /// All of the answer has been handed over.
    fn handed_over(&self) {
        self.state.lock().handed_over = true;
    }

    /// How much may go out in this turn.
    fn room(&self) -> usize {
        TURN.saturating_sub(self.state.lock().bytes)
    }

    fn wrote(&self, bytes: usize) {
        let mut state = self.state.lock();
        state.bytes += bytes;
        if state.stage == Stage::Answering {
            state.place.moved();
        }
    }

    /// The system has taken all that was handed over.
    fn flushed(&self) {
        let mut state = self.state.lock();
        if state.stage == Stage::Answering && state.handed_over {
            (state.stage, state.until) = (Stage::Idle, Instant::now() + self.limits.idle_for);
        }
    }

    /// Which time is over.
    fn late(&self) -> Reason {
        match self.state.lock().stage {
            Stage::Head => Reason::HeadTimeout,
            Stage::Asked => Reason::BodyTimeout,
            Stage::Answering => Reason::WriteTimeout,
            Stage::Idle => Reason::IdleTimeout,
        }
    }

    fn closed(&self, reason: Option<Reason>, peer: SocketAddr) {
        if let Some(reason) = reason {
            debug!(%peer, reason = reason.word(), "a connection was closed");
            self.state.lock().place.places().count(reason);
        }
    }

    /// Whether an answer has gone out in part.
    fn is_answering(&self) -> bool {
        self.state.lock().stage == Stage::Answering
    }
}

/// The body of an answer; tells when nothing is left of it.
struct Answer {
    body: Body,
    course: Arc<Course>,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.course.handed_over();
    }
}

/// The client's socket, a turn at a time.
struct Paced {
    stream: TcpStream,
    course: Arc<Course>,
}

impl Drop for Paced {
    fn drop(&mut self) {
        if self.course.is_answering() {
            // Or the system would keep for minutes what nobody reads.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Paced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.course.read();
        }
        read
    }
}

impl AsyncWrite for Paced {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let room = self.course.room();
        if room == 0 {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let begin = slices.iter().position(|slice| !slice.is_empty()).unwrap_or_default();
        let slices = slices.get(begin..).unwrap_or_default();
        let mut total = 0;
        let fit = slices.iter().take_while(|slice| {
            total += slice.len();
            total <= room
        });
        let written = match (fit.count(), slices) {
            (0, [first, ..]) => {
                Pin::new(&mut self.stream).poll_write(context, first.get(..room).unwrap_or(first))
            }
            (fit, _) => {
                Pin::new(&mut self.stream).poll_write_vectored(context, slices.get(..fit).unwrap_or(slices))
            }
        };
        if let Poll::Ready(Ok(written)) = written {
            self.course.wrote(written);
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.course.flushed();
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

//! The server: listeners, connections and their limits, on one thread with a runtime of its own.
//!
//! A client that is slow to ask, or asks for too much, loses its connection and nothing else.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::ServiceExt;
use tracing::debug;

use crate::supervisor::{self, Guests};

use super::Faces;
use super::audience::Peer;

/// What a client may take of the server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; one more waits to be accepted.
    pub connections: usize,
    /// How long a client may take to send the head of a request, the wait between two requests included.
    pub head_within: Duration,
    /// The longest head of a request, in bytes.
    pub head_size: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 1024, head_within: Duration::from_secs(60), head_size: 16 * 1024 }
    }
}

/// A running server; dropped, it ends.
#[derive(Debug)]
pub struct Server {
    addresses: Vec<SocketAddr>,
    stop: DropGuard,
    deadline: oneshot::Sender<Instant>,
    ended: oneshot::Receiver<()>,
}

impl Server {
    /// Serves `faces` on `listeners`, on a thread of its own.
    ///
    /// # Errors
    /// When a listener cannot be used or the system gives no thread.
    pub fn start(listeners: Vec<StdListener>, faces: &Faces, limits: Limits) -> io::Result<Self> {
        let addresses = listeners.iter().map(StdListener::local_addr).collect::<io::Result<_>>()?;
        for listener in &listeners {
            listener.set_nonblocking(true)?;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, (deadline, until)) = (CancellationToken::new(), oneshot::channel());
        let (stopped, faces, (alive, ended)) = (stop.clone(), faces.clone(), oneshot::channel());
        supervisor::thread("vitalsign-web", move || {
            // Dropped when the thread ends, however it ends.
            let _alive: oneshot::Sender<()> = alive;
            runtime.block_on(serve(listeners, faces, limits, stopped, until));
        })?;
        Ok(Self { addresses, stop: stop.drop_guard(), deadline, ended })
    }

    /// The addresses that the server listens on.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Accepts no more, lets requests in flight end, and ends what is left at `deadline`.
    pub async fn stop(self, deadline: Instant) {
        // An error of either means that the thread has ended, which is what was wanted.
        let _ = self.deadline.send(deadline);
        drop(self.stop);
        let _ = tokio::time::timeout_at(deadline, self.ended).await;
    }

    /// Waits until the server's thread ends, which it should not before it is told to.
    pub async fn ended(&mut self) {
        // The sender is only ever dropped, so what comes is always the end.
        let _ = (&mut self.ended).await;
    }
}

async fn serve(
    listeners: Vec<StdListener>,
    faces: Faces,
    limits: Limits,
    stop: CancellationToken,
    deadline: oneshot::Receiver<Instant>,
) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let (acceptors, connections, router) = (Guests::default(), Guests::default(), faces.router());
    // Here, because this is the thread that goes on when the runner is stuck.
    acceptors.start(watch(faces, stop.clone()));
    for listener in listeners {
        match TcpListener::from_std(listener) {
            Ok(listener) => {
                let connection = Connections {
                    router: router.clone(),
                    limits,
                    slots: Arc::clone(&slots),
                    guests: connections.clone(),
                    stop: stop.clone(),
                };
                acceptors.start(connection.accept(listener));
            }
            Err(error) => tracing::error!(%error, "a listener could not be used"),
        }
    }
    stop.cancelled().await;
    let deadline = deadline.await.unwrap_or_else(|_| Instant::now());
    acceptors.finish(deadline).await;
    connections.finish(deadline).await;
}

/// Looks what changed when there is news, and logs it.
async fn watch(faces: Faces, stop: CancellationToken) {
    /// One look a second is enough, however much happens.
    const SHORTEST: Duration = Duration::from_secs(1);
    /// A runtime that has stalled tells nobody.
    const LONGEST: Duration = Duration::from_secs(15);
    /// A verdict that expires at a moment is too old after it.
    const AFTER: Duration = Duration::from_millis(1);
    let board = &faces.0.board;
    let looks = async {
        loop {
            let now = Instant::now();
            let longest = now + LONGEST;
            let next = board.log_changes(now).map_or(longest, |expiry| longest.min(expiry + AFTER));
            // Without news for so long there is nothing to be done but to look.
            let _ = tokio::time::timeout_at(next, board.changed()).await;
            tokio::time::sleep_until(now + SHORTEST).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = looks => {}
    }
}

struct Connections {
    router: Router,
    limits: Limits,
    slots: Arc<Semaphore>,
    guests: Guests,
    stop: CancellationToken,
}

impl Connections {
    async fn accept(self, listener: TcpListener) {
        /// How long to wait when the system has no file descriptor left to accept with.
        const BREATH: Duration = Duration::from_millis(50);
        loop {
            let slot = tokio::select! {
                () = self.stop.cancelled() => return,
                slot = Arc::clone(&self.slots).acquire_owned() => slot,
            };
            let accepted = tokio::select! {
                () = self.stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let serving = self.serve(stream, peer);
                    self.guests.start(async move {
                        serving.await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    debug!(%error, "a connection could not be accepted");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
    }

    fn serve(&self, stream: TcpStream, peer: SocketAddr) -> impl Future<Output = ()> + Send + use<> {
        let router = self.router.clone().map_request(move |mut request: Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            request.map(axum::body::Body::new)
        });
        let (limits, stop) = (self.limits, self.stop.clone());
        async move {
            // Small answers go out at once; a failure here costs latency only.
            let _ = stream.set_nodelay(true);
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new())
                .header_read_timeout(limits.head_within)
                .max_buf_size(limits.head_size);
            let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                debug!(%error, "a connection ended badly");
            }
        }
    }
}

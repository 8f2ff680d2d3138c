//! The server: its thread with a runtime of its own, from start to end.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::supervisor::{self, Guests};

use super::Faces;
use super::connection::Serving;
use super::limits::Limits;
use super::listener::Listener;
use super::places::Places;

/// How many clients the system lets wait to be accepted, if it may have so many: a burst of them must not have it refuse
/// a probe, which would ask again a second later.
const WAITING: i32 = 4096;

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
            rustix::net::listen(listener, WAITING)?;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, (deadline, until)) = (CancellationToken::new(), oneshot::channel());
        let places = Places::new(&limits, faces.store());
        let serving = Serving::new(faces.router(), limits, places, stop.clone());
        let (faces, (alive, ended)) = (faces.clone(), oneshot::channel());
        supervisor::thread("vitalsign-web", move || {
            // Dropped when the thread ends, however it ends.
            let _alive: oneshot::Sender<()> = alive;
            runtime.block_on(serve(listeners, faces, serving, until));
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
    serving: Arc<Serving>,
    deadline: oneshot::Receiver<Instant>,
) {
    let (acceptors, connections) = (Guests::default(), Guests::default());
    // Here, because this is the thread that goes on when the runner is stuck.
    acceptors.start(watch(faces, serving.stop().clone()));
    for listener in listeners {
        match TcpListener::from_std(listener) {
            Ok(listener) => {
                let taking = Listener { serving: Arc::clone(&serving), guests: connections.clone() };
                acceptors.start(taking.accept(listener));
            }
            Err(error) => tracing::error!(%error, "a listener could not be used"),
        }
    }
    serving.stop().cancelled().await;
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

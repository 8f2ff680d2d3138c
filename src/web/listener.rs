//! Takes every connection that comes, and goes on whatever the system says about it.
//!
//! Where there is no descriptor for another one, an old one gives way; where there is none, a descriptor that was put
//! aside for this. So a probe gets its answer even when the rest of the program has taken all others.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tokio::net::TcpListener;
use tracing::debug;

use crate::supervisor::Guests;

use super::connection::Serving;
use super::places::Reason;

/// How long to wait when there is nothing to accept with, and nobody who could give way.
const BREATH: Duration = Duration::from_millis(20);

/// What takes connections.
pub(super) struct Listener {
    pub(super) serving: Arc<Serving>,
    pub(super) guests: Guests,
}

impl Listener {
    /// Accepts until told to stop.
    pub(super) async fn accept(self, listener: TcpListener) {
        tokio::select! {
            () = self.serving.stop().cancelled() => {}
            () = self.accept_all(&listener) => {}
        }
    }

    async fn accept_all(&self, listener: &TcpListener) {
        let places = self.serving.places();
        let (mut spare, mut in_a_row) = (aside(listener), 0);
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let short = self.serving.is_one_too_many(&stream);
                    if short {
                        places.give_way(Reason::NoFileDescriptor);
                    }
                    self.guests.start(self.serving.serve(stream, peer));
                    if spare.is_none() {
                        spare = aside(listener);
                    }
                    in_a_row += 1;
                    if short || in_a_row >= places.at_once() {
                        in_a_row = 0;
                        // So that those who just came are asked what they want before others have them give way.
                        tokio::task::yield_now().await;
                    }
                }
                Err(error) => {
                    debug!(%error, "a connection could not be accepted");
                    places.count_failure();
                    if is_of_one_client(&error) {
                        tokio::task::yield_now().await;
                    } else if is_waiting(listener) && places.give_way(Reason::NoFileDescriptor) {
                        // Its task has to end for that.
                        tokio::task::yield_now().await;
                    } else if spare.take().is_none() || !is_waiting(listener) {
                        tokio::time::sleep(BREATH).await;
                    }
                }
            }
        }
    }
}

/// A descriptor to accept with when there is no other.
fn aside(listener: &TcpListener) -> Option<OwnedFd> {
    listener.as_fd().try_clone_to_owned().ok()
}

/// Whether somebody waits to be accepted, or to be read. Asked of the system: without a descriptor it gives no connection
/// even if nobody waits, and that bytes have come the runtime learns later.
pub(super) fn is_waiting(socket: &impl AsFd) -> bool {
    let mut socket = [PollFd::new(socket, PollFlags::IN)];
    poll(&mut socket, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

/// Whether the error is one of the connection that was to be accepted, which is gone.
fn is_of_one_client(error: &io::Error) -> bool {
    let of_network =
        [Errno::NETDOWN, Errno::PROTO, Errno::NOPROTOOPT, Errno::HOSTDOWN, Errno::NONET, Errno::HOSTUNREACH];
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted)
        || Errno::from_io_error(error).is_some_and(|errno| of_network.contains(&errno))
}

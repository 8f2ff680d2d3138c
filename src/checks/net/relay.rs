//! A TCP connection of ours for a driver that wants to connect by itself.
//!
//! The driver connects to a Unix socket with a name of its own and no file, where only this process is let in, once; the
//! bytes are copied between it and the TCP connection by the future of the run itself, so a run that is dropped takes
//! both with it. That way the addresses of a name are raced before the driver comes, while it keeps the name for TLS.
//!
//! It is also what a hostile server meets first: at most one piece is copied each way before everything else on the
//! thread has its turn, so a driver that reads as long as there is something never has more than that to read.
//!
//! Costs 70 µs of processor time for a connection with four round trips, which cost as much without it (measured), and no
//! memory while nothing is stuck. Knows no protocol; whoever wants to know how far a driver is can look at what it says.

use std::future::{Future, poll_fn};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixListener, UnixStream};

/// The most that is copied at once.
const PIECE: usize = 8 * 1024;

/// Sees what the driver says.
pub(in crate::checks) type Witness = Box<dyn FnMut(&[u8]) + Send>;

/// See the module.
pub(in crate::checks) struct Relay {
    driver: Driver,
    server: TcpStream,
    up: Pipe,
    down: Pipe,
    witness: Option<Witness>,
    /// What the connection to the server ended with.
    error: Option<io::Error>,
}

enum Driver {
    Awaited(UnixListener),
    There(UnixStream),
}

impl Relay {
    /// A relay for the connection `server`, at `directory` and `file` within it: which is how drivers put a name together.
    /// Gives the directory.
    pub(in crate::checks) fn new(
        server: TcpStream,
        file: &str,
        witness: Witness,
    ) -> io::Result<(Self, PathBuf)> {
        // Many small messages, each of which is waited for.
        server.set_nodelay(true)?;
        let (listener, directory) = listen(file)?;
        let relay = Self {
            driver: Driver::Awaited(listener),
            server,
            up: Pipe::default(),
            down: Pipe::default(),
            witness: Some(witness),
            error: None,
        };
        Ok((relay, directory))
    }

    /// Does `work`, which talks to the server through this relay.
    pub(in crate::checks) async fn during<F: Future>(&mut self, work: F) -> F::Output {
        let mut work = pin!(work);
        poll_fn(|context| {
            self.copy(context);
            work.as_mut().poll(context)
        })
        .await
    }

    /// Hands over what the driver said last. It has closed its end.
    pub(in crate::checks) async fn finish(mut self) {
        poll_fn(|context| {
            self.copy(context);
            let over = matches!(self.driver, Driver::Awaited(_)) || self.up.is_over();
            if over { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Sees nothing from now on.
    pub(in crate::checks) fn dismiss_witness(&mut self) {
        self.witness = None;
    }

    /// The error of the connection to the server, of which the driver sees only the end.
    pub(in crate::checks) fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    /// Copies at most one piece each way; comes again where there may be more.
    fn copy(&mut self, context: &mut Context<'_>) {
        let driver = match &mut self.driver {
            Driver::There(driver) => driver,
            Driver::Awaited(listener) => {
                let Poll::Ready(come) = listener.poll_accept(context) else { return };
                context.waker().wake_by_ref();
                if let Ok((driver, _)) = come
                    && is_ours(&driver)
                {
                    self.driver = Driver::There(driver);
                }
                return;
            }
        };
        let witness = &mut self.witness;
        let up = self.up.copy(context, driver, &mut self.server, |said| {
            if let Some(witness) = witness {
                witness(said);
            }
        });
        let down = self.down.copy(context, &mut self.server, driver, |_| {});
        for (moved, server) in [(up, End::To), (down, End::From)] {
            match moved {
                Ok(true) => context.waker().wake_by_ref(),
                Ok(false) => {}
                // That the driver went is its own business.
                Err((end, error)) if end == server => self.error = self.error.take().or(Some(error)),
                Err(_) => {}
            }
        }
    }
}

/// Which end of a pipe an error is of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    From,
    To,
}

/// One direction.
#[derive(Default)]
struct Pipe {
    /// Read, and not yet taken.
    rest: Vec<u8>,
    /// Nothing more will be read.
    ended: bool,
    /// And the reader knows.
    told: bool,
}

impl Pipe {
    fn is_over(&self) -> bool {
        self.told
    }

    /// Moves at most one piece; whether anything happened. Both ends are told when it is over, also for an error.
    fn copy(
        &mut self,
        context: &mut Context<'_>,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        mut see: impl FnMut(&[u8]),
    ) -> Result<bool, (End, io::Error)> {
        if self.told {
            return Ok(false);
        }
        let mut space = [0; PIECE];
        let mut piece = ReadBuf::new(&mut space);
        let mut moved = false;
        if self.rest.is_empty() && !self.ended {
            match Pin::new(from).poll_read(context, &mut piece) {
                Poll::Pending => return Ok(false),
                Poll::Ready(read) => {
                    self.ended = read.is_err() || piece.filled().is_empty();
                    if let Err(error) = read {
                        // The other end is told next.
                        context.waker().wake_by_ref();
                        return Err((End::From, error));
                    }
                    see(piece.filled());
                    moved = true;
                }
            }
        }
        let kept = !self.rest.is_empty();
        let next = if kept { self.rest.as_slice() } else { piece.filled() };
        let wrote = if next.is_empty() {
            // Which is now, or when the last piece has been taken.
            Pin::new(to).poll_shutdown(context).map_ok(|()| None)
        } else {
            Pin::new(to).poll_write(context, next).map_ok(Some)
        };
        match wrote {
            Poll::Ready(Ok(Some(taken))) => {
                if kept {
                    self.rest.drain(..taken.min(self.rest.len()));
                    if self.rest.is_empty() {
                        self.rest = Vec::new();
                    }
                } else {
                    self.rest = next.get(taken..).unwrap_or_default().to_vec();
                }
                Ok(true)
            }
            Poll::Ready(Ok(None)) => {
                self.told = true;
                Ok(true)
            }
            Poll::Ready(Err(error)) => {
                (self.ended, self.told, self.rest) = (true, true, Vec::new());
                Err((End::To, error))
            }
            Poll::Pending => {
                if !kept {
                    self.rest = next.to_vec();
                }
                Ok(moved)
            }
        }
    }
}

/// Listens at a name that nobody else has, and that needs no file: it begins with NUL.
fn listen(file: &str) -> io::Result<(UnixListener, PathBuf)> {
    let mut tries = 0;
    loop {
        let directory = format!("\0vitalsign-{:016x}", fastrand::u64(..));
        match UnixListener::bind(Path::new(&directory).join(file)) {
            Ok(listener) => return Ok((listener, directory.into())),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries < 8 => tries += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Such a name can be connected to by everybody in the same network namespace.
fn is_ours(driver: &UnixStream) -> bool {
    let process = i32::try_from(std::process::id()).ok();
    driver.peer_cred().is_ok_and(|peer| peer.pid().is_some() && peer.pid() == process)
}

#[cfg(test)]
mod tests;

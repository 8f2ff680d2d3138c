//! The addresses of a name, tried in the way of RFC 8305: the next one begins when the last has failed or has had its
//! pause, and the first that is connected wins.
//!
//! Never harm the thing watched: a loser is dropped at once, so an address that is only slow sees one connection attempt
//! that ends before a byte was sent. Spawns nothing; a race that is dropped takes its attempts with it.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use crate::model::Reason;
use crate::reasons;

/// RFC 8305's recommended delay between two attempts.
const PAUSE: Duration = Duration::from_millis(250);

/// Connects to the first of `addresses` that answers.
pub(super) async fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    race(addresses, TcpStream::connect).await
}

/// Begins one attempt after the other until one succeeds. The error is the first that is not only about this machine,
/// which has no way to any IPv6 address where there is only IPv4.
async fn race<A: Copy, T, F: Future<Output = io::Result<T>>>(
    addresses: &[A],
    begin: impl Fn(A) -> F,
) -> io::Result<T> {
    let mut waiting = addresses.iter();
    let mut running: Vec<Pin<Box<F>>> = Vec::new();
    let mut pause: Option<Pin<Box<Sleep>>> = None;
    let mut first_error: Option<io::Error> = None;
    poll_fn(|context| {
        loop {
            let mut attempts = running.iter_mut().enumerate();
            let ended = attempts.find_map(|(place, attempt)| match attempt.as_mut().poll(context) {
                Poll::Ready(end) => Some((place, end)),
                Poll::Pending => None,
            });
            let failed = match ended {
                Some((_, Ok(connected))) => return Poll::Ready(Ok(connected)),
                Some((place, Err(error))) => {
                    drop(running.swap_remove(place));
                    let told = first_error.take().filter(|first| !says_little(first));
                    first_error = Some(told.unwrap_or(error));
                    true
                }
                None => running.is_empty(),
            };
            let due = failed || pause.as_mut().is_some_and(|pause| pause.as_mut().poll(context).is_ready());
            if due && let Some(address) = waiting.next() {
                running.push(Box::pin(begin(*address)));
                pause = (waiting.len() > 0).then(|| Box::pin(sleep(PAUSE)));
            } else if running.is_empty() {
                let none = || io::ErrorKind::AddrNotAvailable.into();
                return Poll::Ready(Err(first_error.take().unwrap_or_else(none)));
            } else if !failed {
                return Poll::Pending;
            }
        }
    })
    .await
}

fn says_little(error: &io::Error) -> bool {
    reasons::of_io(error).reason == Reason::Unreachable
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::future::pending;
    use std::io::ErrorKind::{ConnectionRefused, ConnectionReset, NetworkUnreachable};
    use std::rc::Rc;

    use tokio::time::Instant;

    use super::*;

    /// Counts the attempts that are going on.
    struct Going(Rc<Cell<usize>>);

    impl Going {
        fn on(count: &Rc<Cell<usize>>) -> Self {
            count.set(count.get() + 1);
            Self(Rc::clone(count))
        }
    }

    impl Drop for Going {
        fn drop(&mut self) {
            self.0.set(self.0.get() - 1);
        }
    }

    /// How an attempt ends; `None` for never.
    type End = Option<Result<u8, io::ErrorKind>>;

    /// How the race ends, and when attempts began.
    async fn run(ends: &[End]) -> (Result<u8, io::ErrorKind>, Vec<Duration>) {
        let (start, begun, going) = (Instant::now(), RefCell::new(Vec::new()), Rc::new(Cell::new(0)));
        let begin = |end: End| {
            begun.borrow_mut().push(start.elapsed());
            let going = Going::on(&going);
            async move {
                let _going = going;
                match end {
                    Some(end) => end.map_err(io::Error::from),
                    None => pending().await,
                }
            }
        };
        let won = race(ends, begin).await;
        assert_eq!(going.get(), 0, "a loser went on");
        (won.map_err(|error| error.kind()), begun.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_begins_after_a_pause_beside_the_one_that_hangs() {
        let (won, begun) = run(&[None, None, Some(Ok(3))]).await;
        assert_eq!((won, begun), (Ok(3), vec![Duration::ZERO, PAUSE, 2 * PAUSE]));
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_begins_at_once_after_one_that_failed() {
        let (won, begun) = run(&[Some(Err(ConnectionRefused)), Some(Ok(2))]).await;
        assert_eq!((won, begun), (Ok(2), vec![Duration::ZERO; 2]));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_answers_is_the_only_one() {
        assert_eq!(run(&[Some(Ok(1)), Some(Ok(2))]).await, (Ok(1), vec![Duration::ZERO]));
    }

    #[tokio::test(start_paused = true)]
    async fn the_error_is_the_first_that_is_not_only_about_this_machine() {
        for (errors, told) in [
            ([NetworkUnreachable, ConnectionRefused], ConnectionRefused),
            ([ConnectionRefused, NetworkUnreachable], ConnectionRefused),
            ([ConnectionReset, ConnectionRefused], ConnectionReset),
            ([NetworkUnreachable, NetworkUnreachable], NetworkUnreachable),
        ] {
            assert_eq!(run(&errors.map(|error| Some(Err(error)))).await.0, Err(told), "{errors:?}");
        }
        assert!(run(&[]).await.0.is_err());
    }
}

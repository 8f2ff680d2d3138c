//! How much one run takes in over a connection, whatever the peer says and whoever reads it.
//!
//! It lies below TLS and below every protocol and driver, so it holds for all of them: for answers without an end, for
//! handshakes that go round in circles, for what a proxy says. A protocol that announces the length of what comes must
//! compare that with what is [left](Allowance::left) before it makes room.
//!
//! Costs one counter a connection. Knows no protocol.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::reasons::AnswerTooLarge;

/// The most bytes that a run takes in over a connection, unless its kind allows more.
pub(in crate::checks) const MOST: usize = 1 << 20;

/// A connection that gives at most what is allowed, and at most one piece more.
#[derive(Debug)]
pub(in crate::checks) struct Limited<S> {
    inner: S,
    allowance: Allowance,
}

/// What is left of a limit; shared with the connection, which may be out of reach within another.
#[derive(Clone, Debug)]
pub(in crate::checks) struct Allowance(Arc<Counter>);

#[derive(Debug)]
struct Counter {
    #[cfg_attr(
        not(any(feature = "http", feature = "postgres", feature = "redis", test)),
        expect(dead_code, reason = "only kinds that keep connections begin anew")
    )]
    usual: usize,
    /// What holds now.
    most: AtomicUsize,
    left: AtomicUsize,
}

impl<S> Limited<S> {
    /// Allows [`MOST`] bytes.
    pub(in crate::checks) fn new(inner: S) -> Self {
        Self::with(inner, MOST)
    }

    fn with(inner: S, most: usize) -> Self {
        let counter = Counter { usual: most, most: AtomicUsize::new(most), left: AtomicUsize::new(most) };
        Self { inner, allowance: Allowance(Arc::new(counter)) }
    }

    /// Allows another number of bytes.
    #[cfg(any(feature = "http", feature = "redis"))]
    pub(in crate::checks) fn allow(self, most: usize) -> Self {
        Self::with(self.inner, most)
    }

    /// What is left, for whoever cannot reach the connection any more.
    #[cfg(any(feature = "http", feature = "postgres", feature = "redis", test))]
    pub(in crate::checks) fn allowance(&self) -> Allowance {
        self.allowance.clone()
    }
}

impl Allowance {
    /// Begins anew, for another run over the same connection or another part of a run.
    #[cfg(any(feature = "http", feature = "postgres", feature = "redis", test))]
    pub(in crate::checks) fn renew(&self) {
        self.begin(self.0.usual);
    }

    /// Begins anew with another number of bytes, until it is renewed: for a part of a run.
    #[cfg(feature = "http")]
    pub(in crate::checks) fn restrict(&self, most: usize) {
        self.begin(most.min(self.0.usual));
    }

    #[cfg(any(feature = "http", feature = "postgres", feature = "redis", test))]
    fn begin(&self, most: usize) {
        self.0.most.store(most, Ordering::Relaxed);
        self.0.left.store(most, Ordering::Relaxed);
    }

    /// How many bytes may still come.
    #[cfg(feature = "postgres")]
    pub(in crate::checks) fn left(&self) -> usize {
        self.0.left.load(Ordering::Relaxed)
    }

    /// The error of an answer that is larger.
    pub(in crate::checks) fn exceeded(&self) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, AnswerTooLarge(self.0.most.load(Ordering::Relaxed)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Limited<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = self.allowance.0.left.load(Ordering::Relaxed);
        if left == 0 {
            return Poll::Ready(Err(self.allowance.exceeded()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        let read = buffer.filled().len().saturating_sub(before);
        self.allowance.0.left.store(left.saturating_sub(read), Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Limited<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, repeat};

    use super::*;
    use crate::model::Cause;
    use crate::reasons;

    #[tokio::test]
    async fn what_is_too_much_is_an_error_that_says_so_until_the_next_run() {
        let mut endless = Limited::new(repeat(7));
        let allowance = endless.allowance();
        for _ in 0..2 {
            let mut taken = 0;
            let error = loop {
                match endless.read(&mut [0; 1000]).await {
                    Ok(read) => taken += read,
                    Err(error) => break error,
                }
            };
            assert!((MOST..MOST + 1000).contains(&taken), "{taken}");
            assert_eq!(reasons::of_io(&error), Cause::AnswerTooLarge.into());
            assert!(error.to_string().contains("1048576"), "{error}");
            allowance.renew();
        }
    }
}

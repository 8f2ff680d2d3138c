//! What bytes go through after a handshake.
//!
//! In TLS 1.3 the handshake is over for us before the server has seen our certificate. One that wants another then ends the
//! connection while we speak already, so its alert may be lost behind an error of writing, or may never come.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::AlertDescription;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

use super::asked::{Asked, alert};

/// A stream that says why the server has ended it.
pub(in crate::checks) struct Stream<S> {
    inner: TlsStream<S>,
    /// Until the server has said something, where it has asked for a certificate.
    asked: Option<Arc<Asked>>,
}

impl<S> Stream<S> {
    pub(super) fn new(inner: TlsStream<S>, asked: Arc<Asked>) -> Self {
        Self { inner, asked: Some(asked).filter(|asked| asked.is_asked()) }
    }

    /// The protocol that both sides agreed on.
    #[cfg(feature = "http")]
    pub(in crate::checks) fn protocol(&self) -> Option<&[u8]> {
        self.inner.get_ref().1.alpn_protocol()
    }

    /// What it means that the server ends the connection instead of an answer.
    fn ended(&self) -> Option<io::Error> {
        let shown = self.asked.as_ref()?.shows();
        let meant =
            if shown { AlertDescription::BadCertificate } else { AlertDescription::CertificateRequired };
        Some(alert(meant))
    }

    fn explain(&self, error: io::Error) -> io::Error {
        let end = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe, ErrorKind::UnexpectedEof];
        let ended = if end.contains(&error.kind()) { self.ended() } else { None };
        ended.unwrap_or(error)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream<S> {
    /// The alert that came before writing was no longer possible, or else what that means.
    fn unwritten(&mut self, context: &mut Context<'_>, error: io::Error) -> io::Error {
        let mut rest = [0];
        match Pin::new(&mut self.inner).poll_read(context, &mut ReadBuf::new(&mut rest)) {
            Poll::Ready(Err(why)) if why.kind() == ErrorKind::InvalidData => why,
            _ => self.explain(error),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = to.filled().len();
        let read = ready!(Pin::new(&mut this.inner).poll_read(context, to));
        Poll::Ready(match read {
            Ok(()) if to.filled().len() > before => {
                this.asked = None;
                Ok(())
            }
            Ok(()) => this.ended().map_or(Ok(()), Err),
            Err(error) => Err(this.explain(error)),
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(Pin::new(&mut this.inner).poll_write(context, bytes));
        Poll::Ready(written.map_err(|error| this.unwritten(context, error)))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(Pin::new(&mut this.inner).poll_write_vectored(context, bytes));
        Poll::Ready(written.map_err(|error| this.unwritten(context, error)))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = ready!(Pin::new(&mut this.inner).poll_flush(context));
        Poll::Ready(flushed.map_err(|error| this.unwritten(context, error)))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }
}

//! What a connection is doing, and when it has done nothing for too long. Counters alone: a request
//! costs no timer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How long a peer is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For a TLS handshake.
    pub(super) handshake: Duration,
    /// For the head of a request, from its first byte; for the first request, from the beginning of
    /// the connection.
    pub(super) head: Duration,
    /// For the next request.
    pub(super) idle: Duration,
    /// How often a connection is looked at; what is waited for may last so much longer.
    pub(super) look: Duration,
    /// For what is left to be sent on a connection that is being closed.
    pub(super) closing: Duration,
}

impl Patience {
    /// Of the real listener.
    pub(super) const fn usual() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            // Longer than what proxies keep connections for (nginx: 60 s), so that it is they who
            // close them, and no request meets a connection that is about to end.
            idle: Duration::from_secs(75),
            look: Duration::from_secs(5),
            closing: Duration::from_secs(10),
        }
    }
}

/// What a connection is doing.
#[derive(Default)]
pub(super) struct Activity {
    running: AtomicUsize,
    /// Requests begun so far.
    begun: AtomicU64,
    /// The number of the request of which something was heard; the next one, when its head is on
    /// its way.
    heard: AtomicU64,
    /// Frames come at any time and mean no request.
    http2: AtomicBool,
}

impl Activity {
    /// Ready when the peer was waited for long enough.
    pub(super) async fn ceases(&self, patience: Patience) {
        tokio::time::sleep(patience.head).await;
        let mut seen = 0;
        let (mut waiting, mut arriving) = (Duration::ZERO, Duration::ZERO);
        loop {
            let begun = self.begun.load(Ordering::Relaxed);
            if begun == 0 {
                return;
            }
            if begun != seen || self.running.load(Ordering::Relaxed) > 0 {
                seen = begun;
                (waiting, arriving) = (Duration::ZERO, Duration::ZERO);
            } else {
                waiting += patience.look;
                if self.heard.load(Ordering::Relaxed) == begun + 1 {
                    arriving += patience.look;
                }
            }
            if waiting >= patience.idle || arriving > patience.head {
                return;
            }
            tokio::time::sleep(patience.look).await;
        }
    }

    pub(super) fn speaks_http2(&self) {
        self.http2.store(true, Ordering::Relaxed);
    }

    fn hears(&self) {
        if self.running.load(Ordering::Relaxed) == 0 && !self.http2.load(Ordering::Relaxed) {
            let next = self.begun.load(Ordering::Relaxed) + 1;
            self.heard.store(next, Ordering::Relaxed);
        }
    }
}

/// A request that runs, until it is answered or its peer goes away.
pub(super) struct Running(Arc<Activity>);

impl Running {
    pub(super) fn begin(activity: &Arc<Activity>) -> Self {
        activity.running.fetch_add(1, Ordering::Relaxed);
        activity.begun.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(activity))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A stream that tells when something was heard on it.
pub(super) struct Watched<S> {
    stream: S,
    activity: Arc<Activity>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self { stream, activity }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.activity.hears();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

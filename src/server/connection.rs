//! One connection: HTTP/1.1 or HTTP/2 by prior knowledge, served until it is idle or the server
//! stops.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::until;
use crate::http::Peer;

/// How long the head of a request may take to arrive.
pub(super) const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection without a request is closed when it was found so twice, this far apart.
const IDLE: Duration = Duration::from_mins(1);
/// How long a connection that is being closed may take to send what is left.
const CLOSING: Duration = Duration::from_secs(10);

/// What every connection is served with.
pub(super) struct Connections {
    router: Router,
    builder: Arc<Builder<TokioExecutor>>,
    stopped: watch::Receiver<bool>,
}

impl Connections {
    pub(super) fn new(
        router: Router,
        builder: Builder<TokioExecutor>,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        Self {
            router,
            builder: Arc::new(builder),
            stopped,
        }
    }

    /// Serves one connection to its end.
    pub(super) fn serve(
        &self,
        stream: TcpStream,
        peer: IpAddr,
    ) -> impl Future<Output = ()> + Send + 'static {
        let builder = Arc::clone(&self.builder);
        let stopped = self.stopped.clone();
        let requests = Requests {
            router: self.router.clone(),
            peer,
            activity: Arc::default(),
        };
        async move {
            let activity = Arc::clone(&requests.activity);
            let mut served = pin!(builder.serve_connection(TokioIo::new(stream), requests));
            let stops = tokio::select! {
                biased;
                ended = served.as_mut() => return log(ended),
                () = until(stopped) => true,
                () = activity.ceases() => false,
            };
            served.as_mut().graceful_shutdown();
            if stops {
                // The server bounds the time that all connections have together.
                log(served.await);
            } else if let Ok(ended) = tokio::time::timeout(CLOSING, served).await {
                log(ended);
            }
        }
    }
}

/// A connection that breaks is the peer's affair, and worth no more than a debug line.
fn log(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// The router, told who asks.
struct Requests {
    router: Router,
    peer: IpAddr,
    activity: Arc<Activity>,
}

impl Service<http::Request<Incoming>> for Requests {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, mut request: http::Request<Incoming>) -> Self::Future {
        let running = Running::begin(&self.activity);
        request.extensions_mut().insert(Peer(self.peer));
        let mut router = self.router.clone();
        let answer = tower::Service::call(&mut router, request);
        Box::pin(async move {
            let response = answer.await;
            drop(running);
            response
        })
    }
}

/// What a connection is doing. Counters alone: a request costs no timer.
#[derive(Default)]
struct Activity {
    running: AtomicUsize,
    /// Requests begun so far.
    begun: AtomicU64,
}

impl Activity {
    /// Ready when no first request came in time, or none for a while.
    async fn ceases(&self) {
        tokio::time::sleep(HEADER_TIMEOUT).await;
        if self.begun.load(Ordering::Relaxed) == 0 {
            return;
        }
        loop {
            let seen = self.begun.load(Ordering::Relaxed);
            tokio::time::sleep(IDLE).await;
            let quiet = self.running.load(Ordering::Relaxed) == 0;
            if quiet && self.begun.load(Ordering::Relaxed) == seen {
                return;
            }
        }
    }
}

/// A request that runs, until it is answered or its peer goes away.
struct Running(Arc<Activity>);

impl Running {
    fn begin(activity: &Arc<Activity>) -> Self {
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

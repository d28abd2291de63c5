//! One connection: TLS when the listener has a certificate, HTTP/1.1 or HTTP/2, served until it is
//! idle or the server stops.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::http::header::{self, HeaderValue};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::activity::{Activity, Patience, Running, Watched};
use super::places::Places;
use super::remainder::Remainder;
use super::tls::Tls;
use super::until;
use crate::certificate::ClientCertificate;
use crate::clock::Clock;
use crate::http::certificates::Presented;
use crate::http::{Front, Peer};

/// What somebody gets who speaks plain HTTP to the TLS listener.
const PLAIN: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\
    Content-Length: 52\r\n\r\nThis port speaks TLS: the address begins with https.";

/// What every connection is served with.
#[derive(Clone)]
pub(super) struct Connections {
    pub(super) front: Front,
    pub(super) builder: Arc<Builder<TokioExecutor>>,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) patience: Patience,
    pub(super) stopped: watch::Receiver<bool>,
    pub(super) places: Arc<Places>,
    pub(super) clock: Clock,
    /// Whether the server is about to stop: each answer then ends its connection.
    pub(super) leaving: Arc<AtomicBool>,
}

impl Connections {
    /// Serves one connection to its end.
    pub(super) fn serve(
        &self,
        stream: TcpStream,
        peer: IpAddr,
    ) -> impl Future<Output = ()> + Send + 'static {
        let this = self.clone();
        async move {
            match this.tls.clone() {
                None => this.speak(stream, peer, None).await,
                // A TLS session is large; it is kept out of what plain connections take.
                Some(tls) => Box::pin(this.speak_tls(tls, stream, peer)).await,
            }
        }
    }

    async fn speak_tls(self, tls: Arc<Tls>, stream: TcpStream, peer: IpAddr) {
        let handshake = tokio::time::timeout(self.patience.handshake, handshake(&tls, stream));
        // A stop waits for no handshake: nothing was asked yet.
        let stream = tokio::select! {
            biased;
            done = handshake => done,
            () = until(self.stopped.clone()) => return,
        };
        match stream {
            Ok(Some(stream)) => {
                let presented = tls.asks_for_certificates().then(|| presented(&stream));
                self.speak(stream, peer, presented).await;
            }
            Ok(None) => {}
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    async fn speak<S>(self, stream: S, peer: IpAddr, presented: Option<Presented>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Arc::<Activity>::default();
        let requests = Requests {
            front: self.front,
            peer,
            presented,
            activity: Arc::clone(&activity),
            leaving: self.leaving,
        };
        let stream = TokioIo::new(Watched::new(stream, Arc::clone(&activity)));
        let mut served = pin!(self.builder.serve_connection(stream, requests));
        let stops = tokio::select! {
            biased;
            ended = served.as_mut() => return log(ended),
            () = until(self.stopped) => true,
            () = activity.ceases(self.patience) => false,
        };
        served.as_mut().graceful_shutdown();
        if stops {
            // The server bounds the time that all connections have together.
            log(served.await);
        } else if let Ok(ended) = tokio::time::timeout(self.patience.closing, served).await {
            log(ended);
        }
    }
}

/// What the client showed in the handshake, which proved that it holds the key.
pub(crate) fn presented(stream: &TlsStream<TcpStream>) -> Presented {
    let (_, session) = stream.get_ref();
    let read = session
        .peer_certificates()
        .and_then(ClientCertificate::read);
    Presented(read.map(Arc::new))
}

/// `None` when there is nobody to talk to.
pub(crate) async fn handshake(tls: &Tls, mut stream: TcpStream) -> Option<TlsStream<TcpStream>> {
    let mut first = [0];
    match stream.peek(&mut first).await {
        // A handshake begins with 22 (RFC 8446 §5.1), a request with the letter of a method.
        Ok(1) if first[0].is_ascii_uppercase() => {
            let _ = stream.write_all(PLAIN).await;
            let _ = stream.shutdown().await;
            None
        }
        Ok(1) => match TlsAcceptor::from(tls.config()).accept(stream).await {
            Ok(stream) => Some(stream),
            Err(error) => {
                tracing::debug!(%error, "a TLS handshake failed");
                None
            }
        },
        _ => None,
    }
}

/// A connection that breaks is the peer's affair, and worth no more than a debug line.
fn log(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// What answers, told who asks.
struct Requests {
    front: Front,
    peer: IpAddr,
    presented: Option<Presented>,
    activity: Arc<Activity>,
    leaving: Arc<AtomicBool>,
}

impl Service<http::Request<Incoming>> for Requests {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, mut request: http::Request<Incoming>) -> Self::Future {
        let http2 = request.version() == http::Version::HTTP_2;
        if http2 {
            self.activity.speaks_http2();
        }
        let leaving = Arc::clone(&self.leaving);
        let running = Running::begin(&self.activity);
        request.extensions_mut().insert(Peer(self.peer));
        if let Some(presented) = &self.presented {
            request.extensions_mut().insert(presented.clone());
        }
        let request = Remainder::of(request).map(Body::new);
        let front = self.front.clone();
        Box::pin(async move {
            let mut response = front.answer(request).await;
            drop(running);
            // HTTP/2 has no such header (RFC 9113 §8.2.2); its connections are told by a frame.
            if !http2
                && leaving.load(Ordering::Relaxed)
                && let Ok(response) = &mut response
            {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            response
        })
    }
}

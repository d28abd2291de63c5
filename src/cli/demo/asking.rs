//! The accounts API's own listener with `--fapi`: TLS that asks for a client certificate and takes
//! any, and none, because what a token is bound to is judged later (RFC 8705 §3).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use rules::protocol::Thumbprint;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;
use tokio_rustls::server::TlsStream;

use crate::server::tls::Tls;
use crate::server::{handshake, presented};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How many may run at once.
const HANDSHAKES: usize = 32;
/// How long to wait after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(200);

/// Who is at the other end, as far as the handshake proved it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller {
    /// The client certificate that was presented.
    pub certificate: Option<Thumbprint>,
}

impl Connected<IncomingStream<'_, AskingListener>> for Caller {
    fn connect_info(stream: IncomingStream<'_, AskingListener>) -> Self {
        *stream.remote_addr()
    }
}

/// Gives connections whose handshake is done.
pub struct AskingListener {
    done: mpsc::Receiver<(TlsStream<TcpStream>, Caller)>,
    accepting: AbortHandle,
}

impl AskingListener {
    /// Accepts from now on.
    pub fn new(tcp: TcpListener, tls: Arc<Tls>) -> Self {
        let (sender, done) = mpsc::channel(1);
        let accepting = tokio::spawn(accept(tcp, tls, sender)).abort_handle();
        Self { done, accepting }
    }
}

impl Drop for AskingListener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Handshakes run beside each other, so that nobody waits for one who says nothing.
async fn accept(
    tcp: TcpListener,
    tls: Arc<Tls>,
    sender: mpsc::Sender<(TlsStream<TcpStream>, Caller)>,
) {
    let places = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let stream = match tcp.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "the accounts API cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let (tls, sender) = (Arc::clone(&tls), sender.clone());
        tokio::spawn(async move {
            let shaken = tokio::time::timeout(HANDSHAKE, handshake(&tls, stream)).await;
            if let Ok(Some(stream)) = shaken {
                let certificate = presented(&stream).0;
                let certificate = certificate.map(|own| Thumbprint::of_certificate(own.der()));
                let _ = sender.send((stream, Caller { certificate })).await;
            }
            drop(place);
        });
    }
}

impl Listener for AskingListener {
    type Io = TlsStream<TcpStream>;
    type Addr = Caller;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.done.recv().await {
            Some(accepted) => accepted,
            // It ended with the runtime; there is nothing more to give.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(Caller::default())
    }
}

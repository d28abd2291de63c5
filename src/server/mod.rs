//! The listener: it accepts connections, bounds what each may do, runs the jobs and the command
//! line's socket beside them, and stops gracefully.
//!
//! Limits, each the same for everybody:
//!
//! | what | limit |
//! |---|---|
//! | connections at once | `server.max_connections`; more wait in the kernel's queue, unaccepted |
//! | the head of an HTTP/1.1 request | 32 KiB, 100 headers, 10 s; so an unused connection ends after 10 s |
//! | HTTP/2 | 128 streams a connection, 32 KiB of headers a request |
//! | a connection without a request | closed within two minutes |
//! | an HTTP/2 peer that answers no ping | closed after 30 s |
//! | a stop | running requests may take `server.stop_timeout`, then they are cut off |
//!
//! How long one request may take is bounded by the HTTP layer.

mod background;
mod connection;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tracing::{error, info, warn};

use crate::app::App;
use crate::http;
use background::Background;
use connection::{Connections, HEADER_TIMEOUT};

/// The head of a request, in bytes.
const MAX_HEADERS: u32 = 32 << 10;
/// Requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 128;
/// How often an HTTP/2 peer is asked whether it is still there, and how long it may take.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait after connections could not be accepted (no file descriptors, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves until `stop` is ready, then stops accepting, lets running requests end, stops the jobs
/// and writes counted refusals down. The store is left open for the caller's last words.
///
/// # Errors
/// When the command line's socket cannot be opened or fails; everything was stopped then.
pub async fn run(
    app: Arc<App>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stopping, stopped) = watch::channel(false);
    let background = Background::start(&app);
    let mut admin = admin(&app, stopped.clone());
    let connections = Connections::new(http::router(Arc::clone(&app)), builder(), stopped);
    let mut tasks = JoinSet::new();

    let outcome = tokio::select! {
        biased;
        () = stop => Ok(()),
        ended = &mut admin => ended.unwrap_or_else(|error| Err(io::Error::other(error))),
        never = accept(&listener, &connections, &mut tasks, app.config.server.max_connections) => match never {},
    };
    info!("stopping");
    // From here on new connections are refused, so that a balancer goes elsewhere.
    drop(listener);
    stopping.send_replace(true);
    drain(tasks, app.config.server.stop_timeout).await;
    if !admin.is_finished()
        && tokio::time::timeout(PING_TIMEOUT, &mut admin)
            .await
            .is_err()
    {
        admin.abort();
    }
    background.stop(&app).await;
    outcome
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // At most 100 headers is hyper's own limit; naming it would cost an allocation a request.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADERS as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADERS)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

/// Accepts for ever. A place is taken before a connection is accepted: when all are taken, new ones
/// wait in the kernel, where they cost nothing.
async fn accept(
    listener: &TcpListener,
    connections: &Connections,
    tasks: &mut JoinSet<()>,
    max: usize,
) -> std::convert::Infallible {
    let places = Arc::new(Semaphore::new(max.clamp(1, Semaphore::MAX_PERMITS)));
    let mut failing = false;
    loop {
        let place = Arc::clone(&places).acquire_owned().await;
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) if is_of_one_connection(&error) => continue,
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    error!(%error, "connections cannot be accepted; trying on");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if std::mem::take(&mut failing) {
            info!("connections are accepted again");
        }
        while tasks.try_join_next().is_some() {}
        let served = serve(connections, stream, peer);
        tasks.spawn(async move {
            served.await;
            drop(place);
        });
    }
}

fn serve(
    connections: &Connections,
    stream: TcpStream,
    peer: SocketAddr,
) -> impl Future<Output = ()> + Send + 'static {
    // Answers are small: waiting to fill a packet would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was not set");
    }
    connections.serve(stream, peer.ip().to_canonical())
}

/// The peer went away before it was accepted; nothing is wrong here.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

async fn drain(mut tasks: JoinSet<()>, timeout: Duration) {
    let all = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(timeout, all).await.is_err() {
        warn!(
            connections = tasks.len(),
            "requests were cut off: the time to stop is over"
        );
        tasks.shutdown().await;
    }
}

fn admin(app: &Arc<App>, stopped: watch::Receiver<bool>) -> JoinHandle<io::Result<()>> {
    let app = Arc::clone(app);
    tokio::spawn(async move {
        let path = app.config.server.admin_socket.clone();
        http::admin::listen(app, path, until(stopped)).await
    })
}

/// Ready when the server stops.
async fn until(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, and the server with it.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

#[cfg(test)]
mod tests;

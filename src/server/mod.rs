//! The listener: it accepts connections, bounds what each may do, runs the jobs and the command
//! line's socket beside them, and stops gracefully.
//!
//! Limits, each the same for everybody:
//!
//! | what | limit |
//! |---|---|
//! | connections at once | `server.max_connections`; more wait in the kernel's queue, unaccepted |
//! | connections of one address | `limits.connections_per_address`; more are closed at once |
//! | a TLS handshake | 10 s |
//! | the first request | begins within 10 s |
//! | the head of an HTTP/1.1 request | 32 KiB, 100 headers, 10 to 15 s from its first byte |
//! | HTTP/2 | 128 streams a connection, 32 KiB of headers a request |
//! | a connection without a request | closed after 75 to 80 s |
//! | an HTTP/2 peer that answers no ping | closed after 30 s |
//! | a stop | for `server.drain_seconds` everything is answered, but `/readyz` says 503 and each answer ends its connection; then running requests may take `server.stop_timeout_seconds`, then they are cut off |
//!
//! How long one request may take is bounded by the HTTP layer.

mod activity;
mod background;
mod connection;
mod places;
mod redirect;
mod remainder;
pub mod systemd;
pub mod tls;

pub(crate) use connection::{handshake, presented};

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt as _;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tracing::{error, info, warn};

use crate::app::App;
use crate::http;
use activity::Patience;
use background::Background;
use connection::Connections;
use places::Places;
use tls::Tls;

/// Connections at once to the plain listener that only redirects.
const MAX_READERS: usize = 256;
/// The head of a request, in bytes.
const MAX_HEADERS: u32 = 32 << 10;
/// Requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 128;
/// How often an HTTP/2 peer is asked whether it is still there, and how long it may take.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait after connections could not be accepted (no file descriptors, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// How often the certificate's end is looked at.
const CERTIFICATE_EVERY: Duration = Duration::from_hours(24);

/// Where connections come from, and what they speak.
#[derive(Debug)]
pub struct Listener {
    /// The socket.
    pub tcp: TcpListener,
    /// The certificate; without one, plain HTTP is spoken.
    pub tls: Option<Arc<Tls>>,
    /// Where plain HTTP is answered with the way to https.
    pub redirect: Option<TcpListener>,
    /// Where clients are asked for certificates (RFC 8705), and what is presented to them there.
    pub mtls: Option<(TcpListener, Arc<Tls>)>,
}

impl From<TcpListener> for Listener {
    fn from(tcp: TcpListener) -> Self {
        Self {
            tcp,
            tls: None,
            redirect: None,
            mtls: None,
        }
    }
}

/// Serves until `stop` is ready, lets balancers notice, then stops accepting, lets running requests end, stops the jobs
/// and writes counted refusals down. The store is left open for the caller's last words.
///
/// # Errors
/// When the command line's socket cannot be opened or fails; everything was stopped then.
pub async fn run(
    app: Arc<App>,
    listener: impl Into<Listener>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let listener = listener.into();
    let (stopping, stopped) = watch::channel(false);
    let background = Background::start(&app);
    let mut admin = admin(&app, stopped.clone());
    let connections = Connections {
        front: http::Front::new(Arc::clone(&app)),
        builder: Arc::new(builder()),
        tls: listener.tls.clone(),
        patience: Patience::usual(),
        stopped,
        places: Places::new(app.config.limits.connections, app.config.proxy.clone()),
        clock: app.clock.clone(),
        leaving: Arc::clone(&app.leaving),
    };
    let readers = Connections {
        front: redirect::router(&app.config.issuer).into(),
        tls: None,
        ..connections.clone()
    };
    let certified = listener.mtls.as_ref().map(|(tcp, tls)| {
        let tls = Some(Arc::clone(tls));
        (
            tcp,
            Connections {
                tls,
                ..connections.clone()
            },
        )
    });
    let max = app.config.server.max_connections;
    let (mut tasks, mut reading) = (JoinSet::new(), JoinSet::new());
    let mut certified_tasks = JoinSet::new();
    systemd::ready();

    let stop = async {
        stop.await;
        leave(&app).await;
    };
    let outcome = tokio::select! {
        biased;
        () = stop => Ok(()),
        ended = &mut admin => ended.unwrap_or_else(|error| Err(io::Error::other(error))),
        never = accept(&listener.tcp, &connections, &mut tasks, max) => match never {},
        never = asking(certified.as_ref(), &mut certified_tasks, max) => match never {},
        never = redirect(listener.redirect.as_ref(), &readers, &mut reading) => match never {},
        never = beside(&app, &listener) => match never {},
    };
    info!("stopping");
    systemd::stopping();
    // Who connected already is served; from here on new connections are refused.
    accept_waiting(&listener.tcp, &connections, &mut tasks);
    if let Some((tcp, connections)) = &certified {
        accept_waiting(tcp, connections, &mut certified_tasks);
    }
    drop(certified);
    drop(listener);
    stopping.send_replace(true);
    let timeout = app.config.server.stop_timeout;
    tokio::join!(drain(tasks, timeout), drain(certified_tasks, timeout));
    reading.shutdown().await;
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

/// Goes on, and lets balancers notice that they should go elsewhere.
async fn leave(app: &App) {
    let drain = app.config.server.drain;
    app.leaving.store(true, Ordering::Relaxed);
    if !drain.is_zero() {
        info!(
            seconds = drain.as_secs(),
            "about to stop: /readyz says so, and requests are answered meanwhile"
        );
        tokio::time::sleep(drain).await;
    }
}

/// Accepts those who are connected, and waits for no more.
fn accept_waiting(listener: &TcpListener, connections: &Connections, tasks: &mut JoinSet<()>) {
    while let Some(Ok((stream, peer))) = listener.accept().now_or_never() {
        tasks.spawn(serve(connections, stream, peer));
    }
}

/// The listener that asks for certificates, when there is one.
async fn asking(
    listener: Option<&(&TcpListener, Connections)>,
    tasks: &mut JoinSet<()>,
    max: usize,
) -> Infallible {
    match listener {
        Some((listener, connections)) => accept(listener, connections, tasks, max).await,
        None => std::future::pending().await,
    }
}

/// The plain listener, when there is one.
async fn redirect(
    listener: Option<&TcpListener>,
    readers: &Connections,
    tasks: &mut JoinSet<()>,
) -> Infallible {
    match listener {
        Some(listener) => accept(listener, readers, tasks, MAX_READERS).await,
        None => std::future::pending().await,
    }
}

/// What goes on beside the connections: the service manager's watchdog, and a look at the
/// certificate's end once a day.
async fn beside(app: &Arc<App>, listener: &Listener) -> Infallible {
    let certificates = [
        listener.tls.as_ref(),
        listener.mtls.as_ref().map(|(_, tls)| tls),
    ];
    let certificate = async {
        let mut interval = tokio::time::interval(CERTIFICATE_EVERY);
        loop {
            interval.tick().await;
            for tls in certificates.into_iter().flatten() {
                tls.certificate().log(app.clock.now());
            }
        }
    };
    tokio::select! {
        never = certificate => never,
        never = systemd::watchdog(Arc::clone(app)) => never,
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // At most 100 headers is hyper's own limit; naming it would cost an allocation a request.
    builder
        .http1()
        .timer(TokioTimer::new())
        // How long a connection may idle, and a head take from its first byte, is counted by
        // `activity`; hyper would set a timer for each request.
        .header_read_timeout(None)
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
) -> Infallible {
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
        let Some(of_address) = connections.places.take(peer.ip()) else {
            if connections
                .places
                .is_worth_a_line(connections.clock.monotonic())
            {
                warn!(
                    setting = "limits.connections_per_address",
                    "connections are closed: an address has too many"
                );
            }
            continue;
        };
        let served = serve(connections, stream, peer);
        tasks.spawn(async move {
            served.await;
            drop((place, of_address));
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

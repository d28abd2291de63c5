//! `countersign serve`.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rules::audit::{Event, Kind, Personal};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Failed, door};
use crate::app::App;
use crate::config::{Config, Mtls};
use crate::fault::Fault;
use crate::flows::inspect;
use crate::server::tls::{Certificate, Tls};
use crate::server::{self, Listener, systemd};
use crate::store::audit::{PendingEvent, Sealer};
use crate::{rng, telemetry};

/// Runs the server until it is told to stop.
pub(super) async fn run(config: &Path) -> Result<(), Failed> {
    let config = Config::load(config)?;
    telemetry::init(&config.log)?;
    let stop = stop_signal()?;
    let app = door::open(config).await?;
    let listen = app.config.server.listen;
    let tls = Tls::open(&app.config, app.clock.now())?;
    let redirect = app.config.tls.as_ref().and_then(|tls| tls.redirect_listen);
    let listener = Listener {
        tcp: bind("server.listen", listen).await?,
        redirect: match redirect {
            Some(address) => Some(bind("tls.redirect_listen", address).await?),
            None => None,
        },
        tls,
        mtls: match (
            app.config.mtls.as_ref(),
            Tls::open_asking(&app.config, app.clock.now())?,
        ) {
            (
                Some(Mtls {
                    listener: Some(own),
                    ..
                }),
                Some(tls),
            ) => Some((bind("mtls.listen", own.listen).await?, tls)),
            _ => None,
        },
    };
    if let Some(why) = inspect::clock_trouble(&app.store, app.clock.now()).await? {
        tracing::error!(why, "a clock is wrong");
    }
    for setting in app.config.loosened() {
        tracing::warn!(setting, "a setting is weaker than the default");
        note(&app, Kind::SettingLoosened, json!({ "setting": setting })).await?;
    }
    for client in app.registry.now().weak_clients() {
        tracing::warn!(
            client.id = client,
            "a client lives by the profile compat: no PKCE"
        );
        let detail = json!({ "setting": "client.profile", "client": client });
        note(&app, Kind::SettingLoosened, detail).await?;
    }
    let started = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "listen": listen.to_string(),
        "database": app.store.engine(),
    });
    note(&app, Kind::ServerStarted, started).await?;
    if app.config.issuer.is_secure() && listener.tls.is_none() && !app.config.proxy.is_configured()
    {
        tracing::warn!(
            setting = "proxy.peers",
            "the proxy in front is not named: every request seems to come from it, in the audit log \
             and for the limits"
        );
    }
    let certificates = [
        listener.tls.clone(),
        listener.mtls.as_ref().map(|(_, tls)| Arc::clone(tls)),
    ];
    let certificates = certificates.into_iter().flatten().collect();
    let reloading = tokio::spawn(reload(Arc::clone(&app), certificates, hang_up()?));
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        issuer = app.config.issuer.as_str(),
        %listen,
        tls = listener.tls.is_some(),
        database = app.store.engine(),
        "serving"
    );
    let ended = server::run(app.clone(), listener, stop).await;
    reloading.abort();
    let noted = note(&app, Kind::ServerStopped, Value::Null).await;
    app.store.close().await;
    tracing::info!("stopped");
    ended.map_err(|error| Failed(format!("the server failed: {error}")))?;
    Ok(noted?)
}

async fn bind(setting: &str, address: SocketAddr) -> Result<TcpListener, Failed> {
    TcpListener::bind(address).await.map_err(|error| {
        let remedy = match error.kind() {
            io::ErrorKind::PermissionDenied => {
                "ports below 1024 need CAP_NET_BIND_SERVICE, which the packaged unit gives"
            }
            io::ErrorKind::AddrNotAvailable => "set an address that this machine has",
            _ => "stop what listens there, or set another address",
        };
        Failed(format!(
            "{setting}: {address} cannot be listened on: {error}; {remedy}"
        ))
    })
}

fn hang_up() -> Result<Signal, Failed> {
    signal(SignalKind::hangup())
        .map_err(|error| Failed(format!("signals cannot be handled: {error}")))
}

/// Reads the listeners' certificates anew at each SIGHUP. One that is not in order is refused, and
/// the old one stays.
async fn reload(app: Arc<App>, certificates: Vec<Arc<Tls>>, mut hang_up: Signal) {
    while hang_up.recv().await.is_some() {
        systemd::reloading();
        if certificates.is_empty() {
            tracing::info!("nothing to reload: the listener has no certificate");
        }
        for tls in &certificates {
            match tls.reload(app.clock.now()) {
                Err(why) => {
                    tracing::error!(why, "the new certificate is refused, and the old one stays");
                }
                Ok(certificate) => reloaded(&app, &certificate).await,
            }
        }
        systemd::ready();
    }
}

async fn reloaded(app: &App, certificate: &Certificate) {
    let (subject, serial) = (&certificate.subject, &certificate.serial);
    tracing::info!(subject, serial, "the certificate was read anew");
    certificate.log(app.clock.now());
    let detail = json!({ "subject": subject, "serial": serial });
    if let Err(fault) = note(app, Kind::CertificateReloaded, detail).await {
        tracing::error!(%fault, "the reload could not be written to the audit log");
    }
}

/// Resolves at the first SIGTERM or SIGINT.
fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, Failed> {
    let failed = |error| Failed(format!("signals cannot be handled: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Appends an event of the server's own life to the audit log.
async fn note(app: &App, kind: Kind, detail: Value) -> Result<(), Fault> {
    let now = app.clock.now();
    let mut event = Event::new(rng::uuid(now)?, now, kind);
    if let Value::Object(detail) = detail {
        event.detail = detail;
    } else {
        event.detail = Map::new();
    }
    let sealer = Sealer::Institution(&app.vault);
    let event = PendingEvent::new(event, Personal::default(), sealer)?;
    app.store.append(event).await
}

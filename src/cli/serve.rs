//! `countersign serve`.

use std::path::Path;

use rules::audit::{Event, Kind, Personal};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::{Failed, door};
use crate::app::App;
use crate::config::Config;
use crate::fault::Fault;
use crate::store::audit::{PendingEvent, Sealer};
use crate::{rng, server, telemetry};

/// Runs the server until it is told to stop.
pub(super) async fn run(config: &Path) -> Result<(), Failed> {
    let config = Config::load(config)?;
    telemetry::init(&config.log)?;
    let stop = stop_signal()?;
    let app = door::open(config).await?;
    let listen = app.config.server.listen;
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        Failed(format!(
            "server.listen: {listen} cannot be listened on: {error}; stop what listens there, or \
             set another address"
        ))
    })?;
    for setting in app.config.loosened() {
        tracing::warn!(setting, "a setting is weaker than the default");
        note(&app, Kind::SettingLoosened, json!({ "setting": setting })).await?;
    }
    let started = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "listen": listen.to_string(),
        "database": app.store.engine(),
    });
    note(&app, Kind::ServerStarted, started).await?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        issuer = app.config.issuer.as_str(),
        %listen,
        database = app.store.engine(),
        "serving"
    );
    let ended = server::run(app.clone(), listener, stop).await;
    let noted = note(&app, Kind::ServerStopped, Value::Null).await;
    app.store.close().await;
    tracing::info!("stopped");
    ended.map_err(|error| Failed(format!("the server failed: {error}")))?;
    Ok(noted?)
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

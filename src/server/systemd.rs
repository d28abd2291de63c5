//! What the service manager is told (`sd_notify`): that the server is ready, reloads, stops, and is
//! well. Without a service manager that listens nothing happens.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;

use crate::app::App;

/// The listener answers from now on.
pub fn ready() {
    tell(&[NotifyState::Ready, NotifyState::Status("serving")]);
}

/// The certificate is read anew; [`ready`] says that it is done.
pub fn reloading() {
    // Type=notify-reload wants to know when; without a clock the older form is told.
    let since = NotifyState::monotonic_usec_now().ok();
    let states = [Some(NotifyState::Reloading), since];
    tell(&states.into_iter().flatten().collect::<Vec<_>>());
}

/// Running requests are finished, then the process ends.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// Says that all is well, for as long as it is, when the unit has `WatchdogSec=`. A server that cannot
/// say so in time is ended and started anew.
pub(super) async fn watchdog(app: Arc<App>) -> Infallible {
    let Some(within) = sd_notify::watchdog_enabled() else {
        return std::future::pending().await;
    };
    let mut interval = tokio::time::interval(within / 3);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        if is_well(&app, within / 3).await {
            tell(&[NotifyState::Watchdog]);
        }
    }
}

/// Whether this process lives: what is begun now runs within the time, and the store still takes
/// work. Only what a new process would do better counts: a database that is slow, busy or gone is
/// told by `/readyz`.
pub async fn is_well(app: &App, within: Duration) -> bool {
    // Begun on the threads that serve requests, not on the one that asks.
    let turn = tokio::spawn(async { tokio::task::yield_now().await });
    let why = match tokio::time::timeout(within, turn).await {
        Ok(Ok(())) if app.store.takes_work() => return true,
        Ok(Ok(())) => "the database's writer stopped",
        Ok(Err(_)) | Err(_) => "nothing that is begun gets its turn",
    };
    tracing::error!(why, "the watchdog is not told that all is well");
    false
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}

//! Whether this node can answer: looked up at most twice a second, however often it is asked, so
//! that probes, which nothing limits, never cost more than that.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Mutex;

use super::follow;
use crate::app::App;
use crate::fault::Fault;

/// How long one look is good for.
const FRESH: Duration = Duration::from_millis(500);
/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the last look found.
#[derive(Default)]
pub struct Readiness(Mutex<Option<Look>>);

struct Look {
    /// When it ended, by the monotonic clock.
    at: Duration,
    ready: bool,
}

/// Whether the database answers and this node knows what the others revoked, as it was at most half
/// a second ago. Those who ask meanwhile share one look. A node that is about to stop is not ready.
pub async fn is_ready(app: &App) -> bool {
    if app.leaving.load(Ordering::Relaxed) {
        return false;
    }
    let mut last = app.readiness.0.lock().await;
    if let Some(look) = &*last
        && app.clock.monotonic().saturating_sub(look.at) < FRESH
    {
        return look.ready;
    }
    let found = match follow::fresh(app).await {
        Ok(()) => tokio::time::timeout(PATIENCE, app.store.ping())
            .await
            .unwrap_or(Err(Fault::Busy("the database does not answer"))),
        stale => stale,
    };
    if let Err(fault) = &found {
        tracing::warn!(%fault, "not ready");
    }
    let ready = found.is_ok();
    *last = Some(Look {
        at: app.clock.monotonic(),
        ready,
    });
    ready
}

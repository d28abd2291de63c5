//! Whether this node can answer: looked up at most twice a second, however often it is asked, so
//! that probes, which nothing limits, never cost more than that.

use std::time::Duration;

use tokio::sync::Mutex;

use super::follow;
use crate::app::App;

/// How long one look is good for.
const FRESH: Duration = Duration::from_millis(500);

/// What the last look found.
#[derive(Default)]
pub struct Readiness(Mutex<Option<Look>>);

struct Look {
    /// When it ended, by the monotonic clock.
    at: Duration,
    ready: bool,
}

/// Whether the database answers and this node knows what the others revoked, as it was at most half
/// a second ago. Those who ask meanwhile share one look.
pub async fn is_ready(app: &App) -> bool {
    let mut last = app.readiness.0.lock().await;
    if let Some(look) = &*last
        && app.clock.monotonic().saturating_sub(look.at) < FRESH
    {
        return look.ready;
    }
    let found = match follow::fresh(app).await {
        Ok(()) => app.store.ping().await,
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

//! Follows what other nodes revoked and changed.

use crate::app::App;
use crate::fault::Fault;
use crate::flows;

/// How often it ticks.
pub const EVERY: std::time::Duration = flows::follow::EVERY;

/// Looks at the feed, when other nodes may write to it.
///
/// # Errors
/// [`Fault`].
pub async fn tick(app: &App) -> Result<(), Fault> {
    if app.store.is_shared() {
        flows::follow::poll(app).await?;
    }
    Ok(())
}

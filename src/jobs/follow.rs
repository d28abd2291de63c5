//! Follows what other nodes revoked and changed. Where there are none, it makes up for what this one
//! could not read anew at once after a change of its own.

use crate::app::App;
use crate::fault::Fault;
use crate::flows;

/// How often it ticks.
pub const EVERY: std::time::Duration = flows::follow::EVERY;

/// Looks at the feed.
///
/// # Errors
/// [`Fault`].
pub async fn tick(app: &App) -> Result<(), Fault> {
    flows::follow::poll(app).await
}

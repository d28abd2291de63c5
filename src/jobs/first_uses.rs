//! Writes first uses of authorizations to the audit log.

use std::time::Duration;

use crate::app::App;
use crate::fault::Fault;
use crate::flows;

/// How often it ticks.
pub const EVERY: Duration = Duration::from_secs(2);

/// Writes what was noted since the last tick.
///
/// # Errors
/// [`Fault`].
pub async fn tick(app: &App) -> Result<(), Fault> {
    flows::upkeep::flush_first_uses(app).await
}

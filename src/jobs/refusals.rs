//! Writes counted refusals to the audit log.

use std::time::Duration;

use crate::app::App;
use crate::fault::Fault;
use crate::flows;

/// How often it ticks.
pub const EVERY: Duration = Duration::from_mins(1);

/// Writes what was counted since the last tick.
///
/// # Errors
/// [`Fault`].
pub async fn tick(app: &App) -> Result<(), Fault> {
    flows::upkeep::flush_refusals(app).await
}

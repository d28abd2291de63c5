//! Frees the space of what ended long ago.

use std::time::Duration;

use crate::app::App;
use crate::fault::Fault;
use crate::flows;

/// How often it ticks.
pub const EVERY: Duration = Duration::from_mins(1);

/// Cleans once.
///
/// # Errors
/// [`Fault`].
pub async fn tick(app: &App) -> Result<(), Fault> {
    flows::upkeep::clean(app).await
}

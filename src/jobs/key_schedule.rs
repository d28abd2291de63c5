//! Withdraws signing keys whose last tokens are over.

use std::time::Duration;

use crate::app::App;
use crate::fault::Fault;
use crate::flows;

/// How often it ticks.
pub const EVERY: Duration = Duration::from_hours(1);

/// Withdraws them once.
///
/// # Errors
/// [`Fault`].
pub async fn tick(app: &App) -> Result<(), Fault> {
    flows::rotate_keys::retire(app).await
}

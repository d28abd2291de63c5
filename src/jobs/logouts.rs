//! Tells clients that sessions ended.

use std::time::Duration;

use crate::app::App;
use crate::fault::Fault;
use crate::flows;

/// How often it ticks.
pub const EVERY: Duration = Duration::from_secs(1);

/// Tells what is due.
///
/// # Errors
/// [`Fault`].
pub async fn tick(app: &App) -> Result<(), Fault> {
    flows::tell_logouts::tell(app).await
}

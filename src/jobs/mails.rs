//! Tells people by mail what happened.

use std::time::Duration;

use crate::app::App;
use crate::fault::Fault;
use crate::flows;

/// How often it ticks.
pub const EVERY: Duration = Duration::from_secs(2);

/// Sends what is due.
///
/// # Errors
/// [`Fault`].
pub async fn tick(app: &App) -> Result<(), Fault> {
    flows::send_mail::send(app).await
}

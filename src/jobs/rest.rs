//! Gives memory back that the last seconds did not need.

use std::time::Duration;

use crate::app::App;
use crate::fault::Fault;

/// How often it ticks.
pub const EVERY: Duration = Duration::from_secs(20);

/// Gives the memory of password hashes back, when none was made since the last tick.
///
/// # Errors
/// None; jobs have one shape.
#[expect(clippy::unused_async, reason = "jobs have one shape")]
pub async fn tick(app: &App) -> Result<(), Fault> {
    app.hasher.rest();
    Ok(())
}

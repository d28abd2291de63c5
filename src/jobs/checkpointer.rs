//! Keeps the write-ahead log of an `SQLite` database short.

use std::time::Duration;

use crate::app::App;
use crate::fault::Fault;

/// How often it ticks.
pub const EVERY: Duration = Duration::from_secs(1);

/// Moves what the log holds into the database file; does nothing on `PostgreSQL`.
///
/// # Errors
/// [`Fault`].
pub async fn tick(app: &App) -> Result<(), Fault> {
    app.store.checkpoint().await
}

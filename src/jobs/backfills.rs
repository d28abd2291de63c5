//! Does what migrations left to be done row by row, beside the server's other work.

use std::time::Duration;

use crate::app::App;
use crate::fault::Fault;
use crate::flows;
use crate::store::backfill::ALL;

/// How often it ticks.
pub const EVERY: Duration = Duration::from_secs(1);

/// Does some batches; none when nothing is left.
///
/// # Errors
/// [`Fault`].
pub async fn tick(app: &App) -> Result<(), Fault> {
    flows::backfill::go_on(&app.store, &app.clock, ALL)
        .await
        .map(drop)
}

//! Seals audit events into the Merkle tree.

use std::time::Duration;

use crate::app::App;
use crate::fault::Fault;
use crate::flows::seal_audit::{self, BATCH};

/// How often it ticks: until an event is sealed, at most this long, tampering with it cannot be
/// seen.
pub const EVERY: Duration = Duration::from_secs(1);

/// How many batches one tick seals at most; between them, others write.
const BATCHES: usize = 8;

/// Seals what waits, batch after batch.
///
/// # Errors
/// [`Fault`].
pub async fn tick(app: &App) -> Result<(), Fault> {
    for _ in 0..BATCHES {
        let sealed = seal_audit::seal(app).await?;
        if u32::try_from(sealed).is_ok_and(|sealed| sealed < BATCH) {
            break;
        }
    }
    Ok(())
}

//! What the cleaner removes. Expiry is checked at use; this only frees space.

use std::time::Duration;

use rules::time::Timestamp;

use super::Tx;
use super::sql::Sql;
use crate::fault::Fault;

/// How long what has ended stays, so that a replay is still recognised as one.
const KEEP: Duration = Duration::from_hours(24);
/// How long ended sessions, devices not seen and quiet lockouts stay.
const KEEP_LONG: Duration = Duration::from_hours(90 * 24);

const SWEEPS: [(Sql, Duration); 11] = [
    (
        Sql("DELETE FROM interactions WHERE expires_at < $1"),
        Duration::ZERO,
    ),
    (
        Sql("DELETE FROM pushed_requests WHERE expires_at < $1"),
        KEEP,
    ),
    (Sql("DELETE FROM codes WHERE expires_at < $1"), KEEP),
    (
        Sql("DELETE FROM assertion_ids WHERE expires_at < $1"),
        Duration::ZERO,
    ),
    (
        Sql("DELETE FROM activations WHERE expires_at < $1"),
        Duration::ZERO,
    ),
    (Sql("DELETE FROM invites WHERE expires_at < $1"), KEEP_LONG),
    (Sql("DELETE FROM lockouts WHERE changed_at < $1"), KEEP_LONG),
    (Sql("DELETE FROM devices WHERE seen_at < $1"), KEEP_LONG),
    (Sql("DELETE FROM sessions WHERE created_at < $1"), KEEP_LONG),
    (
        Sql("DELETE FROM refresh_families WHERE expires_at < $1"),
        KEEP,
    ),
    (
        Sql("DELETE FROM authorizations WHERE expires_at < $1"),
        KEEP,
    ),
];

/// How many kinds of rows [`sweep`] knows.
pub const KINDS: usize = SWEEPS.len();

/// Removes rows of one kind whose time is long over.
pub async fn sweep(tx: &mut Tx, kind: usize, now: Timestamp) -> Result<u64, Fault> {
    match SWEEPS.get(kind) {
        Some((sql, keep)) => tx.execute(*sql, vec![now.minus(*keep).into()]).await,
        None => Ok(0),
    }
}

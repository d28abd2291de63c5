//! Failed sign-ins, counted per pool. An attempt is counted before it is verified, so that fifty at
//! once are not one.

use rules::identity::lockout;
use rules::time::Timestamp;

use super::Tx;
use super::sql::Sql;
use crate::fault::Fault;

/// Whose failures are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool([u8; 32]);

impl Pool {
    /// By its keyed hash.
    #[must_use]
    pub const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }
}

/// The answer to somebody who wants to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reservation {
    /// The attempt is counted as failed until it succeeds.
    Counted {
        /// Failures in a row since the last success, this one included.
        consecutive: u32,
    },
    /// Not now.
    Blocked {
        /// When trying makes sense again.
        until: Timestamp,
    },
}

/// Counts an attempt.
pub async fn reserve(tx: &mut Tx, pool: Pool, now: Timestamp) -> Result<Reservation, Fault> {
    // The row stays locked from here to the commit, so attempts on one pool queue up.
    const COUNT: Sql = Sql(
        "INSERT INTO lockouts (pool, failures, consecutive, blocked_until, changed_at) \
         VALUES ($1, 1, 1, 0, $2) ON CONFLICT (pool) DO UPDATE SET \
         failures = lockouts.failures + 1, consecutive = lockouts.consecutive + 1, changed_at = $2 \
         WHERE lockouts.blocked_until <= $2 RETURNING failures, consecutive",
    );
    const BLOCK: Sql = Sql("UPDATE lockouts SET blocked_until = $2 WHERE pool = $1");
    const UNTIL: Sql = Sql("SELECT blocked_until FROM lockouts WHERE pool = $1");
    let key = || pool.0.into();
    let Some(row) = tx.optional(COUNT, vec![key(), now.into()]).await? else {
        let row = tx.optional(UNTIL, vec![key()]).await?;
        let until = row.map_or(Ok(now), |row| row.time(0))?;
        return Ok(Reservation::Blocked { until });
    };
    let count = |column| Ok::<_, Fault>(u32::try_from(row.int(column)?).unwrap_or(u32::MAX));
    if let Some(block) = lockout::block_after(count(0)?) {
        tx.execute(BLOCK, vec![key(), now.plus(block).into()])
            .await?;
    }
    let consecutive = count(1)?;
    Ok(Reservation::Counted { consecutive })
}

/// Forgets the failures of a pool: an attempt succeeded.
pub async fn clear(tx: &mut Tx, pool: Pool) -> Result<(), Fault> {
    const CLEAR: Sql = Sql("DELETE FROM lockouts WHERE pool = $1");
    tx.execute(CLEAR, vec![pool.0.into()]).await.map(drop)
}
